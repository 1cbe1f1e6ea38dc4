"""Lightning's own Trainer, recorded."""

import warnings

import numpy as np
import pytest
import torch
from lightning import pytorch as pl
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import dataaudit
from dataaudit.curriculum.samplers import CurriculumSampler
from dataaudit.curriculum.trainers import LightningRecordDynamics, with_row_index
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataError, SettingError

N, CLASSES = 37, 3


class Net(pl.LightningModule):
    def __init__(self, returned=("logits", "labels", "row_index")):
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Linear(4, CLASSES)
        self.returned = returned
        self.order = []

    def training_step(self, batch, batch_idx):
        inputs, labels, rows = batch
        self.order.append(rows)
        logits = self.layer(inputs)
        loss = functional.cross_entropy(logits, labels)
        found = {"logits": logits, "labels": labels, "row_index": rows}
        return {"loss": loss, **{name: found[name] for name in self.returned}} if self.returned else loss

    def validation_step(self, batch, batch_idx):
        self.log("val", functional.cross_entropy(self.layer(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), 0.1)


def dataset():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(N) % CLASSES
    inputs = torch.randn(N, 4, generator=generator) + functional.one_hot(labels, 4)
    return TensorDataset(inputs, labels)


class Resumable(DataLoader):
    """Goes on after the batches that it has handed out."""

    handed = skip = 0

    def __iter__(self):
        start, self.skip = self.skip, 0
        for self.handed, batch in enumerate(super().__iter__(), 1):
            if self.handed > start:
                yield batch

    def state_dict(self):
        return {"handed": self.handed}

    def load_state_dict(self, state):
        self.skip = state["handed"]


def fit(folder, net, callbacks, sampler=None, ckpt=None, made=DataLoader, **options):
    silent = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False, "accelerator": "cpu"}
    trainer = pl.Trainer(default_root_dir=folder, **{"max_epochs": 3, "callbacks": callbacks, **silent, **options})
    rows = with_row_index(dataset())
    loader = made(rows, 8, sampler=sampler or CurriculumSampler(np.ones(N), replacement=False))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers")
        trainer.fit(net, loader, DataLoader(dataset(), 8), ckpt_path=ckpt, weights_only=True)
    return trainer


def same_record(found, wanted):
    assert found.epochs == wanted.epochs
    for name, value in vars(wanted.dynamics()).items():
        if value is not None:
            np.testing.assert_array_equal(getattr(found.dynamics(), name), value, err_msg=name)
    np.testing.assert_array_equal(found.labels, wanted.labels)


def test_dynamics_are_those_of_a_plain_loop_on_the_same_order(tmp_path):
    net, recording = Net(), LightningRecordDynamics(N, CLASSES)
    fit(tmp_path, net, [recording], enable_checkpointing=False)
    assert dataaudit.score(recording, progress=False).ranking("mean_margin").shape == (N,)
    plain, recorder = Net(), Recorder(N, CLASSES)
    optimizer, (inputs, labels) = plain.configure_optimizers(), dataset().tensors
    sampler = CurriculumSampler(np.ones(N), replacement=False)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        for index in torch.tensor(list(sampler)).split(8):
            logits = plain.layer(inputs[index])
            functional.cross_entropy(logits, labels[index]).backward()
            optimizer.step()
            optimizer.zero_grad()
            recorder.update(index, logits, labels[index])
        recorder.end_epoch()
    same_record(recording.recorder, recorder)
    assert torch.equal(net.layer.weight, plain.layer.weight)


def test_rows_are_drawn_by_weight(tmp_path):
    weights = np.where(np.arange(N) % 4 == 0, 0.0, 1.0 + np.arange(N))
    net, recording = Net(), LightningRecordDynamics(N, CLASSES)
    fit(tmp_path, net, [recording], CurriculumSampler(weights, seed=9), enable_checkpointing=False)
    drawn = torch.cat(net.order).reshape(3, N)
    sampler = CurriculumSampler(weights, seed=9)
    for epoch, rows in enumerate(drawn):
        sampler.set_epoch(epoch)
        assert rows.tolist() == list(sampler)
    assert not recording.recorder.dynamics().seen[::4].any()


class StopAfter(Callback):
    def __init__(self, epochs):
        self.epochs = epochs

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch + 1 == self.epochs:
            raise KeyboardInterrupt


@pytest.mark.parametrize("when", ["validation", "epoch end"])
def test_interrupted_and_resumed_is_undisturbed(tmp_path, when):
    whole, undisturbed = LightningRecordDynamics(N, CLASSES), Net()
    fit(tmp_path, undisturbed, [whole], enable_checkpointing=False)
    saving = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1, save_on_train_epoch_end=when == "epoch end")
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        fit(tmp_path, Net(), [LightningRecordDynamics(N, CLASSES), saving, StopAfter(3)])
    net, resumed = Net(), LightningRecordDynamics(N, CLASSES)
    fit(tmp_path, net, [resumed], ckpt=tmp_path / "epoch=1.ckpt", enable_checkpointing=False)
    assert torch.equal(net.layer.weight, undisturbed.layer.weight)
    same_record(resumed.recorder, whole.recorder)
    with pytest.raises(DataError, match=r"of \(version"):
        fit(tmp_path, Net(), [LightningRecordDynamics(N + 1, CLASSES)], ckpt=tmp_path / "epoch=1.ckpt")


