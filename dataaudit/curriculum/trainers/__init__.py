"""Curriculum and recording in the training loops of transformers and Lightning.

Names are resolved when they are first used: this package alone loads neither of the two.

>>> from dataaudit.curriculum import trainers
>>> trainers.ROW
'row_index'
"""

from __future__ import annotations

from dataaudit.common.lazy import resolver

_PUBLIC = {
    "CurriculumTrainerMixin": "dataaudit.curriculum.trainers.mixin:CurriculumTrainerMixin",
    "LightningRecordDynamics": "dataaudit.curriculum.trainers.lightning:LightningRecordDynamics",
    "ROW": "dataaudit.curriculum.trainers.rows:ROW",
    "RecordDynamics": "dataaudit.curriculum.trainers.huggingface:RecordDynamics",
    "carry_rows": "dataaudit.curriculum.trainers.rows:carry_rows",
    "curriculum_trainer": "dataaudit.curriculum.trainers.mixin:curriculum_trainer",
    "with_row_index": "dataaudit.curriculum.trainers.rows:with_row_index",
}
"""Public name -> "module:attribute", of which tests/test_public_names.py makes `__init__.pyi`."""

__all__ = [*_PUBLIC]

__getattr__ = resolver(__name__, _PUBLIC)
