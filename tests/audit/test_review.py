"""Reviewing an audit: queues, decisions applied to the data set, and what they say about the other labels."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dataaudit
from dataaudit import Decisions
from dataaudit.errors import DataAuditError, DataError, ModelError

N = 240
NAMES = np.array(["ant", "bee", "cow"])


def frame():
    """Points in three heaps, one label in eight wrong, in a shuffled table whose rows have names of their own."""
    rng = np.random.default_rng(0)
    truth = np.arange(N) % 3
    labels = truth.copy()
    wrong = rng.choice(N, N // 8, replace=False)
    labels[wrong] = (labels[wrong] + 1) % 3
    made = pd.DataFrame(rng.normal(size=(N, 2)) + 3.0 * np.eye(3)[truth][:, :2], columns=["x", "z"])
    made = made.assign(label=NAMES[labels], truth=NAMES[truth], note="kept")
    return made.set_axis(pd.Index([f"r{row}" for row in range(N)], name="name")).iloc[rng.permutation(N)]


@pytest.fixture(scope="module")
def table():
    return frame()


@pytest.fixture(scope="module")
def audit(table):
    return dataaudit.score(None, table, "consensus", label="label", inputs=["x", "z"], progress=False)


def decided(queue, table, words=None, reviewer="ann"):
    """The queue as somebody decides who knows the truth; `words` name the decisions of some of its rows otherwise."""
    made = queue.table.copy()
    given, truth = (table[name].to_numpy()[made["row"]] for name in ("label", "truth"))
    made["decision"] = np.where(given == truth, "keep", "relabel")
    made["label"], made["reviewer"] = np.where(given == truth, "", truth), reviewer
    for at, word in (words or {}).items():
        made.loc[at, ["decision", "label"]] = word, ""
    return Decisions.of(made, queue.fingerprint, queue.class_names)


def test_a_queue_names_rows_and_is_continued(audit, table):
    whole = audit.review(60, seed=3)
    assert len(whole) == 60
    assert whole.decided == 0
    named = whole.table.set_index("row")
    assert named["key"].tolist() == table.index[named.index].tolist()
    assert named["given"].tolist() == table["label"].iloc[named.index].tolist()
    assert not named.index.duplicated().any()
    first = audit.review(25, seed=3)
    rest = audit.review(35, seed=3, after=first)
    pd.testing.assert_frame_equal(pd.concat([first.table, rest.table], ignore_index=True), whole.table)
    likeliest = audit.review(1000, "find").table
    assert likeliest["row"].tolist()[:20] == audit.mislabeled(count=20)["row"].tolist()
    assert set(likeliest["chance"]) == {1.0}
    assert sorted(likeliest["row"]) == list(range(N))
    assert (audit.review(30, "estimate").table["chance"] < 1).all()


def test_the_rate_is_what_the_decisions_show(audit, table, tmp_path):
    true = float((table["label"] != table["truth"]).mean())
    queue = audit.review(80)
    done = decided(queue, table)
    reviewed = audit.reviewed(done.write(tmp_path / "decisions.jsonl"))
    rate = reviewed.noise_rate()
    assert rate.lower <= true <= rate.upper
    assert rate.upper - rate.lower < 0.2
    assert (rate.looked, rate.drawn) == (80, 40)
    probability = reviewed.error_probability()
    said = done.table["decision"] == "relabel"
    assert probability[done.table["row"]].tolist() == said.astype(float).tolist()
    assert probability.sum() == pytest.approx(rate.rate * N, rel=1e-6)
    confirmed = reviewed.mislabeled().set_index("row")
    assert confirmed.loc[done.table.loc[said, "row"], "suggested"].tolist() == done.table.loc[said, "label"].tolist()
    assert not set(confirmed.index) & set(done.table.loc[~said, "row"])
    left = reviewed.remaining()
    assert left.found == said.sum()
    assert left.at_most >= true * N - left.found
    assert left.looked == 80
    assert not left.enough
    loaded = dataaudit.Audit.load(reviewed.save(tmp_path / "audit"))
    assert loaded.remaining() == left
    assert repr(loaded.noise_rate()) == repr(rate)


def test_decisions_in_a_csv_file_are_those_of_the_queue(audit, table, tmp_path):
    done = decided(audit.review(40), table)
    done.table.to_csv(tmp_path / "d.csv", index=False)
    assert audit.reviewed(tmp_path / "d.csv").settings["review"] == audit.reviewed(done).settings["review"]
    pd.testing.assert_frame_equal(audit.apply(tmp_path / "d.csv").log, audit.apply(done).log)
    other = done.table.assign(key=[f"{key}0" for key in done.table["key"]])
    other.to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(DataError, match=r"the key .* as the data set calls it"):
        audit.apply(tmp_path / "other.csv")


def test_a_row_to_be_relabelled_without_a_label_gets_the_one_that_the_audit_suggests(audit, tmp_path):
    flagged = audit.mislabeled(count=3)
    bare = flagged[["row"]].assign(decision="relabel")
    bare.to_csv(tmp_path / "d.csv", index=False)
    for way in (bare, tmp_path / "d.csv", bare.assign(label=[None, "", pd.NA], suggested="")):
        log = audit.apply(way).log.set_index("row")
        assert log.loc[flagged["row"], "label"].tolist() == flagged["suggested"].tolist()
    own = next(name for name in audit.class_names if name not in flagged.loc[0, ["given", "suggested"]].tolist())
    said = audit.apply(bare.assign(suggested=[own, "", ""])).log.set_index("row").loc[flagged["row"], "label"]
    assert said.tolist() == [own, *flagged["suggested"][1:]]
    none = int(audit.ranking()[-1])
    assert audit._suggested()[none] == audit.labels[none]
    with pytest.raises(DataError, match="to be labelled anew, without a label"):
        audit.apply(pd.DataFrame({"row": [none], "decision": ["relabel"]}))


def test_a_bound_says_that_it_is_no_count_and_what_narrows_it(audit, table):
    bound = "upper bound and no count: {} looks cannot rule out so many"
    few = audit.reviewed(decided(audit.review(10), table)).remaining()
    assert few.at_most > 0.5 * N > 2 * few.left
    lines = repr(few).splitlines()
    assert lines[1].startswith(f"at most {few.at_most} errors ({few.at_most / N:.2%}) are left")
    assert lines[2].endswith(bound.format(10))
    assert "more looks narrow it, by rows drawn at random: purpose 'estimate'" in lines[3]
    assert (audit.review(20, "estimate").table["chance"] < 1).all()
    for way in ("both", "estimate"):
        assert audit.reviewed(decided(audit.review(60, way), table)).remaining().at_most < few.at_most / 2
    enough = audit.reviewed(decided(audit.review(N, "estimate"), table)).remaining()
    found = audit.reviewed(decided(audit.review(10, "find"), table)).remaining()
    for left in (enough, found):
        assert "upper bound" not in repr(left)


def test_all_looked_at_is_all_known(audit, table):
    true = int((table["label"] != table["truth"]).sum())
    reviewed = audit.reviewed(decided(audit.review(N, "estimate"), table))
    rate = reviewed.noise_rate()
    assert rate.lower == rate.rate == rate.upper == true / N
    left = reviewed.remaining(until=0.001)
    assert (left.at_most, left.enough, left.further, left.next_found) == (0, True, 0, 0.0)


def test_what_is_to_be_looked_at_ends_with_the_data(audit, table):
    left = audit.reviewed(decided(audit.review(60), table)).remaining(until=0.001)
    # All others at most: rows that were looked at have no error left.
    assert not left.enough
    assert 0 < left.further <= N - 60


def test_rows_that_the_reviewer_chose_are_decided_and_say_nothing_of_others(audit, table):
    done = decided(audit.review(60), table)
    alone = audit.reviewed(done)
    others = np.setdiff1d(np.arange(N), done.table["row"])
    wrong = others[(table["label"] != table["truth"]).to_numpy()[others]][:5]
    chosen = Decisions.of(pd.DataFrame({"row": wrong, "decision": "remove"}), done.fingerprint, done.class_names)
    both = audit.reviewed(done.merge(chosen))
    assert both.noise_rate().upper == alone.noise_rate().upper
    assert both.remaining().at_most == alone.remaining().at_most - len(wrong)
    assert (both.error_probability()[wrong] == 1).all()
    only = audit.reviewed(chosen)
    assert only.settings["notes"][-1].startswith("no row was drawn")
    assert only.remaining().at_most == N - len(wrong)
    assert "not known" in repr(only.remaining())


def test_rows_that_were_skipped_may_be_anything(audit, table):
    queue = audit.review(60)
    whole = audit.reviewed(decided(queue, table)).settings["review"]
    for word in ("", "unsure"):
        part = audit.reviewed(decided(queue, table, {5: word, 17: word, 40: word})).settings["review"]
        assert part["lower"] <= whole["lower"]
        assert part["upper"] >= whole["upper"]
        assert part["skipped"] == 3
    stopped = audit.reviewed(decided(queue, table, dict.fromkeys(range(40, 60), "")))
    assert stopped.settings["review"]["skipped"] == 0
    assert stopped.remaining().looked == 40


@settings(max_examples=15, deadline=None)
@given(st.dictionaries(st.integers(0, N - 1), st.sampled_from(["", "keep", "relabel", "remove", "unsure"])))
def test_a_data_set_becomes_what_was_decided(table, audit, words):
    rows = list(words)
    labels = table["label"].to_numpy()
    other = {name: NAMES[(number + 1) % 3] for number, name in enumerate(NAMES)}
    given_labels = [other[labels[row]] if words[row] == "relabel" else "" for row in rows]
    decisions = pd.DataFrame({"row": rows, "decision": list(words.values()), "label": given_labels})
    made, log = audit.apply(decisions)
    expected = table.copy()
    moved = [row for row in rows if words[row] == "relabel"]
    expected.iloc[moved, expected.columns.get_loc("label")] = [other[labels[row]] for row in moved]
    gone = [row for row in rows if words[row] == "remove"]
    pd.testing.assert_frame_equal(made, expected.drop(index=table.index[gone]))
    assert log["row"].tolist() == sorted([*moved, *gone])
    assert log["name"].tolist() == table.index[log["row"]].tolist()
    assert log["given"].tolist() == labels[log["row"]].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": ["a", "b"]}, "the key .* of row"),
        ({"place": 7}, "without place 2"),
    ],
)
def test_decisions_about_other_things_are_refused(audit, table, change, message):
    done = decided(audit.review(5), table).table
    done.loc[1, ["decision", "label"]] = "keep", ""
    for name, value in change.items():
        done.at[1, name] = value
    with pytest.raises(DataError, match=message):
        audit.reviewed(done)


def test_another_data_set_and_a_shuffled_column_are_refused(audit, table):
    queue = audit.review(5)
    for other in ({"fingerprint": "0" * 32}, {"fingerprint": None}):
        with pytest.raises(DataError, match="fingerprint"):
            audit.apply(Decisions.of(queue.table, class_names=queue.class_names, **other))
    flagged = audit.mislabeled(count=4).assign(decision="relabel")
    assert len(audit.apply(flagged).log) == 4
    flagged["name"] = flagged["name"].to_numpy()[::-1]
    with pytest.raises(DataError, match="other names in 'name'"):
        audit.apply(flagged)
    changed = table.assign(x=table["x"] + 1)
    with pytest.raises(DataError, match="fingerprint"):
        audit.apply(queue, changed)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda audit: audit.review(0), "budget=0"),
        (lambda audit: audit.review(purpose="look"), "purpose='look'"),
        (lambda audit: audit.review(seed=-1), "seed=-1"),
        (lambda audit: audit.remaining(), "nobody reviewed"),
        (lambda audit: audit.reviewed({"row": 1}), "type dict"),
        (lambda audit: audit.reviewed(audit.review(4)).remaining(until=0), "until=0"),
        (lambda audit: audit.reviewed(audit.review(4)).reviewed(audit.review(4)), "reviewed already"),
        (lambda audit: audit.reviewed(audit.review(4)).review(4), "reviewed already"),
    ],
)
def test_what_cannot_be_asked_is_refused(audit, ask, message):
    with pytest.raises(DataAuditError, match=message):
        ask(audit)


def test_an_audit_that_says_nothing_of_classes_can_be_applied_to_but_not_reviewed(table):
    audit = dataaudit.score(None, table, "density/input", label="label", inputs=["x", "z"], progress=False)
    with pytest.raises(ModelError, match="nothing about other classes"):
        audit.review()
    with pytest.raises(ModelError, match="nothing about other classes"):
        audit.clean()
    assert len(audit.apply(pd.DataFrame({"row": [1], "decision": ["remove"]})).dataset) == N - 1


def test_a_queue_is_shown_as_a_page_that_knows_its_places(audit, tmp_path):
    queue = audit.review(7)
    text = audit.report(tmp_path / "queue.html", rows=queue).read_text("utf-8")
    shown = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])
    cards = [(card[0], card[4], card[7], card[8]) for card in shown["cards"]]
    columns = ["row", "key", "place", "chance"]
    assert cards == list(queue.table[columns].itertuples(index=False, name=None))
    header = {"format": "dataaudit decisions", "version": 1, "class_names": NAMES.tolist()}
    assert shown["about"]["header"] == {**header, "fingerprint": audit.settings["fingerprint"]}
