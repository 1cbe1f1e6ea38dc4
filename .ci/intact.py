"""Exit with 1 unless every file of every installed package is there with the size it was installed with."""

import sys
from importlib.metadata import distributions

names = set()
for distribution in distributions():
    names.add((distribution.metadata["Name"] or "").lower())
    for file in distribution.files or ():
        if file.size is None:
            continue
        path = file.locate()
        try:
            same = path.stat().st_size == file.size
        except OSError:
            same = False
        if not same:
            sys.exit(f"{path} is missing or damaged")
if not {"dataaudit", "torch", "numpy", "pip"} <= names:
    sys.exit("packages are missing")
import dataaudit.pipeline.score  # noqa: E402, F401 (what a call of the library loads)
