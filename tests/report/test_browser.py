"""The page in a browser: what a person sees, presses and takes home."""

from contextlib import contextmanager

import numpy as np
import pytest

from dataaudit.report.page import Table
from dataaudit.report.review import Card

ENTER, TAB, ESCAPE, DOWN, END = "\ue007", "\ue004", "\ue00c", "\ue015", "\ue010"

HOSTILE = (
    "<script>document.title='run'</script>",
    "</script><img src=x onerror=\"document.title='run'\">",
    "\"'`${document.title='run'}{{ 7 * 7 }}{% raw %}",
    "\u202eturned round\u202c \x00 \u2028 <!-- ",
    "long " * 20000,
    "\ud800 alone",
    "👩‍👩‍👧 ok",
)


def cards_of(count, classes):
    pixels = np.random.default_rng(0).integers(256, size=(8, 8), dtype=np.uint8)
    shown = [pixels, "a text", {"length": 1.5, "colour": "red"}]
    return [
        Card(
            row=10 * at,
            given=at % classes,
            suggested=(at + 1) % classes if at % 4 else -1,
            score=float(at),
            key=f"file-{at}.png",
            probability=1 - at / count,
            reason=f"reason {at}",
            place=at + 1 if at < 5 else None,
            chance=0.125 if at < 5 else None,
            shown=shown[at % 3],
            confidence=np.linspace(0, 1, 4),
            scores=(-float(at), np.nan if at % 2 else 0.5),
            alike=([(7, shown[at % 3])], [(8, shown[at % 3]), (9, shown[at % 3])]) if at < 6 else (),
        )
        for at in range(count)
    ]


def test_a_review_by_keys_is_undone_kept_filtered_and_taken_home(page, downloads):
    browsed = page(cards_of(40, 3), ["ant", "bee", "cow"])
    assert browsed.progress() == "0 of 40 looked at"
    # Row 0 has no suggestion: Enter keeps its label. Row 10 gets its suggestion, row 20 another label, row 30 its own.
    browsed.press(ENTER)
    browsed.press(ENTER, "1", "0")
    browsed.press("r", "u", "k")
    assert browsed.progress() == "7 of 40 looked at: 2 relabelled, 3 kept, 1 removed, 1 unsure"
    browsed.press("z", "z")
    assert browsed.progress() == "5 of 40 looked at: 2 relabelled, 2 kept, 1 removed"
    browsed.press("Z")
    browsed.press("z")
    assert "#50" in browsed.text(".example h3")
    browsed.select("decision", "open")
    assert browsed.text(".steps span") == "1 of 35"
    browsed.select("decision", "")
    browsed.type("input[type=search]", "file-39")
    browsed.until(lambda: browsed.text(".steps span") == "1 of 1")
    browsed.press(ESCAPE)
    browsed.press("r")
    browsed.type("input[type=text]", "Ada")
    browsed.press(TAB)

    browsed.driver.refresh()
    assert browsed.progress() == "6 of 40 looked at: 2 relabelled, 2 kept, 2 removed"
    assert "#50" in browsed.text(".example h3")
    _, header, rows = browsed.download(downloads)
    assert header == {
        "format": "dataaudit decisions",
        "version": 1,
        "fingerprint": "f",
        "class_names": ["ant", "bee", "cow"],
    }
    said = [(row["row"], row["decision"], row["label"]) for row in rows]
    assert said == [
        *((0, "keep", ""), (10, "relabel", "cow"), (20, "relabel", "bee"), (30, "keep", "")),
        *((40, "remove", ""), (390, "remove", "")),
    ]
    assert all(row["reviewer"] == "Ada" and row["time"] and row["seconds"] >= 0 for row in rows)
    assert (rows[1]["place"], rows[1]["chance"], rows[-1]["place"], rows[-1]["chance"]) == (2, 0.125, None, None)
    assert (rows[1]["key"], rows[1]["given"], rows[1]["suggested"]) == ("file-1.png", "bee", "cow")
    assert not browsed.complaints()
    assert not browsed.requested()


def test_a_queue_is_taken_home_with_the_places_that_were_passed_over(page, downloads):
    browsed = page(cards_of(9, 3), ["ant", "bee", "cow"])
    browsed.press(DOWN, DOWN, "u")
    _, _, rows = browsed.download(downloads)
    assert [(row["place"], row["decision"]) for row in rows] == [(1, ""), (2, ""), (3, "unsure"), (4, ""), (5, "")]


