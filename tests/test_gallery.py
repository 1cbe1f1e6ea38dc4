"""The gallery and the concepts: the site's build runs their files; here each is read."""

import ast
import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
GALLERY = sorted((DOCS / "gallery").glob("*.py"))
CONCEPTS = sorted((DOCS / "concepts").glob("*.py"))
LONGEST = 80


def titled(path):
    """Title and text of a file's docstring, whose title is underlined."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"), str(path))) or ""
    title, line, rest = (*text.split("\n", 2), "", "")[:3]
    assert title, path.name
    assert re.fullmatch(r"=+", line), path.name
    assert len(line) == len(title), path.name
    return title, rest


def test_terms_lead_to_the_glossary():
    termed = runpy.run_path(str(DOCS / "conf.py"))["termed"]
    there = set(re.findall(r"^\(([\w-]+)\)=\n## ", termed((DOCS / "glossary.md").read_text("utf-8")), re.MULTILINE))
    led = {
        path.name: re.findall(r":ref:`[^`<]+ <([\w-]+)>`", path.read_text("utf-8")) for path in [*CONCEPTS, *GALLERY]
    }
    for path in CONCEPTS:
        assert led[path.name], path.name
    for name, terms in led.items():
        assert set(terms) <= there, name
        assert len(set(terms)) == len(terms), name


def test_there_is_an_example_of_each_subject():
    assert len(GALLERY) >= 12
    titles = [titled(path)[0] for path in [*GALLERY, *CONCEPTS]]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("path", [*GALLERY, *CONCEPTS], ids=lambda path: path.stem)
def test_each_compiles_says_what_it_shows_and_is_short(path):
    text = path.read_text("utf-8")
    compile(text, str(path), "exec")
    assert titled(path)[1].strip()
    assert len(text.splitlines()) <= LONGEST
    assert "audit.plot." in text or "plt." in text
