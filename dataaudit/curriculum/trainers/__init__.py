"""Curriculum and recording in the training loops of transformers and Lightning.

Names are resolved when they are first used: this package alone loads neither of the two.

>>> from dataaudit.curriculum import trainers
>>> trainers.ROW
'row_index'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataaudit.curriculum.trainers.huggingface import RecordDynamics as RecordDynamics
    from dataaudit.curriculum.trainers.lightning import LightningRecordDynamics as LightningRecordDynamics
    from dataaudit.curriculum.trainers.mixin import CurriculumTrainerMixin as CurriculumTrainerMixin
    from dataaudit.curriculum.trainers.mixin import curriculum_trainer as curriculum_trainer
    from dataaudit.curriculum.trainers.rows import ROW as ROW
    from dataaudit.curriculum.trainers.rows import carry_rows as carry_rows
    from dataaudit.curriculum.trainers.rows import with_row_index as with_row_index

_PUBLIC = {
    "CurriculumTrainerMixin": "mixin",
    "LightningRecordDynamics": "lightning",
    "ROW": "rows",
    "RecordDynamics": "huggingface",
    "carry_rows": "rows",
    "curriculum_trainer": "mixin",
    "with_row_index": "rows",
}

__all__ = [
    "ROW",
    "CurriculumTrainerMixin",
    "LightningRecordDynamics",
    "RecordDynamics",
    "carry_rows",
    "curriculum_trainer",
    "with_row_index",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'dataaudit.curriculum.trainers' has no attribute {name!r}")
    return getattr(importlib.import_module(f"dataaudit.curriculum.trainers.{_PUBLIC[name]}"), name)
