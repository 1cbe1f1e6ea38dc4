"""A browser without a window, for tests of pages; where there is none they are skipped."""

import json
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from dataaudit.report.html import write_report
from dataaudit.report.page import Page
from dataaudit.report.review import Review

BROWSERS, DRIVERS = ("chromium", "chromium-browser", "google-chrome"), ("chromedriver",)
WAIT = 10.0


def found(names):
    return next((path for name in names if (path := shutil.which(name))), None)


@contextmanager
def opened(downloads):
    """A driver whose downloads go to a folder; skips the test where no browser is at hand."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: no page is opened")
    browser, driver = found(BROWSERS), found(DRIVERS)
    if browser is None or driver is None:
        pytest.skip("no chromium with chromedriver is on the path: no page is opened")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "window-size=1280,900", "disable-extensions"):
        options.add_argument(f"--{argument}")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield made
    finally:
        made.quit()


class Browsed:
    """A page in a browser, by what a person does with it."""

    def __init__(self, driver, path):
        self.driver = driver
        driver.get(Path(path).as_uri())

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def one(self, selector):
        return self.driver.find_element("css selector", selector)

    def text(self, selector):
        # At once: the page may be changing what was found.
        return self.driver.execute_script("return document.querySelector(arguments[0]).textContent", selector)

    def press(self, *keys):
        """Press keys one after the other, wherever the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def type(self, selector, text):
        self.one(selector).clear()
        self.one(selector).send_keys(text)

    def select(self, label, value):
        self.one(f'select[aria-label="{label}"] option[value="{value}"]').click()

    def listed(self):
        """Number of examples that are listed."""
        return int(self.text(".steps span").split()[-1])

    def progress(self):
        tally = self.text(".tally").split(" · ")[0]
        return self.text(".progress") + (f": {tally}" if tally and "listed" not in tally else "")

    def bound(self):
        """The line of progress, with the bound on errors once it is computed."""
        self.until(lambda: "…" not in self.text(".progress"))
        return self.text(".progress")

    def decide(self, words):
        """Open the page in a browser that remembers words about rows, and nothing else."""
        said = [[row, word, None, "", None] for row, word in words.items() if word]
        self.driver.execute_script(
            "localStorage.setItem(JSON.parse(document.getElementById('data').textContent).about.memory, arguments[0])",
            json.dumps({"reviewer": "", "decisions": said}),
        )
        self.driver.refresh()

    def top_is_in_sight(self, selector):
        """True if an element's top is within the window and within the pane of the example."""
        return self.driver.execute_script(
            """const top = (one) => document.querySelector(one).getBoundingClientRect().top;
            return top(arguments[0]) >= Math.max(0, top('.example')) && top(arguments[0]) < innerHeight""",
            selector,
        )

    def until(self, test):
        end = time.monotonic() + WAIT
        while not (found := test()):
            assert time.monotonic() < end, "the page did not come to that"
            time.sleep(0.02)
        return found

    def download(self, folder):
        """The decision file, as its header and its rows."""
        path = Path(folder) / "decisions.jsonl"
        path.unlink(missing_ok=True)
        # Wherever the page has scrolled to, or is scrolling to.
        self.driver.execute_script("document.querySelector('button.main').click()")
        self.until(lambda: path.exists() and path.stat().st_size)
        header, *rows = map(json.loads, path.read_text("utf-8").splitlines())
        return path, header, rows

    def complaints(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requested(self):
        """Addresses that were asked for since this was last called."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [address for address in sent if not address.startswith(("file:", "data:", "blob:"))]


@pytest.fixture(scope="session")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def driver(downloads):
    with opened(downloads) as made:
        yield made


@pytest.fixture
def page(driver, downloads, tmp_path):
    """A function that opens the page of some cards and classes in a browser that remembers nothing."""

    def make(cards, names, title="A title", sections=(), **options):
        for file in downloads.iterdir():
            file.unlink()
        header = {"format": "dataaudit decisions", "version": 1, "fingerprint": "f", "class_names": list(names)}
        review = Review(header, f"memory of {tmp_path}", cards, len(cards), True, "consensus", **options)
        whole = Page(title, ("Found.",), ("Not told.",), review, tuple(sections), {}, {}, "audit = ...")
        return Browsed(driver, write_report(whole, tmp_path / "page.html"))

    return make


@pytest.fixture
def opened_page(driver, tmp_path):
    """A function that opens the page of an audit in a browser that remembers nothing."""

    def make(audit, **options):
        browsed = Browsed(driver, audit.report(tmp_path / "page.html", **options))
        browsed.driver.execute_script("localStorage.clear()")
        browsed.driver.refresh()
        return browsed

    return make
