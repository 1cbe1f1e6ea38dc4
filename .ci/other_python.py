"""Compile both packages by the Python that runs this, and import what its own packages suffice for."""

import importlib
import platform
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT, ROOT / "kernels")
NAMES = ("dataaudit", "dataaudit_kernels")

sys.pycache_prefix = tempfile.mkdtemp()
sys.path[:0] = map(str, FOLDERS)
imported, lacking = 0, set()
for folder, name in zip(FOLDERS, NAMES, strict=True):
    for path in sorted((folder / name).rglob("*.py")):
        compile(path.read_text("utf-8"), path, "exec")
        parts = path.relative_to(folder).with_suffix("").parts
        try:
            importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
            imported += 1
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in NAMES:
                raise
            lacking.add(error.name)
missing = f"; others need {', '.join(sorted(filter(None, lacking)))}" if lacking else ""
print(f"Python {platform.python_version()}: all modules compiled, {imported} imported{missing}")