def test_a_training_that_ends_within_an_epoch_counts_what_it_saw(tmp_path):
    recording = LightningRecordDynamics(N, CLASSES)
    fit(tmp_path, Net(), [recording], max_epochs=-1, max_steps=7, enable_checkpointing=False)
    assert sorted(recording.recorder.dynamics().seen) == [1] * (N - 16) + [2] * 16


def test_what_is_missing_is_told(tmp_path):
    for returned, message in (((), "Tensor|loss"), (("logits", "labels"), "row_index too")):
        with pytest.raises(DataError, match=message):
            fit(tmp_path, Net(returned), [LightningRecordDynamics(N, CLASSES)], enable_checkpointing=False)
    with pytest.raises(DataError, match="not begun"):
        dataaudit.score(LightningRecordDynamics(N, CLASSES))
    with pytest.raises(SettingError, match="classes=1"):
        LightningRecordDynamics(N, 1)


def test_a_checkpoint_within_an_epoch_is_resumed_where_the_loader_can_be(tmp_path):
    # The same in every epoch, so that one that is resumed has it too.
    order = torch.randperm(N, generator=torch.Generator().manual_seed(2)).tolist()
    whole = LightningRecordDynamics(N, CLASSES)
    undisturbed = Net()
    fit(tmp_path, undisturbed, [whole], order, made=Resumable, enable_checkpointing=False)
    saving = ModelCheckpoint(tmp_path, "{step}", save_top_k=-1, every_n_train_steps=1)
    fit(tmp_path, Net(), [LightningRecordDynamics(N, CLASSES), saving], order, made=Resumable, max_epochs=1)
    assert (tmp_path / "step=3.ckpt").exists()
    resumed, net = LightningRecordDynamics(N, CLASSES), Net()
    options = {"ckpt": tmp_path / "step=3.ckpt", "enable_checkpointing": False}
    fit(tmp_path, net, [resumed], order, made=Resumable, **options)
    same_record(resumed.recorder, whole.recorder)
    assert torch.equal(net.layer.weight, undisturbed.layer.weight)
    saving = ModelCheckpoint(tmp_path / "plain", "{step}", save_top_k=-1, every_n_train_steps=1)
    fit(tmp_path, Net(), [LightningRecordDynamics(N, CLASSES), saving], order, max_epochs=1)
    refused, options["ckpt"] = Net(), tmp_path / "plain/step=3.ckpt"
    for loader in (DataLoader, Resumable):
        with pytest.raises(DataError, match=r"begins the epoch anew.*StatefulDataLoader"):
            fit(tmp_path, refused, [LightningRecordDynamics(N, CLASSES)], order, made=loader, **options)
    assert not refused.order
    # After the last batch nothing is left of the epoch.
    options["ckpt"], net, resumed = tmp_path / "plain/step=5.ckpt", Net(), LightningRecordDynamics(N, CLASSES)
    fit(tmp_path, net, [resumed], order, **options)
    same_record(resumed.recorder, whole.recorder)


def test_steps_without_a_record_are_not_taken_for_a_beginning(tmp_path):
    fit(tmp_path, Net(), [ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)])
    net = Net()
    with pytest.raises(DataError, match="10 steps behind it"):
        fit(tmp_path, net, [LightningRecordDynamics(N, CLASSES)], ckpt=tmp_path / "epoch=1.ckpt")
    assert not net.order


@pytest.mark.parametrize("growing", [True, False])
def test_epochs_of_another_length_are_refused(tmp_path, growing):
    def weights(epoch):
        return np.arange(N) < 10 * (epoch + 1 if growing else 3 - epoch)

    for sampler in (CurriculumSampler(weights, replacement=False), None):
        recording = LightningRecordDynamics(N, CLASSES)
        if sampler is None:
            fit(tmp_path, Net(), [recording], CurriculumSampler(weights), enable_checkpointing=False)
            assert recording.recorder.epochs == 3
        else:
            with pytest.raises(DataError, match=r"of 20 rows in epoch 1, after (10|30)"):
                fit(tmp_path, Net(), [recording], sampler, enable_checkpointing=False)


@pytest.mark.parametrize("skipped", [1, 4])
def test_a_step_that_returns_none_is_skipped(tmp_path, skipped):
    class Skipping(Net):
        def training_step(self, batch, batch_idx):
            returned = super().training_step(batch, batch_idx)
            return None if batch_idx == skipped else returned

    recording, net = LightningRecordDynamics(N, CLASSES), Skipping()
    fit(tmp_path, net, [recording], list(range(N)), enable_checkpointing=False)
    seen = recording.recorder.dynamics().seen
    np.testing.assert_array_equal(seen, np.where(np.arange(N) // 8 == skipped, 0, 3))


def test_rows_are_drawn_by_the_losses_of_the_training_under_way(tmp_path):
    first = LightningRecordDynamics(N, CLASSES)
    fit(tmp_path, Net(), [first], enable_checkpointing=False)
    audit, recording, net = dataaudit.score(first, progress=False), LightningRecordDynamics(N, CLASSES), Net()
    losses = {}

    def weights(epoch):
        losses[epoch] = recording.latest_losses()
        return audit.weights(dataaudit.SmallLoss(recording, forget=0.25, gradual=1), epoch, 3)

    fit(tmp_path, net, [recording], CurriculumSampler(weights), enable_checkpointing=False)
    for epoch in (1, 2):
        known = np.flatnonzero(~np.isnan(losses[epoch]))
        largest = known[np.argsort(losses[epoch][known])[-(len(known) // 4) :]]
        drawn = torch.cat(net.order[5 * epoch : 5 * epoch + 5]).numpy()
        assert len(largest)
        assert not np.isin(largest, drawn).any()
