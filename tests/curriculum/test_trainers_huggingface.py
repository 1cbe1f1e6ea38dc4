"""The transformers Trainer, recorded: the same dynamics as a plain loop's, and none of its own changed."""

import datasets
import numpy as np
import pytest
import torch
import transformers
from torch import nn
from torch.nn import functional

from dataaudit.curriculum.samplers import CurriculumSampler
from dataaudit.curriculum.trainers import RecordDynamics, carry_rows, curriculum_trainer, with_row_index
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataError, ModelError, SettingError

N, CLASSES = 37, 3


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
        assert recording.audit().ranking("mean_margin").shape == (N,)


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


def plain(folder, rows, collator, recording=None, **options):
    return transformers.Trainer(
        model=model(),
        args=arguments(folder, **options),
        train_dataset=rows,
        data_collator=collator,
        callbacks=[RecordDynamics() if recording is None else recording],
    )


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
    with pytest.raises(DataError, match="collator that returns list"):
        trained(tmp_path, collator=list)
    with pytest.raises(DataError, match="not begun"):
        RecordDynamics().audit()
    with pytest.raises(SettingError, match="no numbers"):
        trained(tmp_path, rows=rows.to_iterable_dataset(), max_steps=3)


class Bare(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, CLASSES)

    def forward(self, input_ids, attention_mask, labels=None):
        logits = self.layer(input_ids[:, :1].float())
        return {"loss": functional.cross_entropy(logits, labels), "other": logits}


def test_models_without_logits_or_classes_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"config\.num_labels"):
        trained(tmp_path, net=Bare(), callbacks=[RecordDynamics()])
    with pytest.raises(ModelError, match="without logits"):
        trained(tmp_path, net=Bare(), callbacks=[RecordDynamics(classes=CLASSES)])


def test_equal_loss_weights_change_nothing_and_zeros_leave_out(tmp_path):
    options = {"gradient_accumulation_steps": 2, "label_smoothing_factor": 0.1}
    trained_plainly = weights_of(trained(tmp_path, transformers.Trainer, optim="sgd", **options))
    weighted = weights_of(trained(tmp_path, extra={"loss_weights": np.full(N, 7.0)}, optim="sgd", **options))
    for name, value in weighted.items():
        torch.testing.assert_close(value, trained_plainly[name], rtol=1e-4, atol=1e-6)
    rows, damaged = examples(), examples().to_dict()
    weights = np.ones(N)
    weights[:9] = 0.0
    damaged["label"] = [(label + 1) % CLASSES if row < 9 else label for row, label in enumerate(damaged["label"])]
    both = [
        weights_of(trained(tmp_path, rows=one, extra={"loss_weights": weights}))
        for one in (rows, datasets.Dataset.from_dict(damaged))
    ]
    same_weights(*both)


def test_the_weighted_loss_is_the_formula(tmp_path):
    weights = np.random.default_rng(3).random(N)
    trainer = trained(tmp_path, extra={"loss_weights": weights}, net=model(dropout=0.0))
    net = trainer.model.train()
    index = torch.tensor([4, 0, 30])
    batch = pad([examples()[int(i)] for i in index])
    found = trainer.compute_loss(net, {**batch, "row_index": index, "row_label": batch["labels"]})
    logits = net(**{name: batch[name] for name in TAKEN}).logits.detach().double().numpy()
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = (-np.log(shares[np.arange(3), batch["labels"]]) * weights[index] / weights.mean()).mean()
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_weights_that_do_not_fit_are_refused_before_training(tmp_path):
    for name in ("loss_weights", "sampling"):
        with pytest.raises(DataError, match=r"\(36,\).*\(37,\)"):
            trained(tmp_path, extra={name: np.ones(N - 1)})
        with pytest.raises(DataError, match="row 3"):
            trained(tmp_path, extra={name: np.where(np.arange(N) == 3, np.nan, 1.0)})
        with pytest.raises(DataError, match="all 0"):
            trained(tmp_path, extra={name: np.zeros(N)})
        with pytest.raises(SettingError, match="train_dataset"):
            curriculum_trainer()(model=model(), args=arguments(tmp_path), **{name: np.ones(N)})

    class Own(transformers.Trainer):
        def compute_loss(self, *args, **kwargs):
            return super().compute_loss(*args, **kwargs)

    with pytest.raises(SettingError, match=r"Own\.compute_loss"):
        trained(tmp_path, curriculum_trainer(Own), extra={"loss_weights": np.ones(N)})
    with pytest.raises(SettingError, match="compute_loss_func"):
        trained(tmp_path, extra={"loss_weights": np.ones(N), "compute_loss_func": lambda *_, **__: 0})
    with pytest.raises(SettingError, match="draws batches"):
        trained(tmp_path, extra={"sampling": torch.utils.data.BatchSampler(range(N), 4, False)})
    with pytest.raises(SettingError, match="derived from it"):
        curriculum_trainer(dict)


def test_rows_are_drawn_by_weight(tmp_path):
    weights = np.where(np.arange(N) % 4 == 0, 0.0, 1.0 + np.arange(N))
    recording = RecordDynamics()
    order = Order(recording)
    trained(tmp_path, callbacks=[recording, order], extra={"sampling": weights}, data_seed=9)
    drawn = torch.cat(order.batches).reshape(2, N)
    for epoch, rows in enumerate(drawn):
        sampler = CurriculumSampler(weights, seed=9)
        sampler.set_epoch(epoch)
        assert rows.tolist() == list(sampler)
    seen = recording.recorder.dynamics().seen
    np.testing.assert_array_equal(seen, sum(np.isin(np.arange(N), rows) for rows in drawn.numpy()))
    assert not seen[::4].any()
    own = CurriculumSampler(lambda epoch: np.ones(N), 16, replacement=False)
    second = RecordDynamics()
    trained(tmp_path, callbacks=[second], extra={"sampling": own})
    assert second.recorder.dynamics().seen.sum() == 32
    with pytest.raises(DataError, match=r"\(36,\).*\(37,\)"):
        trained(tmp_path, extra={"sampling": CurriculumSampler(np.ones(N - 1))})
