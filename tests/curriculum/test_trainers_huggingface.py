"""The transformers Trainer, recorded: the same dynamics as a plain loop's, and none of its own changed."""

import numpy as np
import pytest
import torch
import transformers
from torch.nn import functional

import dataaudit
from dataaudit.curriculum.trainers import RecordDynamics, carry_rows, curriculum_trainer, with_row_index
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataError, SettingError, StorageError
from tests.curriculum.tiny_trainer import (
    CLASSES,
    TAKEN,
    N,
    Narrow,
    Order,
    StopAt,
    Stopped,
    arguments,
    examples,
    model,
    pad,
    plain,
    same_record,
    same_weights,
    trained,
    weights_of,
)


@pytest.mark.parametrize("accumulated", [1, 2])
def test_dynamics_are_those_of_a_plain_loop_on_the_same_order(tmp_path, accumulated):
    recording = RecordDynamics()
    order = Order(recording)
    options = {"max_grad_norm": 0.0, "weight_decay": 0.0, "gradient_accumulation_steps": accumulated}
    trainer = trained(tmp_path, net=model(dropout=0.0), callbacks=[recording, order], optim="adamw_torch", **options)
    assert recording.recorder.dynamics().seen.tolist() == [2] * N

    net, rows, recorder = model(dropout=0.0).train(), examples(), Recorder(N, CLASSES)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-2, weight_decay=0.0)
    steps = -(-5 // accumulated) * 2
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0, steps - step) / steps)
    assert len(order.batches) == 10
    for epoch in range(2):
        batches = order.batches[5 * epoch : 5 * epoch + 5]
        for start in range(0, 5, accumulated):
            together = batches[start : start + accumulated]
            for index in together:
                batch = pad([rows[int(i)] for i in index])
                logits = net(**{name: batch[name] for name in TAKEN}).logits
                # The Trainer adds up what this model's loss gives for the batches of an update.
                functional.cross_entropy(logits, batch["labels"]).backward()
                recorder.update(index, logits, batch["labels"])
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
        recorder.end_epoch()
    same_record(recording.recorder, recorder)
    same_weights(weights_of(trainer), net.state_dict())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gradient_accumulation_steps": 3},
        {"label_smoothing_factor": 0.1},
        {"eval_strategy": "steps", "eval_steps": 2},
        {"bf16": True},
        {"dataloader_num_workers": 1},
        {"train_sampling_strategy": "group_by_length"},
    ],
)
def test_recording_changes_nothing(tmp_path, options):
    plain = trained(tmp_path / "plain", transformers.Trainer, eval_rows=examples(20), **options)
    recording = RecordDynamics()
    recorded = trained(tmp_path / "recorded", callbacks=[recording], eval_rows=examples(20), **options)
    same_weights(weights_of(plain), weights_of(recorded))
    # Rows of evaluation would have counted as rows of training.
    assert recording.recorder.dynamics().seen.tolist() == [2] * N
    np.testing.assert_array_equal(recording.recorder.labels, examples()["label"])
    assert not recorded.model._forward_hooks
    assert not recorded.model._forward_pre_hooks
    assert recorded.evaluate(examples())["eval_loss"] == plain.evaluate(examples())["eval_loss"]


