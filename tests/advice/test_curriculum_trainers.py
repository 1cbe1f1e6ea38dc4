"""Refusals in the training loops of transformers and Lightning: whatever they advise works when it is followed."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.nn import functional
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler, RandomSampler, Subset

from dataaudit import CurriculumSampler, Recorder
from dataaudit.curriculum.trainers import (
    LightningRecordDynamics,
    RecordDynamics,
    carry_rows,
    curriculum_trainer,
    with_row_index,
)
from dataaudit.curriculum.trainers.state import KIND, load_record, save_record
from tests.curriculum import test_trainers_lightning as light
from tests.curriculum.tiny_trainer import CLASSES, Narrow, arguments, examples, model, pad

N = 16
ROWS = examples(N).remove_columns("text")
ONES = np.ones(N)
PLAIN, CURRICULUM = transformers.Trainer, curriculum_trainer()
STREAM = ROWS.to_iterable_dataset()
NUMBERED = {"rows": with_row_index(ROWS), "collator": carry_rows(pad), "remove_unused_columns": False}
RETURNED = ("logits", "labels", "row_index")
SAVING = {"save_strategy": "steps", "save_steps": 1}


def train(
    trainer=CURRICULUM,
    net=model,
    rows=ROWS,
    collator=pad,
    recordings=1,
    classes=None,
    checkpoint=None,
    replaced=None,
    devices=None,
    resumed=None,
    search=None,
    loss=None,
    **options,
):
    """One step of a Trainer that records; `devices` stands in for the number of CUDA's."""
    extra = {name: options.pop(name) for name in ("loss_weights", "sampling") if name in options}
    settings = arguments(".", **{"max_steps": 1, **options})
    settings._n_gpu = settings.n_gpu if devices is None else devices
    made = trainer(
        model=net(),
        args=settings,
        train_dataset=rows,
        data_collator=collator,
        callbacks=[RecordDynamics(classes=classes, checkpoint=checkpoint) for _ in range(recordings)],
        compute_loss_func=loss,
        **extra,
    )
    if replaced is not None:
        made.train_dataset = replaced
    made.train(resumed, search)


def resumed(resumed="bare/checkpoint-1", checkpoint=None):
    """Go on from a checkpoint, which has a record in the folder `recorded` and none in `bare`."""
    for recordings, folder in enumerate(("bare", "recorded")):
        if not Path(folder).exists():
            train(recordings=recordings, output_dir=folder, **SAVING)
    train(resumed=resumed, checkpoint=checkpoint, max_steps=2)


def loaded(content=None, saved_by=1, processes=1):
    """Read the record of a checkpoint, in whose place `content` may lie."""
    folder = Path("checkpoint")
    save_record(folder, Recorder(4, 2), False, 0, saved_by, None)
    if content is not None:
        folder.joinpath("dataaudit_0.pt").write_bytes(content + KIND.foot(np.frombuffer(content, np.uint8)))
    load_record(folder, Recorder(4, 2), 0, processes, "cpu")


def begun(trained=False):
    recording = RecordDynamics()
    if trained:
        made = CURRICULUM(
            model=model(),
            args=arguments(".", max_steps=1),
            train_dataset=ROWS,
            data_collator=pad,
            callbacks=[recording],
        )
        made.train()
    return recording.recorder


def item(index=0, dataset=ROWS):
    return with_row_index(dataset)[index]


def collated(rows):
    return carry_rows(pad)(rows)


def fit(returned=RETURNED, step=None, recorded=True, loader=DataLoader):
    """An epoch of Lightning, which goes on after a step of another training where there is one."""
    shutil.rmtree("saved", ignore_errors=True)
    callbacks = [LightningRecordDynamics(light.N, light.CLASSES) for _ in range(2)]
    if step is not None:
        saving = ModelCheckpoint("saved", "{step}", save_top_k=-1, every_n_train_steps=1)
        light.fit(".", light.Net(), [saving, *callbacks[: int(recorded)]], made=loader, max_epochs=1)
    checkpoint = None if step is None else f"saved/step={step}.ckpt"
    again = {"enable_checkpointing": False, "max_epochs": 2}
    light.fit(".", light.Net(returned), callbacks[1:], ckpt=checkpoint, made=loader, **again)


