"""The site: `make docs` builds it, without a network, and takes every warning for an error.

All its pages are written to the folder that Sphinx reads (docs/_build/source) when a build begins:

    README, docs/README           front page, guide
    docs/*.md                     pages, as they stand; links that lead out of docs/ are turned
    benchmarks/*/results/*.csv    sortable tables under benchmarks/
    CHANGELOG and others          pages under project/
    docs/concepts/*.py, gallery/  pages under concepts/ and gallery/, with what they printed and drew when they ran
    public names                  pages under reference/, from the table in dataaudit/__init__.py
    `--help` of every command     reference/command-line.md

With DOCS_ONLINE=1 names of Python, NumPy, torch and others are links to their sites; nothing depends on it.
"""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import dataaudit

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path[:0] = [str(ROOT), str(DOCS)]
accessible, benchmark_pages = map(import_module, ("accessible", "benchmark_pages"))

project = "dataaudit"
author = "The dataaudit contributors"
copyright = author
release = dataaudit.__version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
if os.environ.get("DOCS_ONLINE") == "1":
    extensions.append("sphinx.ext.intersphinx")
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", None),
    "numpy": ("https://numpy.org/doc/stable", None),
    "torch": ("https://docs.pytorch.org/docs/stable", None),
    "sklearn": ("https://scikit-learn.org/stable", None),
    "pandas": ("https://pandas.pydata.org/docs", None),
}
root_doc = "index"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
sphinx_gallery_conf = {
    "examples_dirs": [str(DOCS / "concepts"), str(DOCS / "gallery")],
    "gallery_dirs": ["concepts", "gallery"],
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "reference_url": {"dataaudit": None},
    "image_srcset": ["2x"],
    "show_signature": False,
    "capture_repr": ("_repr_html_",),
    "remove_config_comments": True,
}
html_theme = "pydata_sphinx_theme"
html_title = "dataaudit"
html_static_path = ["pictures", "static"]
html_css_files = ["site.css"]
html_js_files = ["sortable.js"]
html_sidebars: dict[str, list[str]] = {"index": []}
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": True, "secondary_sidebar_items": ["page-toc"]}

PROJECT = {"CHANGELOG": "changelog", "CONTRIBUTING": "contributing", "SECURITY": "security"}
"""Files of the repository that are pages under project/."""

TABLES = benchmark_pages.places()
"""Where the table of each results file stands."""

SECTIONS: dict[str, tuple[str, ...]] = {
    "Auditing": ("score", "embed", "preprocessor", "Holdout", "Recipe", "LinearProbe", "NearestNeighbours"),
    "What comes of it": ("Audit", "Decisions", "Interrupted"),
    "Scores with options": ("Density", "NeighbourCScore"),
    "Recording a training of your own": ("Recorder", "gather_recorder"),
    "Training with the scores": (
        *("CurriculumSampler", "DistributedCurriculumSampler", "LevelBatchSampler", "SelfPaced", "SmallLoss"),
    ),
    "This installation": ("show_versions",),
}
"""Public names by what they are for; what is in no section ends the build."""


def turned(text: str, folder: str) -> str:
    """Markdown of a page in `folder` of the site ("" for the top), its links leading to pages of the site."""
    up = "../" if folder else ""

    text = re.sub(r"(!\[[^]]*]\()\.\./benchmarks/\w+/results/([\w-]+\.png\))", rf"\1{up}\2", text)

    def link(found: re.Match[str]) -> str:
        words, target = found[1], found[2]
        path, _, anchor = target.partition("#")
        name = path.removeprefix("../")
        stem = name.removesuffix(".md")
        anchor = f"#{anchor}" if anchor else ""
        if name == "README.md" or path == "docs/README.md":
            return f"[{words}]({up}{'guide' if path == 'docs/README.md' else 'index'}.md{anchor})"
        if stem in PROJECT:
            return f"[{words}]({up}project/{PROJECT[stem]}.md{anchor})"
        if path.startswith("docs/") and path.endswith(".md"):
            return f"[{words}]({up}{path.removeprefix('docs/')}{anchor})"
        if name in TABLES:
            return f"[{words}]({up}{TABLES[name]})"
        # Other files of the repository are no pages.
        return f"{words} (`{name}`)"

    text = re.sub(
        r"\[([^]]*)]\(((?:\.\./|docs/)?[\w./-]*(?:#[\w-]*)?)\)", lambda m: m[0] if _inner(m[2]) else link(m), text
    )
    return text.replace("docs/pictures/", f"{up}_static/")


def _inner(target: str) -> bool:
    """Whether a link already leads to a page of docs/, or within one."""
    return (
        "/" not in target
        and target.partition("#")[0].removesuffix(".md") not in PROJECT
        and (target.startswith("#") or (DOCS / target.partition("#")[0]).exists())
    )


def termed(text: str) -> str:
    """The glossary with a target before each term: ``:ref:`interval <term-interval>``` leads there from any page."""
    return re.sub(r"^## (.+)$", lambda m: f"(term-{m[1].lower().replace(' ', '-')})=\n{m[0]}", text, flags=re.MULTILINE)


def write_project(out: Path) -> None:
    """Pages of the files at the top of the repository."""
    for name, page in PROJECT.items():
        write(out / "project" / f"{page}.md", turned((ROOT / f"{name}.md").read_text("utf-8"), "project"))
    write(out / "project" / "index.md", listing("The project", ((page, "") for page in PROJECT.values())))


def listing(title: str, pages: Iterable[tuple[str, str]], text: str = "") -> str:
    """A page that lists others."""
    names = "\n".join(name for name, _ in pages)
    return f"# {title}\n\n{text}\n\n```{{toctree}}\n:maxdepth: 1\n\n{names}\n```\n"


