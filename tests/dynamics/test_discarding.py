"""What a recorder gives up with an epoch, whoever looked at it in between."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dataaudit.dynamics import pending
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataError


@pytest.mark.parametrize("looked_at", [lambda r: None, Recorder.state_dict, Recorder.latest_losses])
def test_a_discarded_epoch_leaves_no_losses(looked_at):
    """Whether or not its batches were worked through before."""
    labels, logits = torch.tensor([0, 1, 1, 0]), torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    recorder, again = Recorder(5, 2), Recorder(5, 2)
    recorder.update(torch.arange(4), logits, labels)
    recorder.end_epoch()
    complete = recorder.latest_losses()
    recorder.update(torch.arange(3), -5 * logits[:3], labels[:3])
    again.load_state_dict(recorder.state_dict())
    looked_at(recorder)
    recorder.discard_epoch()
    np.testing.assert_array_equal(recorder.latest_losses(), complete)
    assert (again.latest_losses()[:3] != complete[:3]).all()
    again.discard_epoch()
    np.testing.assert_array_equal(again.latest_losses(), complete)
    first = Recorder(5, 2)
    first.update(torch.arange(4), logits, labels)
    looked_at(first)
    first.discard_epoch()
    assert np.isnan(first.latest_losses()).all()


def resumed(recorder):
    again = Recorder(recorder.n, recorder.classes)
    again.load_state_dict(recorder.state_dict())
    return again


LOOKS = {
    "nothing": lambda recorder: recorder,
    "labels": lambda recorder: (recorder.labels, recorder)[1],
    "predictions": lambda recorder: (recorder.predictions(), recorder)[1],
    "losses": lambda recorder: (recorder.latest_losses(), recorder)[1],
    "resume": resumed,
}


@given(
    steps=st.lists(st.sampled_from(["update", "update", "evaluate", "end_epoch", "discard_epoch"]), max_size=12),
    looks=st.lists(st.sampled_from(list(LOOKS)), min_size=12, max_size=12),
    block=st.sampled_from([2, 12, 2**18]),
    seed=st.integers(0, 99),
)
def test_who_looks_at_a_recorder_changes_nothing(steps, looks, block, seed):
    """Looked at, resumed from its state, or left alone in between: training batches are discarded, nothing else."""
    labels, observed = np.array([0, 1, 1, 0, 1, 0]), []
    for looked in (looks, ["nothing"] * 12):
        rng, recorder, opened = np.random.default_rng(seed), Recorder(6, 2), False
        with pytest.MonkeyPatch.context() as patch:
            # No option of a recorder: with blocks of their real size each of these steps would take 2**18 logits.
            patch.setattr(pending, "BLOCK_ELEMENTS", block)
            for step, look in zip([*steps, "update", "end_epoch"], [*looked, "nothing", "nothing"], strict=False):
                if step in ("update", "evaluate"):
                    rows = rng.integers(6, size=3)
                    getattr(recorder, step)(rows, rng.normal(size=(3, 2)), labels[rows])
                elif step == "discard_epoch" or opened:
                    getattr(recorder, step)()
                opened = step == "update" or (step == "evaluate" and opened)
                recorder = LOOKS[look](recorder)
        observed.append((recorder.labels, recorder.latest_losses(), recorder.predictions(), recorder.dynamics()))
    for one, other in zip(*observed, strict=True):
        np.testing.assert_equal(
            *(values if isinstance(values, np.ndarray) or values is None else vars(values) for values in (one, other))
        )


@pytest.mark.parametrize("look", list(LOOKS))
@pytest.mark.parametrize("batches", [[([3, 1, 3], [0, 1, 1])], [([3, 1], [0, 1]), ([2, 3], [1, 1])]])
def test_two_labels_of_a_row_are_refused(batches, look):
    """Within a batch, and between the batches of an epoch or of an evaluation."""
    for record, close in ((Recorder.update, Recorder.end_epoch), (Recorder.evaluate, Recorder.predictions)):
        recorder = Recorder(5, 2)
        with pytest.raises(DataError, match=r"label.* row 3\b.* the same label"):  # noqa: PT012
            for rows, labels in batches:
                record(recorder, rows, torch.zeros(len(rows), 2), labels)
                recorder = LOOKS[look](recorder)
            close(recorder)


def test_another_label_after_a_discarded_epoch_is_taken():
    recorder = Recorder(2, 2)
    recorder.update([0], torch.zeros(1, 2), [0])
    _ = recorder.labels
    recorder.discard_epoch()
    recorder.update([0], torch.zeros(1, 2), [1])
    recorder.end_epoch()
    assert recorder.labels.tolist() == [1, -1]