def growing(epoch):
    return np.arange(N) < 8 * (epoch + 1)


def shares(rows):
    batch = pad(rows)
    return batch | {"labels": functional.one_hot(batch["labels"], CLASSES).float()}


def with_rows_of_its_own(rows):
    return pad(rows) | {"row_index": torch.tensor([row["row_index"] for row in rows])}


class Bare(nn.Module):
    """Returns its logits by another name."""

    def __init__(self, returned="other"):
        super().__init__()
        self.layer, self.returned = nn.Linear(1, CLASSES), returned

    def forward(self, input_ids, attention_mask, labels=None):
        logits = self.layer(input_ids[:, :1].float())
        return {"loss": functional.cross_entropy(logits, labels), self.returned: logits}


class Own(transformers.Trainer):
    def compute_loss(self, *given, **more):
        return super().compute_loss(*given, **more)


ROWS_CARRIED = {"curriculum_trainer(Trainer)": {"trainer": CURRICULUM}, "with_row_index(dataset)": NUMBERED}
WEIGHTED = {"loss_weights": ONES}
UNWEIGHTED = {"leave loss_weights= out": {"loss_weights": ...}, "sampling=": {"loss_weights": ..., "sampling": ONES}}
SAMPLED = {"sampling=weights": {"sampling": ONES}, "CurriculumSampler(weights)": {"sampling": CurriculumSampler(ONES)}}

