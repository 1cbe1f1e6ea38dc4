"""The line of a page that says how many labels are wrong, beside what Python says of the same decisions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import dataaudit

LOOKS = 90


@pytest.fixture(scope="module")
def audits(noisy):
    """Two audits of the same labels, whose probabilities say much and nothing."""
    inputs, labels, wrong = noisy
    names = np.array(["ant", "bee", "cow"])[labels]
    audit = dataaudit.score(None, (inputs, names), progress=False)
    rng = np.random.default_rng(0)
    much = np.where(wrong, 0.4, 0.05) + rng.random(300) / 4
    return [
        replace(audit, label_errors=replace(audit.label_errors, probability=probability))
        for probability in (much, rng.random(300) ** 4)
    ]


def verdicts(name, queue, wrong):
    """Words for the rows of a queue."""
    rng = np.random.default_rng(1)
    truly = np.where(wrong[queue["row"]], "remove", "keep")
    return {
        "true": truly,
        "some are skipped": np.where(rng.random(LOOKS) < 0.8, truly, np.where(rng.random(LOOKS) < 0.5, "", "unsure")),
        "anything": rng.choice(["keep", "remove", "unsure"], LOOKS, p=[0.4, 0.55, 0.05]),
        "the beginning": np.where(np.arange(LOOKS) < 8, truly, ""),
        "all are right": np.full(LOOKS, "keep"),
        "wrong first": np.where(np.arange(LOOKS) < 30, "remove", "keep"),
    }[name]


@pytest.mark.parametrize(("number", "purpose"), [(0, "both"), (1, "estimate")])
def test_the_page_knows_the_bounds_that_python_knows(audits, noisy, opened_page, downloads, number, purpose):
    audit, wrong = audits[number], noisy[2]
    queue = audit.review(LOOKS, purpose).table
    others = np.setdiff1d(audit.rows, queue["row"])[:12]
    both = pd.concat([queue, pd.DataFrame({"row": others})], ignore_index=True)
    browsed = opened_page(audit, rows=both)
    widths = []
    for name in ("true", "some are skipped", "anything", "the beginning", "all are right", "wrong first"):
        words = dict(
            zip(both["row"].tolist(), [*verdicts(name, queue, wrong), *["keep", "remove", ""] * 4], strict=True)
        )
        browsed.decide(words)
        path, _, _ = browsed.download(downloads)
        after = audit.reviewed(path)
        record, rate = after.settings["review"], after.noise_rate()
        line = browsed.one(".progress")
        browsed.bound()
        assert (line.get_attribute("data-lower"), line.get_attribute("data-upper")) == (
            str(record["lower"]),
            str(record["upper"]),
        )
        decided = sum(word != "" for word in words.values())
        assert line.text == f"{decided} of 102 looked at; {100 * rate.lower:.1f} to {100 * rate.upper:.1f} % wrong"
        widths.append(rate.upper - rate.lower)
    assert len(set(widths)) == 6
    assert not browsed.complaints()


def test_rows_that_were_chosen_say_nothing_and_a_queue_without_draws_gives_no_bound(audits, opened_page):
    audit = audits[0]
    queue = audit.review(20, "estimate").table
    others = np.setdiff1d(audit.rows, queue["row"])[:1]
    browsed = opened_page(audit, rows=pd.concat([queue, pd.DataFrame({"row": others})], ignore_index=True))
    browsed.press("k")
    one = browsed.bound()
    assert one.startswith("1 of 21 looked at; ")
    browsed.press("\ue010", "k")
    assert browsed.bound() == one.replace("1", "2", 1)
    browsed.press("z", "z")
    assert browsed.bound() == "0 of 21 looked at"
    # Of a queue that goes on elsewhere, one in any order of its own, and one of the likeliest alone.
    later = audit.review(5, after=queue).table
    for rows, why in (
        (later, "first places"),
        (queue.assign(chance=0.5), "chances"),
        (audit.review(5, "find").table, "drawn"),
    ):
        browsed = opened_page(audit, rows=rows)
        browsed.press("k")
        assert browsed.text(".progress").endswith("looked at")
        assert why in browsed.text("#review > p")