def write_reference(out: Path) -> None:
    """A page for every section of public names, for every namespace, and for the command line."""
    public: dict[str, Any] = {name: getattr(dataaudit, name) for name in dataaudit.__all__ if name != "__version__"}
    spaces = {name: found for name, found in public.items() if isinstance(found, ModuleType)}
    missing = set(public) - set(spaces) - {name for names in SECTIONS.values() for name in names}
    if missing:
        raise RuntimeError(f"found public names in no section of docs/conf.py: {', '.join(sorted(missing))}")
    pages = []
    for title, names in SECTIONS.items():
        page = title.lower().replace(" ", "-")
        blocks = [directive(f"dataaudit.{name}", public[name]) for name in names]
        write(out / "reference" / f"{page}.md", "\n\n".join([f"# {title}", *blocks]))
        pages.append((page, ""))
    for name, space in sorted(spaces.items()):
        write(out / "reference" / f"{name}.md", namespace(name, space))
        pages.append((name, ""))
    write(out / "reference" / "command-line.md", command_line())
    write(out / "reference" / "index.md", listing("Reference", [*pages, ("command-line", "")]))


def directive(path: str, found: Any) -> str:
    """A block that documents a class with its members, or a function."""
    if not inspect.isclass(found):
        return f"```{{eval-rst}}\n.. autofunction:: {path}\n```"
    # What others wrote is documented by them.
    own = all(
        base.__module__.split(".")[0] in ("dataaudit", "abc", "typing") or base is object for base in found.__mro__
    )
    members = "\n   :members:" + "\n   :inherited-members: object" * own
    return f"```{{eval-rst}}\n.. autoclass:: {path}{members}\n```"


def namespace(name: str, space: ModuleType) -> str:
    """A page of what a namespace lists and holds."""
    about = inspect.cleandoc(space.__doc__ or "")
    parts = [f"# dataaudit.{name}", f"```text\n{about}\n```"]
    if hasattr(space, "describe"):
        rows = [f"| `{one}` | {what} |" for one, what in space.describe().items()]
        parts.append("\n".join(["| name | what it is |", "|---|---|", *rows]))
    for member in dir(space):
        found = getattr(space, member, None)
        if not (inspect.isclass(found) or inspect.isfunction(found)) or member.startswith("_"):
            continue
        # What a module imports for itself is no part of it.
        if found.__module__.split(".")[0] == "dataaudit":
            parts.append(directive(f"{found.__module__}.{found.__qualname__}", found))
    return "\n\n".join(parts)


def command_line() -> str:
    """`--help` of the program and of each command."""
    app = import_module("dataaudit.cli").app
    names = sorted(command.name or command.callback.__name__ for command in app.registered_commands if command.callback)
    parts = ["# Command line"]
    for name in ["", *names]:
        command = [sys.executable, "-m", "dataaudit", *([name] if name else []), "--help"]
        environment = {**os.environ, "COLUMNS": "78", "TERM": "dumb", "NO_COLOR": "1"}
        told = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
        parts += [f"## dataaudit {name}".rstrip(), f"```text\n{told.strip()}\n```"]
    return "\n\n".join(parts)


def write(path: Path, text: str) -> None:
    """Write a page, unless it is there as it is: what has not changed is not built again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"{text.rstrip()}\n"
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def write_guide(out: Path) -> None:
    """The front page, which is the README, and the guide: the table of docs/README.md and all pages in its order."""
    front = turned((ROOT / "README.md").read_text("utf-8"), "")
    write(
        out / "index.md",
        front + hidden(["guide", "concepts/index", "gallery/index", "reference/index", "project/index"]),
    )
    text = (DOCS / "README.md").read_text("utf-8")
    guide = turned(text, "").replace("# Pages\n", "# Guide\n", 1)
    parts = {part.partition("\n")[0]: re.findall(r"\]\(([\w-]+)\.md\)", part) for part in text.split("\n## ")[1:]}
    pages = [page for names in parts.values() for page in names]
    write(out / "guide.md", guide + "".join(hidden(names, title) for title, names in parts.items()))
    tables = benchmark_pages.written()
    for page in pages:
        below = hidden(f"benchmarks/{name}" for name in tables) if page == "benchmarks" else ""
        text = turned((DOCS / f"{page}.md").read_text("utf-8"), "") + below
        write(out / f"{page}.md", termed(text) if page == "glossary" else text)
    for name, text in tables.items():
        write(out / "benchmarks" / f"{name}.md", text)
    for picture in ROOT.glob("benchmarks/*/results/*.png"):
        shutil.copyfile(picture, out / picture.name)


def hidden(pages: Iterable[str], caption: str = "") -> str:
    """What comes below a page, which shows it in its own words; the caption stands beside all of its pages."""
    names = "\n".join(pages)
    title = f":caption: {caption}\n" if caption else ""
    return f"\n```{{toctree}}\n:hidden:\n{title}\n{names}\n```\n"


def plain_times(_: Any, page: str, source: list[str]) -> None:
    """Leave scripts of other sites, and memory, which is not measured, out of the gallery's table of seconds."""
    if page.endswith("sg_execution_times"):
        text = re.sub(r"  \.\. raw:: html\n.*?(?=  \.\. list-table)", "", source[0], flags=re.DOTALL)
        source[0] = re.sub(r"(   \* - .*\n     - .*\n)     - .*\n", r"\1", text)


def setup(app: Any) -> None:
    """Write all pages; the gallery's are written by sphinx-gallery, later."""
    app.connect("source-read", plain_times)
    app.connect("build-finished", lambda app, error: accessible.rename(Path(app.outdir)) if error is None else None)
    out = Path(app.srcdir)
    write_guide(out)
    write_project(out)
    write_reference(out)