def test_pairs_are_filtered_and_decided_at_once(page, downloads):
    browsed = page(cards_of(60, 3), ["ant", "bee", "cow"])
    browsed.select("pair of given and suggested label", "0,1")
    count = browsed.listed()
    browsed.one(".bar button:nth-of-type(3)").click()
    browsed.one("dialog[open] .verdicts button").click()
    assert browsed.progress() == f"{count} of 60 looked at: {count} relabelled"
    _, _, rows = browsed.download(downloads)
    assert {(row["given"], row["label"]) for row in rows if row["decision"]} == {("ant", "bee")}
    browsed.press("z")
    assert browsed.progress() == "0 of 60 looked at"


def test_values_are_filtered_by_their_range_and_nearest_examples_stand_beside(page):
    browsed = page(cards_of(40, 3), ["ant", "bee", "cow"], scores=("margin", "entropy"), alike="by their vectors")
    for value, least, most, expected in (
        ("wrong", "50", "75", 11),
        ("0", "", "4", 5),
        ("1", "-4", "", 5),
        ("2", "0", "", 20),
    ):
        browsed.select("value to filter by", value)
        browsed.type('input[aria-label="at least"]', least)
        browsed.type('input[aria-label="at most"]', most)
        assert browsed.listed() == expected
    browsed.select("value to filter by", "")
    assert browsed.listed() == 40
    assert "The first 6 stand beside the nearest examples of either label, by their vectors." in " ".join(
        browsed.text("#review > p").split()
    )
    browsed.press(ESCAPE, DOWN)
    sides = [
        (side.find_element("css selector", "figcaption").text, side.find_element("css selector", ".samples").text)
        for side in browsed.all(".alike figure")
    ]
    assert sides == [("nearest labelled bee", "a text #7"), ("nearest labelled cow", "a text #8\na text #9")]
    browsed.press(DOWN, DOWN)
    assert [one.get_attribute("alt") for one in browsed.all(".alike img")] == ["row 7", "row 8", "row 9"]
    browsed.press(DOWN)
    # Nothing else is suggested there.
    assert [one.text for one in browsed.all(".alike p")] == ["a text #7"]
    browsed.press(END)
    assert not browsed.all(".alike")


def test_many_classes_are_chosen_by_two_keys_and_very_many_by_words(page, downloads):
    browsed = page(cards_of(5, 3), [f"class {at}" for at in range(77)])
    browsed.press("4", "2")
    browsed.press("c")
    browsed.press("class 7")
    # What Enter gives is marked as that.
    assert browsed.text(".narrowed > :first-child bdi") == "class 7"
    browsed.press(ENTER)
    _, _, rows = browsed.download(downloads)
    assert [row["label"] for row in rows[:2]] == ["class 42", "class 7"]
    # Far down the list; the next example is seen from its top.
    far = browsed.all(".classes .class")[70]
    browsed.driver.execute_script("arguments[0].scrollIntoView({behavior: 'instant'}); arguments[0].click()", far)
    assert browsed.top_is_in_sight(".content")
    browsed = page(cards_of(5, 3), [f"class {at}" for at in range(1000)])
    browsed.driver.execute_script("localStorage.clear()")
    browsed.driver.refresh()
    browsed.press("9", "87", ENTER)
    _, _, rows = browsed.download(downloads)
    assert rows[0]["label"] == "class 987"


def test_what_strangers_wrote_is_shown_as_text(page, downloads):
    cards = [
        Card(row=at, given=at, suggested=(at + 1) % 7, score=0.5, key=text, reason=text, shown=text)
        for at, text in enumerate(HOSTILE)
    ]
    cards[2] = Card(
        row=2, given=2, suggested=1, score=0.5, key=[HOSTILE[0], 3], shown=dict.fromkeys(HOSTILE, HOSTILE[1])
    )
    table = Table(HOSTILE[0], HOSTILE[1], HOSTILE[:2], (HOSTILE[:2], HOSTILE[2:4]))
    browsed = page(cards, HOSTILE, HOSTILE[1], [table])
    for text in ("<script>document.title='run'</script>", "</script><img src=x"):
        assert browsed.text(".content").startswith(text)
        assert text in browsed.text("#section-1")
        browsed.press(ENTER)
    assert "{{ 7 * 7 }}" in browsed.text("#section-1")
    browsed.press(ENTER)
    assert "\\u202eturned round\\u202c \\x00 \\u2028 <!-- " in browsed.text(".content")
    browsed.press(ENTER)
    assert len(browsed.text(".content")) == 100_000
    browsed.press(ENTER, ENTER, ENTER)
    assert browsed.driver.title == HOSTILE[1]
    assert not browsed.all("img")
    _, header, rows = browsed.download(downloads)
    assert header["class_names"] == list(HOSTILE)
    assert len(rows) == len(HOSTILE)
    assert [row["label"] for row in rows] == [HOSTILE[1], HOSTILE[2], HOSTILE[1], *HOSTILE[4:], HOSTILE[0]]
    assert rows[0]["key"] == HOSTILE[0]
    assert not browsed.complaints()
    assert not browsed.requested()