@pytest.mark.parametrize("kind", ["tuple", "torch.compile", "custom loss", "torch data set"])
def test_models_and_losses_of_other_kinds(tmp_path, kind):
    class Doubled(transformers.Trainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            labels = inputs.pop("labels")
            outputs = model(**inputs)
            loss = 2 * functional.cross_entropy(outputs.logits, labels)
            return (loss, outputs) if return_outputs else loss

    options, rows, net, trainer = {}, examples(), model(), transformers.Trainer
    if kind == "tuple":
        net.config.return_dict = False
    if kind == "torch.compile":
        options = {"torch_compile": True, "torch_compile_backend": "eager", "max_steps": 2}
    if kind == "custom loss":
        trainer = Doubled
    if kind == "torch data set":
        rows = [dict(row) for row in rows]
    recording = RecordDynamics()
    trained(tmp_path, curriculum_trainer(trainer), net=net, callbacks=[recording], rows=rows, **options)
    assert recording.recorder.dynamics().seen.sum() == (16 if options else 2 * N)
    if not options:
        assert dataaudit.score(recording, progress=False).ranking("mean_margin").shape == (N,)


@pytest.mark.parametrize(
    ("step", "kindly", "extra", "every"),
    [
        (3, True, {}, {"save_strategy": "steps", "save_steps": 1000}),
        (7, False, {}, {"save_strategy": "steps", "save_steps": 6}),
        # Saved before the end of its epoch was told, and after.
        (5, True, {}, {"save_strategy": "steps", "save_steps": 1000}),
        (7, False, {"loss_weights": np.linspace(0, 1, N)}, {"save_strategy": "epoch"}),
    ],
)
def test_interrupted_and_resumed_is_undisturbed(tmp_path, step, kindly, extra, every):
    whole = RecordDynamics()
    undisturbed = trained(tmp_path / "whole", callbacks=[whole], extra=extra)
    first = RecordDynamics()
    try:
        trained(tmp_path / "broken", callbacks=[first, StopAt(step, kindly)], extra=extra, **every)
    except Stopped:
        assert not kindly
    resumed = RecordDynamics()
    trainer = curriculum_trainer()(
        model=model(),
        args=arguments(tmp_path / "broken", **every),
        train_dataset=examples(),
        data_collator=pad,
        callbacks=[resumed],
        **extra,
    )
    trainer.train(resume_from_checkpoint=True)
    same_weights(weights_of(undisturbed), weights_of(trainer))
    same_record(resumed.recorder, whole.recorder)


def test_a_checkpoint_elsewhere_is_resumed_by_its_name(tmp_path):
    every = {"save_strategy": "steps", "save_steps": 3}
    whole = RecordDynamics()
    trained(tmp_path / "whole", callbacks=[whole], **every)
    again = RecordDynamics()
    made = {"model": model(), "train_dataset": examples(), "data_collator": pad}
    trainer = curriculum_trainer()(args=arguments(tmp_path / "new", **every), callbacks=[again], **made)
    trainer.train(resume_from_checkpoint=str(tmp_path / "whole/checkpoint-6"))
    same_record(again.recorder, whole.recorder)
    (tmp_path / "whole/checkpoint-6/dataaudit_0.pt").unlink()
    with pytest.raises(DataError, match=r"without dataaudit_0\.pt"):
        trainer.train(resume_from_checkpoint=str(tmp_path / "whole/checkpoint-6"))
    with pytest.raises(DataError, match=r"of \(version"):
        curriculum_trainer()(
            args=arguments(tmp_path / "new", **every), callbacks=[RecordDynamics(classes=4)], **made
        ).train(resume_from_checkpoint=str(tmp_path / "whole/checkpoint-3"))


def test_a_training_that_ends_within_an_epoch_counts_what_it_saw(tmp_path):
    recording = RecordDynamics()
    trained(tmp_path, callbacks=[recording], max_steps=7)
    dynamics = recording.recorder.dynamics()
    assert dynamics.epochs == 2
    assert sorted(dynamics.seen) == [1] * (N - 16) + [2] * 16


def test_a_second_training_starts_a_new_record(tmp_path):
    recording = RecordDynamics()
    trainer = trained(tmp_path, callbacks=[recording])
    first = recording.recorder
    trainer.train()
    assert recording.recorder is not first
    assert (recording.recorder.epochs, first.epochs) == (2, 2)


def test_a_plain_trainer_with_rows_in_its_batches(tmp_path):
    carried, automatic = RecordDynamics(), RecordDynamics()
    rows = examples().remove_columns("text")
    options = {"remove_unused_columns": False, "label_smoothing_factor": 0.1}
    plain(tmp_path, with_row_index(rows), carry_rows(pad), carried, **options).train()
    trained(tmp_path, callbacks=[automatic], label_smoothing_factor=0.1)
    same_record(carried.recorder, automatic.recorder)


def test_rows_may_count_a_larger_data_set(tmp_path):
    recording = RecordDynamics(n=100)
    rows = examples().remove_columns("text").add_column("row_index", np.arange(N) + 50)
    plain(tmp_path, rows, carry_rows(pad), recording, remove_unused_columns=False).train()
    np.testing.assert_array_equal(recording.recorder.dynamics().seen, [0] * 50 + [2] * N + [0] * 13)


def test_batches_that_do_not_tell_their_rows_are_refused_before_training(tmp_path):
    rows = examples().remove_columns("text")
    numbered = rows.add_column("row_index", np.arange(N))
    keep = {"remove_unused_columns": False}
    with pytest.raises(DataError, match=r"columns.*curriculum_trainer"):
        plain(tmp_path, rows, pad, **keep).train()
    with pytest.raises(DataError, match="remove_unused_columns=True took others away"):
        plain(tmp_path, numbered, pad).train()
    with pytest.raises(DataError, match="from which remove_unused_columns=True takes"):
        plain(tmp_path, with_row_index(rows), carry_rows(pad)).train()
    trainer = plain(tmp_path, numbered, pad, **keep)
    with pytest.raises(DataError, match="batch with attention_mask, input_ids, labels"):
        trainer.train()
    assert trainer.state.global_step == 0
    with pytest.raises(DataError, match="keeps them"):
        plain(
            tmp_path,
            numbered,
            lambda rows: {**pad(rows), "row_index": torch.tensor([row["row_index"] for row in rows])},
            label_smoothing_factor=0.1,
            **keep,
        ).train()
    with pytest.raises(DataError, match="of their own"):
        trained(tmp_path, rows=numbered.rename_column("label", "labels"), callbacks=[RecordDynamics()], **keep)
    with pytest.raises(DataError, match="not begun"):
        dataaudit.score(RecordDynamics())


def test_evaluation_needs_no_rows(tmp_path):
    rows = examples().remove_columns("text")
    trainer = transformers.Trainer(
        model=Narrow(),
        args=arguments(tmp_path, remove_unused_columns=False, num_train_epochs=1, eval_strategy="epoch"),
        train_dataset=with_row_index(rows),
        eval_dataset=rows,
        data_collator=carry_rows(pad),
        callbacks=[RecordDynamics(classes=CLASSES)],
    )
    trainer.evaluate()
    trainer.train()
    assert trainer.evaluate()["eval_loss"] > 0


def test_a_damaged_record_is_told(tmp_path):
    saving = {"save_strategy": "steps", "save_steps": 1, "max_steps": 1}
    trained(tmp_path, callbacks=[RecordDynamics()], **saving)
    path = tmp_path / "checkpoint-1/dataaudit_0.pt"
    whole = path.read_bytes()
    made = {"args": arguments(tmp_path, max_steps=2), "train_dataset": examples(), "data_collator": pad}
    trainer = curriculum_trainer()(model=model(), callbacks=[RecordDynamics()], **made)
    for content in (b"x", whole[: len(whole) // 2], None):
        if content is None:
            torch.save({"other": 1}, path)
        else:
            path.write_bytes(content)
        with pytest.raises(StorageError, match="damaged"):
            trainer.train(resume_from_checkpoint=str(path.parent))


def test_one_recording_a_trainer(tmp_path):
    with pytest.raises(SettingError, match="two RecordDynamics"):
        trained(tmp_path, callbacks=[RecordDynamics(), RecordDynamics()])
    trainer = plain(
        tmp_path,
        with_row_index(examples().remove_columns("text")),
        carry_rows(pad),
        max_steps=1,
        remove_unused_columns=False,
    )
    trainer.add_callback(RecordDynamics())
    with pytest.raises(SettingError, match="two RecordDynamics"):
        trainer.train()
    # A training that was broken off does not keep another from being recorded.
    net = model()
    with pytest.raises(Stopped):
        trained(tmp_path, net=net, callbacks=[RecordDynamics(), StopAt(1, False)])
    again = RecordDynamics()
    trained(tmp_path, net=net, callbacks=[again])
    assert again.recorder.dynamics().seen.tolist() == [2] * N


def test_rows_are_numbered_from_the_beginning():
    rows = with_row_index([("a", 0), ("b", 1)])
    assert rows[-1] == ("b", 1, 1)
    assert rows.__getitems__([-2, np.int64(1)]) == [("a", 0, 0), ("b", 1, 1)]
    assert [row[-1] for row in rows] == [0, 1]
    with pytest.raises(DataError, match="number of one row"):
        rows[0:2]
    with pytest.raises(DataError, match=r"row -3 of 2"):
        rows[-3]
