"""README, docs/, CONTRIBUTING and CHANGELOG: links lead somewhere, commands exist, and the README stays short."""

import ast
import inspect
import re
import runpy
import shlex
import types
from pathlib import Path

import pytest
import typer

import dataaudit
from dataaudit.cli import app

ROOT = Path(__file__).parents[1]
README, INDEX = ROOT / "README.md", ROOT / "docs/README.md"
PAGES = sorted((ROOT / "docs").glob("*.md"))
FILES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *PAGES]
MOST_WORDS = 1300

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())


def prose(path):
    """Lines outside fenced blocks."""
    return re.sub(r"^```.*?^```\n", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def links(path):
    """Targets of the links of a file, whose text may run over two lines."""
    return re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose(path))


def anchors(path):
    """Fragments that lead to the headings of a file, as GitHub spells them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_site_has_every_public_name_and_every_page():
    site = runpy.run_path(str(ROOT / "docs/conf.py"))
    named = {name for names in site["SECTIONS"].values() for name in names}
    spaces = {name for name in dataaudit.__all__ if isinstance(getattr(dataaudit, name), types.ModuleType)}
    assert named | spaces == set(dataaudit.__all__) - {"__version__"}
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", INDEX.read_text("utf-8")))
    assert listed == {path.name for path in PAGES} - {"README.md"}


def test_every_name_of_a_namespace_and_every_method_has_a_docstring():
    undocumented = []
    for name in dataaudit.__all__:
        space = getattr(dataaudit, name)
        members = [getattr(space, member) for member in dir(space)] if isinstance(space, types.ModuleType) else [space]
        for found in members:
            if not (inspect.isclass(found) or inspect.isfunction(found)) or not found.__module__.startswith(
                "dataaudit"
            ):
                continue
            methods = [getattr(found, own) for own, value in vars(found).items() if inspect.isfunction(value)]
            parts = [found, *(method for method in methods if not method.__name__.startswith("_"))]
            undocumented += [f"{name}: {part.__qualname__}" for part in parts if not inspect.getdoc(part)]
    assert undocumented == []


def test_links_of_the_site_lead_to_its_pages():
    turned = runpy.run_path(str(ROOT / "docs/conf.py"))["turned"]
    assert turned("[a](docs/data.md#x) [b](CHANGELOG.md) [c](LICENSE)", "") == (
        "[a](data.md#x) [b](project/changelog.md) c (`LICENSE`)"
    )
    assert turned("[a](../README.md) [b](data.md) [c](#here) [d](https://a.b)", "") == (
        "[a](index.md) [b](data.md) [c](#here) [d](https://a.b)"
    )
    assert turned("[a](docs/README.md) [b](SECURITY.md)", "project") == "[a](../guide.md) [b](../project/security.md)"


@each_file
def test_links_lead_somewhere(path):
    for link in links(path):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_index_leads_to_every_page_and_every_page_is_in_it_once():
    pages = [link for link in links(INDEX) if "/" not in link]
    assert sorted(pages) == sorted({path.name for path in INDEX.parent.glob("*.md")} - {INDEX.name})


@each_file
def test_blocks_are_of_a_kind_that_is_tested(path):
    assert set(re.findall(r"^ *```(.*)\n", path.read_text("utf-8"), re.MULTILINE)[::2]) <= {"python", "toml"}


@each_file
def test_no_line_is_a_comment_of_the_site(path):
    assert not re.search(r"^%", prose(path), re.MULTILINE)


def commands(path):
    """Words of each line of the indented blocks, without comments."""
    blocks = re.findall(r"(?<=\n\n)((?: {4}\S.*\n)+)", prose(path))
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]


@each_file
def test_commands_exist(path):
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for program, *arguments in commands(path):
        if program == "make":
            assert set(arguments) <= set(targets)
        elif program == "pip":
            assert arguments[0] == "install"
        else:
            assert program == "dataaudit"
            name, *rest = arguments
            command = typer.main.get_command(app).commands[name]
            with command.make_context(name, rest):
                pass


@each_file
def test_benchmarks_that_are_named_exist(path):
    for module in re.findall(r"python -m (benchmarks[\w.]*)", path.read_text("utf-8")):
        file = ROOT / module.replace(".", "/")
        assert file.with_suffix(".py").exists() or (file / "__main__.py").exists(), module


def test_extras_that_are_named_exist():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    for path in FILES:
        for extra in re.findall(r"dataaudit\[(\w+)\]", path.read_text("utf-8")):
            assert re.search(rf"^{extra} = \[", project, re.MULTILINE), extra


def test_the_readme_is_short_and_its_figures_are_those_of_the_benchmarks():
    text = README.read_text("utf-8")
    assert sum(any(map(str.isalnum, word)) for word in text.split()) <= MOST_WORDS
    measured = set((ROOT / "docs/benchmarks.md").read_text("utf-8").splitlines())
    figures = text.partition("## How well it works")[2].partition("## ")[0]
    rows = [line for line in figures.splitlines() if line.startswith("|")]
    assert len(rows) > 10
    assert set(rows) <= measured


def test_the_house_is_described_in_the_order_of_its_rooms():
    source = ast.parse((ROOT / "tests/test_boundaries.py").read_text("utf-8"))
    rooms = next(node.value for node in source.body if isinstance(node, ast.Assign) and node.targets[0].id == "ROOMS")
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## The house")[2].partition("\n## ")[0]
    described = [line.split("|")[1].strip(" `") for line in text.splitlines() if line.startswith("| ")]
    assert described == ["room", *ast.literal_eval(rooms)]


def test_buttons_and_links_of_the_site_have_names():
    named = runpy.run_path(str(ROOT / "docs/accessible.py"))["named"]
    button = '<button type="button" class="btn search-button-field x" title="Search" aria-label="Search" data-x="y">'
    assert named(button).count("aria-label") == named(button).count('aria-label="Search Ctrl+K"') == 1
    summary = '<summary><span class="toctree-toggle" role="presentation"></span></summary>'
    assert named(summary).startswith('<summary aria-label="pages below"><span')
    card = '<p><a class="reference internal" href="a.html"><span class="{}">A &amp; b</span></a></p>\n <div class="{}">'
    for kind in ("doc", "std std-ref"):
        assert 'href="a.html" aria-label="A &amp; b"><span' in named(card.format(kind, "sphx-glr-thumbnail-title"))
    plain = card.format("doc", "other")
    assert named(plain) == plain
    assert named('<tr><th class="head"><p></p></th>') == "<tr><td></td>"
