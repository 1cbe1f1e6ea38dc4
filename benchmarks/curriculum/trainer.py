"""Recording in the transformers Trainer: the same dynamics as a plain loop's, the same after a restart, and its cost.

    python -m benchmarks.curriculum.trainer [--data FOLDER] [--rows 640] [--repeats 5]

Needs trec.csv in --data. A transformer of two layers is trained from its configuration.

- "plain loop": a loop written out by hand, with a Recorder, over the batches that the Trainer drew (no dropout).
- "restart": training stopped in the middle of the second epoch and resumed from its checkpoint, against the
  undisturbed one (dropout as usual).
- "cost": processor time of `train` with the callback over that of the plain Trainer, in pairs whose order alternates,
  and the share of time that is spent in what recording adds: the callback's functions, the collator around the
  collator and the data set around the data set, less what these call.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import datasets
import numpy as np
import torch
import transformers
from torch.nn import functional

from benchmarks.common import table, write
from benchmarks.peers.cases import small_transformer, texts
from dataaudit.curriculum.trainers import RecordDynamics, curriculum_trainer, rows
from dataaudit.dynamics.recorder import Recorder

BATCH, RATE = 32, 1e-3


class Case:
    """TREC, tokenised, and fresh transformers for it."""

    def __init__(self, path: Path, count: int) -> None:
        words, labels, _ = texts(path)
        words, labels = words[:count], labels[:count]
        self.classes = int(labels.max()) + 1
        self._factory, self.tokenizer = small_transformer(words, self.classes)
        self.rows = datasets.Dataset.from_dict({**self.tokenizer(words), "label": labels})
        self.pad = transformers.DataCollatorWithPadding(self.tokenizer)

    def model(self, dropout: bool = True) -> Any:
        torch.manual_seed(0)
        config = self._factory().config
        if not dropout:
            config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
        torch.manual_seed(0)
        return transformers.BertForSequenceClassification(config)

    def trainer(self, kind: Any, folder: str, epochs: int, callbacks: list[Any], dropout: bool = True) -> Any:
        arguments = transformers.TrainingArguments(
            output_dir=folder,
            num_train_epochs=epochs,
            per_device_train_batch_size=BATCH,
            learning_rate=RATE,
            max_grad_norm=0.0,
            save_strategy="steps",
            save_steps=10**6,
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
        )
        model = self.model(dropout)
        return kind(model, arguments, self.pad, self.rows, processing_class=self.tokenizer, callbacks=callbacks)


class Order(transformers.TrainerCallback):  # type: ignore[misc]
    """Keeps the rows of every batch, by looking on as they are recorded."""

    def __init__(self, recording: RecordDynamics) -> None:
        self.recording = recording
        self.batches: list[torch.Tensor] = []

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        recorder, update = self.recording.recorder, self.recording.recorder.update

        def kept(index: Any, logits: Any, labels: Any) -> None:
            self.batches.append(index.clone())
            update(index, logits, labels)

        vars(recorder)["update"] = kept


class StopAt(transformers.TrainerCallback):  # type: ignore[misc]
    """Saves a checkpoint and stops."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            control.should_save = control.should_training_stop = True


def differences(one: Recorder, other: Recorder) -> tuple[float, int]:
    """Largest difference of any number in two records' dynamics, and the number of arrays that differ."""
    largest, differing = 0.0, 0
    left, right = vars(one.dynamics()), vars(other.dynamics())
    for name, value in left.items():
        if value is None:
            continue
        a, b = np.asarray(value), np.asarray(right[name])
        differing += not np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        largest = max(largest, float(np.nanmax(np.abs(a.astype(np.float64) - b.astype(np.float64)))))
    return largest, differing


