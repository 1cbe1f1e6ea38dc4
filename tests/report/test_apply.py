"""A file that a page wrote, applied: the data set is as it was decided."""

import numpy as np
import pandas as pd
import pytest

import dataaudit

NAMES = np.array(["ant", "bee", "cow"])[np.arange(12) % 3]
WORDS = ("one two", "three four", "five six", "seven eight")


def images():
    return np.random.default_rng(0).integers(256, size=(12, 1, 8, 8), dtype=np.uint8), NAMES


def texts():
    return [f"{WORDS[at % 4]} <b>{at}</b>" for at in range(12)], NAMES.tolist()


def table():
    return pd.DataFrame({"length": np.arange(12.0), "colour": ["red", "blue"] * 6, "label": NAMES})


@pytest.mark.parametrize("made", [images, texts, table])
def test_decisions_that_were_taken_home_correct_the_data_set(made, opened_page, downloads):
    data = made()
    audit = dataaudit.score(None, data, "parzen/input", progress=False)
    browsed = opened_page(audit, rows=[3, 1, 7, 10, 5])
    # Row 3 is a bee, row 1 goes, row 7 stays; 10 was to go, and is undone; 5 is an ant, once and for all.
    browsed.press("1", "r", "k", "r", "z", "\ue015", "2", "z", "0")
    assert browsed.progress() == "4 of 5 looked at: 2 relabelled, 1 kept, 1 removed"
    browsed.driver.refresh()
    path, _, _ = browsed.download(downloads)
    assert not browsed.complaints()
    assert not browsed.requested()
    corrected, log = audit.apply(path)
    expected = NAMES.copy()
    expected[[3, 5]] = ["bee", "ant"]
    expected = np.delete(expected, 1)
    kept = np.delete(np.arange(12), 1)
    if made is table:
        pd.testing.assert_frame_equal(corrected, data.assign(label=np.insert(expected, 1, "")).iloc[kept])
    else:
        inputs, labels = corrected
        assert list(labels) == expected.tolist()
        assert all(np.array_equal(inputs[new], data[0][old]) for new, old in enumerate(kept))
    assert log[["row", "decision", "label"]].to_numpy().tolist() == [
        [1, "remove", ""],
        [3, "relabel", "bee"],
        [5, "relabel", "ant"],
    ]
