"""Imports of the process that the others are forked from."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.faults.material import MATERIALS, right

for _one in MATERIALS:
    right(_one, 0)
