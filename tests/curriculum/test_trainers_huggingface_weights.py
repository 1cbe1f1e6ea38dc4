"""The transformers Trainer by weight: of rows in the loss, and in what is drawn."""

import datasets
import numpy as np
import pytest
import torch
import transformers

import dataaudit
from dataaudit.curriculum.samplers import CurriculumSampler, DistributedCurriculumSampler
from dataaudit.curriculum.trainers import RecordDynamics, curriculum_trainer
from dataaudit.errors import DataError, SettingError
from tests.curriculum.tiny_trainer import (
    CLASSES,
    TAKEN,
    N,
    Narrow,
    Order,
    StopAt,
    arguments,
    examples,
    model,
    pad,
    same_weights,
    trained,
    weights_of,
)


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
    with pytest.raises(SettingError, match="compute_loss_func"):
        trained(tmp_path, extra={"loss_weights": np.ones(N), "compute_loss_func": lambda *_, **__: 0})
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
