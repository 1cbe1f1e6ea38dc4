"""Print constraints to the oldest versions that pyproject.toml allows, of the requirements and of extras named.

A requirement without a lower bound is an error. What constraints.txt pins keeps its pin where it is torch, of which
one build serves all environments.
"""

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PINNED = "torch"

root = Path(__file__).parents[1]
project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
for line in sum((project["optional-dependencies"][extra] for extra in sys.argv[1:]), project["dependencies"]):
    requirement = Requirement(line)
    lowest = [part.version for part in requirement.specifier if part.operator in (">=", "==", "~=")]
    if not lowest:
        sys.exit(f"pyproject.toml requires {line!r}; expected a lower bound; name the oldest version that works")
    if requirement.name != PINNED:
        print(f"{requirement.name}=={lowest[0]}")
pins = (root / "constraints.txt").read_text().splitlines()
print(*(line for line in pins if line.startswith(f"{PINNED}==")))