def plain_loop(case: Case, epochs: int) -> dict[str, Any]:
    recording = RecordDynamics()
    order = Order(recording)
    with tempfile.TemporaryDirectory() as folder:
        trainer = case.trainer(curriculum_trainer(), folder, epochs, [recording, order], dropout=False)
        trainer.train()
    model, recorder = case.model(dropout=False).train(), Recorder(len(case.rows), case.classes)
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.0, fused=True)
    steps, at = len(order.batches), iter(order.batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0, steps - step) / steps)
    for _ in range(epochs):
        for _ in range(steps // epochs):
            index = next(at)
            batch = case.pad([case.rows[int(i)] for i in index])
            labels = batch.pop("labels")
            logits = model(**batch).logits
            functional.cross_entropy(logits, labels).backward()
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            recorder.update(index, logits, labels)
        recorder.end_epoch()
    largest, differing = differences(recording.recorder, recorder)
    weights = sum(not torch.equal(a, b) for a, b in zip(trainer.model.parameters(), model.parameters(), strict=True))
    return {"what": "plain loop", "largest": largest, "arrays": differing, "weights": weights}


def restart(case: Case, epochs: int) -> dict[str, Any]:
    whole, resumed = RecordDynamics(), RecordDynamics()
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = case.trainer(curriculum_trainer(), folder, epochs, [whole])
        undisturbed.train()
    half = -(-len(case.rows) // BATCH) * 3 // 2
    with tempfile.TemporaryDirectory() as folder:
        case.trainer(curriculum_trainer(), folder, epochs, [RecordDynamics(), StopAt(half)]).train()
        trainer = case.trainer(curriculum_trainer(), folder, epochs, [resumed])
        trainer.train(resume_from_checkpoint=True)
    largest, differing = differences(resumed.recorder, whole.recorder)
    pairs = zip(trainer.model.parameters(), undisturbed.model.parameters(), strict=True)
    return {
        "what": f"restart at step {half}",
        "largest": largest,
        "arrays": differing,
        "weights": sum(not torch.equal(a, b) for a, b in pairs),
    }


def processor_seconds(case: Case, recorded: bool) -> float:
    kind, callbacks = (curriculum_trainer(), [RecordDynamics()]) if recorded else (transformers.Trainer, [])
    with tempfile.TemporaryDirectory() as folder:
        trainer = case.trainer(kind, folder, 1, callbacks)
        start = time.process_time()
        trainer.train()
        return time.process_time() - start


def share_inside(case: Case) -> float:
    """Processor time inside the functions that recording adds, over the rest of the training's."""
    inside = 0.0

    def timed(function: Any, sign: int = 1) -> Any:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal inside
            start = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                inside += sign * (time.process_time() - start)

        return call

    recording = RecordDynamics()
    for name in ("_before", "_after", "on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end"):
        setattr(recording, name, timed(getattr(recording, name)))
    around = [(rows._RowCollator, "__call__", 1), (rows._NumberedRows, "__getitems__", 1)]
    inner = [(transformers.DataCollatorWithPadding, "__call__", -1), (datasets.Dataset, "__getitems__", -1)]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        for owner, name, sign in (*around, *inner):
            stack.enter_context(mock.patch.object(owner, name, timed(getattr(owner, name), sign)))
        trainer = case.trainer(curriculum_trainer(), folder, 1, [recording])
        start = time.process_time()
        trainer.train()
        total = time.process_time() - start
    return inside / (total - inside)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data", metavar="FOLDER")
    parser.add_argument("--rows", type=int, default=2000, help="of the file, the first")
    parser.add_argument("--repeats", type=int, default=19)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "trainer.csv")
    options = parser.parse_args()
    case = Case(Path(options.data) / "trec.csv", options.rows)
    same = [plain_loop(case, options.epochs), restart(case, options.epochs)]
    table(
        ["the Trainer with the callback against", "largest difference", "dynamics that differ", "weights that differ"],
        [[row["what"], row["largest"], row["arrays"], row["weights"]] for row in same],
    )
    print()
    processor_seconds(case, True)
    costs: list[dict[str, Any]] = []
    for repeat in range(options.repeats):
        seconds = {
            recorded: processor_seconds(case, recorded) for recorded in ((False, True), (True, False))[repeat % 2]
        }
        costs.append(
            {"repeat": repeat, "plain": seconds[False], "recorded": seconds[True], "inside": share_inside(case)}
        )
    ratios = [row["recorded"] / row["plain"] for row in costs]
    inside = [row["inside"] for row in costs]
    table(
        ["processor time of one epoch", "median", "least", "most"],
        [
            ["plain Trainer, s", *(round(float(f([r["plain"] for r in costs])), 2) for f in (np.median, min, max))],
            [
                "with the callback, s",
                *(round(float(f([r["recorded"] for r in costs])), 2) for f in (np.median, min, max)),
            ],
            ["ratio in a pair", *(round(float(f(ratios)), 4) for f in (np.median, min, max))],
            ["share of what recording adds", *(round(float(f(inside)), 4) for f in (np.median, min, max))],
        ],
    )
    found = [{**row, "repeat": "", "plain": "", "recorded": "", "inside": ""} for row in same]
    found += [{"what": "cost", "largest": "", "arrays": "", "weights": "", **row} for row in costs]
    write(options.out, found)


if __name__ == "__main__":
    main()
