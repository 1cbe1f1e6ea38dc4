# Made of the table in __init__.py by tests/test_public_names.py.
from dataaudit.curriculum.trainers.huggingface import RecordDynamics as RecordDynamics
from dataaudit.curriculum.trainers.lightning import LightningRecordDynamics as LightningRecordDynamics
from dataaudit.curriculum.trainers.mixin import CurriculumTrainerMixin as CurriculumTrainerMixin
from dataaudit.curriculum.trainers.mixin import curriculum_trainer as curriculum_trainer
from dataaudit.curriculum.trainers.rows import ROW as ROW
from dataaudit.curriculum.trainers.rows import carry_rows as carry_rows
from dataaudit.curriculum.trainers.rows import with_row_index as with_row_index

__all__ = [
    "CurriculumTrainerMixin",
    "LightningRecordDynamics",
    "ROW",
    "RecordDynamics",
    "carry_rows",
    "curriculum_trainer",
    "with_row_index",
]