def test_of_many_examples_a_few_dozen_are_elements(page):
    cards = [Card(at, 0, 1, 0.0) for at in range(100_000)]
    browsed = page(cards, ["ant", "bee"])
    assert browsed.text(".steps span") == "1 of 100000"
    for _ in range(3):
        assert 5 <= len(browsed.all(".option")) <= 40
        browsed.driver.execute_script("document.getElementById('queue').scrollTop += 2500000")
        browsed.until(lambda: "#" in browsed.text(".option:last-child"))
    browsed.press(END)
    assert "#99999" in browsed.text(".example h3")
    # Where the page is opened again, the list is where the first undecided example is.
    browsed.driver.execute_script("localStorage.clear()")
    browsed.decide(dict.fromkeys(range(500), "keep"))
    assert browsed.text(".option[aria-selected=true] .soft:last-child").startswith("#500")


@contextmanager
def window(browsed, width, height):
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browsed.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    yield
    browsed.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("size", [(1280, 720), (390, 844)])
@pytest.mark.parametrize("classes", [3, 77])
def test_what_decides_is_in_sight_in_low_windows(page, size, classes):
    cards = [Card(row=at, given=0, suggested=1, score=0.5, shown="long words " * 400) for at in range(9)]
    browsed = page(cards, [f"class {at}" for at in range(classes)])
    with window(browsed, *size):
        for scroll in ("scrollTo(0, 0)", "document.querySelector('.example').scrollIntoView({behavior: 'instant'})"):
            browsed.driver.execute_script(scroll)
            outside, taken = browsed.driver.execute_script(
                """const box = (one) => one.getBoundingClientRect(), bar = document.querySelector('.deciding');
                const all = [...document.querySelectorAll('.verdict'), document.querySelector('.class')];
                const hidden = all.filter((one) => box(one).top < 0 || box(one).bottom > innerHeight);
                return [hidden.map((one) => one.textContent), box(bar).height / innerHeight]"""
            )
            assert (outside, taken < 0.4) == ([], True)


def test_the_row_that_is_decided_about_is_not_behind_the_bar(page):
    browsed = page(cards_of(40, 3), ["ant", "bee", "cow"])
    with window(browsed, 1280, 720):
        browsed.press(*[DOWN] * 12)
        row, bar = browsed.driver.execute_script(
            """const box = (one) => document.querySelector(one).getBoundingClientRect();
            return [box('.option[aria-selected=true]').bottom, box('.deciding').top]"""
        )
    assert row <= bar


def test_a_decision_takes_no_room_from_the_text_in_the_list(page):
    browsed = page([Card(row=0, given=0, suggested=1, score=0.5, shown="long words " * 40)], ["ant", "bee"])
    width = "return document.querySelector('.option .line.soft').clientWidth"
    before = browsed.driver.execute_script(width)
    browsed.press(ENTER)
    assert browsed.text(".option .said") == "→ bee"
    assert browsed.driver.execute_script(width) == before


def test_long_names_of_labels_fit_a_telephone(page):
    browsed = page(cards_of(5, 3), [f"a_label_{at}_with_a_name_that_is_long" for at in range(30)])
    size = {"width": 390, "height": 844}
    with window(browsed, **size):
        wide, list_at = browsed.driver.execute_script(
            """const list = document.querySelector('.queue');
            return [document.documentElement.scrollWidth, list.getBoundingClientRect().top]"""
        )
    assert wide == 390
    # The list of examples is below the labels, and not several screens below.
    assert list_at < 3 * size["height"]
