"""A tiny model for the transformers Trainer, its data, and what its trainings are compared by."""

from functools import cache

import datasets
import numpy as np
import torch
import transformers
from torch import nn
from torch.nn import functional

from dataaudit.curriculum.trainers import RecordDynamics, curriculum_trainer

N, CLASSES = 37, 3


@cache
def examples(n=N):
    rng = np.random.default_rng(0)
    labels = rng.integers(CLASSES, size=n)
    ids = [[1, *(3 + 5 * label + rng.integers(5, size=rng.integers(2, 7))), 2] for label in labels]
    rows = {"text": ["a"] * n, "input_ids": ids, "label": labels, "attention_mask": [[1] * len(i) for i in ids]}
    return datasets.Dataset.from_dict(rows)


def pad(rows):
    width = max(len(row["input_ids"]) for row in rows)
    filled = {name: [list(row[name]) + [0] * (width - len(row[name])) for row in rows] for name in TAKEN}
    return {
        **{name: torch.tensor(values) for name, values in filled.items()},
        "labels": torch.tensor([int(row["label"]) for row in rows]),
    }


TAKEN = ("input_ids", "attention_mask")


def model(dropout=0.1, **options):
    torch.manual_seed(1)
    return transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=20,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=16,
            num_labels=CLASSES,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            **options,
        )
    )


def arguments(folder, **options):
    return transformers.TrainingArguments(
        **{
            "output_dir": str(folder),
            "num_train_epochs": 2,
            "per_device_train_batch_size": 8,
            "learning_rate": 1e-2,
            "save_strategy": "no",
            "report_to": [],
            "disable_tqdm": True,
            "logging_strategy": "no",
            "use_cpu": True,
            "seed": 5,
            **options,
        }
    )


class Order(transformers.TrainerCallback):
    """Keeps the rows of every batch that the recorder is told."""

    def __init__(self, recording):
        self.recording = recording
        self.batches = []

    def on_epoch_begin(self, args, state, control, **kwargs):
        recorder = self.recording.recorder
        if "update" not in vars(recorder):
            update = recorder.update

            def kept(index, logits, labels):
                self.batches.append(index.clone())
                update(index, logits, labels)

            recorder.update = kept


def trained(
    folder, trainer=None, net=None, callbacks=(), rows=None, collator=pad, eval_rows=None, extra=None, **options
):
    made = (trainer or curriculum_trainer())(
        model=net or model(),
        args=arguments(folder, **options),
        train_dataset=examples() if rows is None else rows,
        eval_dataset=eval_rows,
        data_collator=collator,
        callbacks=list(callbacks),
        **(extra or {}),
    )
    made.train()
    return made


def weights_of(trainer):
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def same_weights(one, other):
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def same_record(found, wanted, rtol=0.0):
    assert found.epochs == wanted.epochs
    for name, value in vars(wanted.dynamics()).items():
        if value is not None:
            np.testing.assert_allclose(getattr(found.dynamics(), name), value, rtol=rtol, err_msg=name)
    np.testing.assert_array_equal(found.labels, wanted.labels)


class Stopped(Exception):
    pass


class StopAt(transformers.TrainerCallback):
    def __init__(self, step, kindly):
        self.step, self.kindly = step, kindly

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            if not self.kindly:
                raise Stopped
            control.should_training_stop = control.should_save = True


def plain(folder, rows, collator, recording=None, **options):
    return transformers.Trainer(
        model=model(),
        args=arguments(folder, **options),
        train_dataset=rows,
        data_collator=collator,
        callbacks=[RecordDynamics() if recording is None else recording],
    )


class Narrow(nn.Module):
    """Takes no arguments but its own."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor
        self.layer = nn.Linear(1, CLASSES)

    def forward(self, input_ids, attention_mask, labels=None):
        logits = self.layer(input_ids[:, 1:2].float())
        return (
            {"logits": logits}
            if labels is None
            else {"loss": self.factor * functional.cross_entropy(logits, labels), "logits": logits}
        )
