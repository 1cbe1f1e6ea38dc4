"""The transformers Trainer, recorded: the same dynamics as a plain loop's, and none of its own changed."""

from functools import cache

import datasets
import numpy as np
import pytest
import torch
import transformers
from torch import nn
from torch.nn import functional

import dataaudit
from dataaudit.curriculum.samplers import CurriculumSampler, DistributedCurriculumSampler
from dataaudit.curriculum.trainers import RecordDynamics, carry_rows, curriculum_trainer, with_row_index
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataError, ModelError, SettingError, StorageError

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
        dataaudit.score(RecordDynamics())
    with pytest.raises(SettingError, match="no numbers"):
        trained(tmp_path, rows=rows.to_iterable_dataset(), max_steps=3)


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


@pytest.mark.parametrize("accumulated", [1, 2, 5])
@pytest.mark.parametrize(
    ("kind", "smoothing"), [("adds up means", 0.0), ("adds up means", 0.1), ("does not know of updates", 0.0)]
)
def test_equal_loss_weights_change_nothing(tmp_path, smoothing, accumulated, kind):
    def net():
        torch.manual_seed(1)
        return model(dropout=0.0) if kind == "adds up means" else Narrow()

    # Neither clipping nor an adaptive optimizer hides the scale of the gradient.
    options = {"gradient_accumulation_steps": accumulated, "label_smoothing_factor": smoothing, "optim": "sgd"}
    options |= {"max_grad_norm": 0.0, "lr_scheduler_type": "constant", "num_train_epochs": 1}
    start = net().state_dict()
    plainly = weights_of(
        trained(tmp_path, transformers.Trainer, net=net(), rows=examples().remove_columns("text"), **options)
    )
    weighted = weights_of(trained(tmp_path, net=net(), extra={"loss_weights": np.full(N, 7.0)}, **options))
    for name, value in weighted.items():
        torch.testing.assert_close(value - start[name], plainly[name] - start[name], rtol=1e-3, atol=1e-6)


def test_a_loss_of_zero_weight_leaves_out(tmp_path):
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
    with pytest.raises(ModelError, match="Narrow whose loss is not the cross-entropy"):
        trained(tmp_path, net=Narrow(1.5), extra={"loss_weights": np.ones(N)})
    for name in ("loss_weights", "sampling"):
        for strategy in ("suspects", dataaudit.strategies.DownweightSuspects(), dataaudit.SmallLoss):
            with pytest.raises(SettingError, match=r"audit\.schedule"):
                trained(tmp_path, extra={name: strategy})
        with pytest.raises(DataError, match="no array of numbers"):
            trained(tmp_path, extra={name: [[1.0], [1.0, 2.0]]})
    for sampler in (
        DistributedCurriculumSampler(np.ones(N), num_replicas=2, rank=0),
        torch.utils.data.DistributedSampler(range(N), num_replicas=2, rank=0),
    ):
        with pytest.raises(SettingError, match="the part of one process"):
            trained(tmp_path, extra={"sampling": sampler})
    for sampler in (torch.utils.data.RandomSampler(range(60)), torch.utils.data.SubsetRandomSampler([3, 59])):
        with pytest.raises(DataError, match="from 60 rows"):
            trained(tmp_path, extra={"sampling": sampler})
    with pytest.raises(SettingError, match="derived from it"):
        curriculum_trainer([])
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


@pytest.mark.parametrize("kind", ["SmallLoss", "SelfPaced"])
def test_losses_of_the_training_under_way_weigh_its_loss(tmp_path, kind):
    first = RecordDynamics()
    trained(tmp_path / "first", callbacks=[first])
    audit, saving = dataaudit.score(first, progress=False), {"save_strategy": "steps", "save_steps": 1000}

    def weighing():
        recording, asked, losses = RecordDynamics(), {}, {}
        assert recording.epochs == 0
        made = {
            "SmallLoss": lambda: dataaudit.SmallLoss(recording, forget=0.25, gradual=1),
            "SelfPaced": lambda: dataaudit.SelfPaced(recording, start=0.5, full=1.0),
        }[kind]()

        def weights(epoch):
            losses[epoch] = recording.latest_losses()
            asked[epoch] = audit.weights(made, epoch, 4)
            return asked[epoch]

        return recording, weights, asked, losses

    recording, weights, asked, losses = weighing()
    options = {"callbacks": [recording], "extra": {"loss_weights": weights}, "num_train_epochs": 3}
    whole = trained(tmp_path / "whole", **options)
    assert (asked[0] == 1).all()
    for epoch in (1, 2):
        kept = asked[epoch] > 0
        assert 0 < kept.sum() < N
        assert losses[epoch][kept].max() <= losses[epoch][~kept].min()
    assert (losses[1] != losses[2]).all()
    np.testing.assert_array_equal(recording.latest_losses(), recording.recorder.latest_losses())

    # Broken off within the second epoch, whose weights are those that it began with.
    recording, weights, _, _ = weighing()
    options = {"callbacks": [recording, StopAt(7, True)], "extra": {"loss_weights": weights}, "num_train_epochs": 3}
    trained(tmp_path / "broken", **options, **saving)
    recording, weights, again, _ = weighing()
    trainer = curriculum_trainer()(
        model=model(),
        args=arguments(tmp_path / "broken", num_train_epochs=3, **saving),
        train_dataset=examples(),
        data_collator=pad,
        callbacks=[recording],
        loss_weights=weights,
    )
    trainer.train(resume_from_checkpoint=True)
    np.testing.assert_array_equal(again[1], asked[1])
    same_weights(weights_of(whole), weights_of(trainer))


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
    mixed = [rows[0], with_row_index(rows)[1]]
    with pytest.raises(DataError, match="a row with the keys"):
        carry_rows(pad)(mixed)


@pytest.mark.parametrize("growing", [True, False])
def test_epochs_of_another_length_are_refused(tmp_path, growing):
    def weights(epoch):
        return np.arange(N) < 10 * (epoch + 1 if growing else 3 - epoch)

    with pytest.raises(DataError, match=r"of 20 rows in epoch 1, after (10|30).*num_samples="):
        trained(tmp_path, extra={"sampling": CurriculumSampler(weights, replacement=False)})
    assert trained(tmp_path, extra={"sampling": CurriculumSampler(weights)}).state.global_step == 10


def test_another_data_set_in_place_of_the_weighted_one_is_refused(tmp_path):
    for name in ("loss_weights", "sampling"):
        trainer = trained(tmp_path, extra={name: 1.0 + np.arange(N)}, max_steps=1)
        trainer.train_dataset = examples(20)
        with pytest.raises(DataError, match=r"of 20 rows.*37 rows"):
            trainer.train()


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
