"""Refusals of data sets: whatever they advise in Python's words works when it is followed."""

import pytest

from tests.advice import data_audits, data_columns, data_containers, data_files, data_images

PARTS = data_audits, data_columns, data_containers, data_files, data_images
CASES = {kind: case for part in PARTS for kind, case in part.CASES.items()}

assert len(CASES) == sum(len(part.CASES) for part in PARTS), "two cases of one name"


@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    assert left("data") == set()
