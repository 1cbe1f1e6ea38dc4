"""How much code there is: lines by room, the longest files and functions, and another checkout's beside it.

    python -m benchmarks.size [--against CHECKOUT] [--longest 10]

"code" leaves out blank lines, comments and docstrings. A function's body is counted without its signature and its
docstring.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.common import table

ROOT = Path(__file__).parents[1]
FOLDERS = ("dataaudit", "kernels")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def sources(root: Path) -> list[Path]:
    """Every source file of the library and its kernels."""
    return sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py"))


def strings(tree: ast.AST) -> Iterator[range]:
    """Lines of docstrings, and of strings beneath attributes that document them."""
    for node in ast.walk(tree):
        for part in getattr(node, "body", []) if isinstance(node, DOCUMENTED) else []:
            if (
                isinstance(part, ast.Expr)
                and isinstance(part.value, ast.Constant)
                and isinstance(part.value.value, str)
            ):
                yield range(part.lineno, (part.end_lineno or part.lineno) + 1)


def code_lines(text: str) -> set[int]:
    """Numbers of the lines that are neither blank nor comment nor docstring."""
    documented = {line for lines in strings(ast.parse(text)) for line in lines}
    told = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return {number for number, line in told if line and not line.startswith("#") and number not in documented}


def functions(path: Path) -> Iterator[tuple[int, str]]:
    """Length of the body and name of every function in a file."""
    text = path.read_text("utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if body:
                yield (node.end_lineno or 0) - body[0].lineno + 1, node.name


def sizes(root: Path) -> tuple[Counter[str], Counter[str]]:
    """All lines and lines of code, by room."""
    every: Counter[str] = Counter()
    code: Counter[str] = Counter()
    for path in sources(root):
        inner = path.relative_to(root).parts
        room = "/".join(inner[:2]) if len(inner) > 2 else inner[0]
        text = path.read_text("utf-8")
        every[room] += len(text.splitlines())
        code[room] += len(code_lines(text))
    return every, code


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT")
    parser.add_argument("--longest", type=int, default=10)
    options = parser.parse_args()
    every, code = sizes(ROOT)
    table(["room", "lines", "code"], [[room, str(every[room]), str(code[room])] for room in sorted(every)])
    print(f"{every.total()} lines, {code.total()} of code")
    if options.against is not None:
        theirs = [part.total() for part in sizes(options.against)]
        print(
            f"against {theirs[0]} and {theirs[1]}: {every.total() / theirs[0] - 1:+.1%} and "
            f"{code.total() / theirs[1] - 1:+.1%}"
        )
    found = sorted(
        ((size, f"{path.relative_to(ROOT)}: {name}") for path in sources(ROOT) for size, name in functions(path))
    )
    table(["body", "function"], [[str(size), name] for size, name in found[::-1][: options.longest]])


if __name__ == "__main__":
    main()