CASES = {
    "no number of classes": (
        train,
        {"net": lambda: Bare("logits")},
        {"RecordDynamics(classes=2)": {"classes": CLASSES}},
    ),
    "two recordings": (train, {"recordings": 2}, {"leave one of them out": {"recordings": 1}}),
    "labels that the model does not see": (
        train,
        {
            "trainer": PLAIN,
            **NUMBERED,
            "collator": with_rows_of_its_own,
            "label_smoothing_factor": 0.1,
        },
        {"carry_rows": {"collator": carry_rows(pad)}, "curriculum_trainer": {"trainer": CURRICULUM, "collator": pad}},
    ),
    "no logits": (train, {"net": Bare, "classes": CLASSES}, {"AutoModelForSequence": {"net": model}}),
    "several devices in a process": (
        train,
        {"devices": 2},
        {"torchrun": {"devices": 1}, "CUDA_VISIBLE_DEVICES=0": {"devices": 1}},
    ),
    "a search of hyperparameters": (
        train,
        {"search": {"learning_rate": 0.1}},
        {"out of the search": {"search": None}},
    ),
    "columns without rows": (train, {"trainer": PLAIN}, ROWS_CARRIED),
    "batches without rows": (train, {"trainer": PLAIN, **NUMBERED, "collator": pad}, ROWS_CARRIED),
    "rows that are taken away": (
        train,
        {"trainer": PLAIN, **NUMBERED, "remove_unused_columns": True},
        ROWS_CARRIED,
    ),
    "rows without numbers": (
        train,
        {"rows": STREAM},
        {"streaming=False": {"rows": ROWS}, "list(dataset)": {"rows": list(STREAM)}},
    ),
    "rows without numbers, in a plain Trainer": (
        train,
        {"trainer": PLAIN, "rows": STREAM},
        {
            "streaming=False": {"trainer": CURRICULUM, "rows": ROWS},
            "list(dataset)": {"trainer": CURRICULUM, "rows": list(STREAM)},
        },
    ),
    "several rows at once": (
        item,
        {"index": slice(2)},
        {"one by one": {"index": 1}, "Subset": {"dataset": Subset(ROWS, range(10)), "index": 1}},
    ),
    "a row before the first": (item, {"index": -N - 1}, {"count rows from 0": {"index": N - 1}}),
    "rows that have numbers of their own": (
        item,
        {"dataset": [{"row_index": 3}]},
        {"rename or remove": {"dataset": [{"number": 3}]}},
    ),
    "rows that are single values": (item, {"dataset": [0.5]}, {"return dicts": {"dataset": [{"x": 0.5}]}}),
    "some rows with numbers": (
        collated,
        {"rows": [ROWS[0], with_row_index(ROWS)[1]]},
        {"number all of them": {"rows": [with_row_index(ROWS)[row] for row in range(2)]}},
    ),
    "a collator of lists": (train, {"collator": list}, {"return a dict": {"collator": pad}}),
    "epochs of several lengths": (
        train,
        {"sampling": CurriculumSampler(growing, replacement=False), "max_steps": -1},
        {"num_samples=8": {"sampling": CurriculumSampler(growing, num_samples=8)}},
    ),
    "weights in words": (
        train,
        {"loss_weights": ["a"] * N},
        {"audit.weights(strategy)": WEIGHTED, "audit.schedule": {"loss_weights": lambda epoch: ONES}},
    ),
    "weights of other rows": (train, {"loss_weights": ONES[1:]}, {"of this data set": WEIGHTED}),
    "weights below 0": (train, {"sampling": np.arange(N) - 1.0}, {"put 0": {"sampling": np.arange(N) * 1.0}}),
    "weights of 0": (train, {"loss_weights": 0 * ONES}, {"give one row": {"loss_weights": np.eye(N)[0]}}),
    "a strategy for weights": (
        train,
        {"loss_weights": "suspects"},
        {"audit.weights(strategy)": WEIGHTED, "audit.schedule": {"loss_weights": lambda epoch: ONES}},
    ),
    "weights of no rows": (train, {"rows": None, **WEIGHTED}, {"train_dataset=": {"rows": ROWS}}),
    "weights beside a loss of its own": (train, {"trainer": curriculum_trainer(Own), **WEIGHTED}, UNWEIGHTED),
    "weights of another loss": (
        train,
        {"net": lambda: Narrow(1.5), "classes": CLASSES, **WEIGHTED},
        UNWEIGHTED,
    ),
    "weights of several labels a row": (
        train,
        {"net": Narrow, "collator": shares, "recordings": 0, **WEIGHTED},
    ),
    "weights of a data set that was replaced": (
        train,
        {"replaced": ROWS.select(range(8)), **WEIGHTED},
        {"another Trainer": {"rows": ROWS.select(range(8)), "replaced": ..., "loss_weights": ONES[:8]}},
    ),
    "a sampler of batches": (train, {"sampling": BatchSampler(range(N), 4, False)}, SAMPLED),
    "a sampler of one process": (train, {"sampling": DistributedSampler(range(N), 2, 0)}, SAMPLED),
    "a sampler of other rows": (
        train,
        {"sampling": RandomSampler(range(60))},
        {"of train_dataset": {"sampling": RandomSampler(ROWS)}},
    ),
    "no Trainer": (curriculum_trainer, {"trainer": dict}, {"transformers.Trainer": {"trainer": PLAIN}}),
    "a checkpoint without a record": (
        resumed,
        {},
        {
            "made with the callback": {"resumed": "recorded/checkpoint-1"},
            "checkpoint=folder": {"checkpoint": "recorded/checkpoint-1"},
        },
    ),
    "a record of more processes": (loaded, {"saved_by": 2}, {"with 2 processes": {"processes": 2}}),
    "a record of something else": (loaded, {"content": b"something else"}, {"another checkpoint": {"content": None}}),
    "no training yet": (begun, {}, {"trainer.train()": {"trained": True}}),
    "a step that returns a loss": (fit, {"returned": ()}, {"'row_index': rows": {"returned": RETURNED}}),
    "a checkpoint of Lightning without a record": (
        fit,
        {"step": 5, "recorded": False},
        {"made with the callback": {"recorded": True}, "begin anew": {"step": None}},
    ),
    "a checkpoint within an epoch": (
        fit,
        {"step": 3},
        {"end of an epoch": {"step": 5}, "StatefulDataLoader": {"loader": light.Resumable}},
    ),
}

ELSEWHERE = {
    "curriculum/trainers/losses.py: latest_losses": "two processes: tests/curriculum/test_trainers_processes.py",
}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    assert left("curriculum/trainers") == set(ELSEWHERE)
