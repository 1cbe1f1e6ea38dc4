"""Sparse matrices stay sparse for learners that take them, and are dense rows in blocks for the others."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

import dataaudit
from dataaudit.data import as_examples, inspect
from dataaudit.data.containers import taken
from dataaudit.data.derived import SubsetExamples
from dataaudit.errors import DataError, ModelError
from dataaudit.testing import ExamplesContract

N, WRONG = 60, 7
TRUTH = np.arange(N) % 3
LABELS = np.where(np.arange(N) == WRONG, 2, TRUTH)
COUNTS = np.random.default_rng(0).poisson(0.2 + 3 * np.eye(3, 9)[TRUTH]).astype(np.float32)
RARE = sparse.random(N, 3000, 0.01, random_state=0, format="csr", dtype=np.float32)
WIDE = sparse.hstack([sparse.csr_matrix(COUNTS), RARE], format="csr")
FORMATS = {
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_array,
    "coo": sparse.coo_matrix,
    "torch": lambda matrix: torch.tensor(sparse.csr_matrix(matrix).toarray()).to_sparse(),
}


SEEN = set()


class Watched(LogisticRegression):
    """A classifier that tells what it was given."""

    def fit(self, inputs, labels):
        SEEN.add(type(inputs))
        return super().fit(inputs, labels)


class TestContract(ExamplesContract):
    def examples(self):
        return SubsetExamples(as_examples((sparse.csc_matrix(COUNTS), LABELS)), np.arange(3, N - 2))

    def test_sparse_rows_are_the_dense_ones(self):
        examples, some = self.examples(), np.array([5, 0, 5])
        np.testing.assert_array_equal(examples.read_sparse(some).toarray(), examples.read(some))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_scores_of_the_dense_rows(kind):
    for model in (None, GaussianNB(), dataaudit.LinearProbe()):
        dense, other = (
            dataaudit.score(model, (rows, LABELS), "consensus", progress=False)
            for rows in (COUNTS, FORMATS[kind](COUNTS))
        )
        np.testing.assert_allclose(other.columns["consensus"], dense.columns["consensus"], rtol=1e-6)


def test_learners_that_take_sparse_rows_are_given_them():
    SEEN.clear()
    audit = dataaudit.score(Watched(max_iter=200), (sparse.coo_array(WIDE), LABELS), progress=False)
    assert {sparse.csr_array} == SEEN
    assert WRONG in audit.suspects(3)["row"].tolist()


def test_many_columns_need_no_model():
    audit = dataaudit.score(None, (WIDE, LABELS), progress=False)
    assert WRONG in audit.suspects(3)["row"].tolist()
    new = audit.score_new(WIDE[:2], progress=False)
    np.testing.assert_allclose(new["nearest_distance"], 0, atol=1e-4)
    removed = audit.apply(pd.DataFrame({"row": [WRONG], "decision": ["remove"]})).dataset
    assert type(removed[0]) is sparse.csr_matrix
    with pytest.raises(DataError, match="sparse matrix"):
        audit.to_dataset()


def test_rows_that_are_not_finite_are_named_and_the_layout_is_no_part_of_the_fingerprint():
    broken = COUNTS.copy()
    broken[4, 2] = np.nan
    broken = sparse.csr_matrix(broken)
    with pytest.raises(DataError, match="NaN or infinite inputs in row 4;"):
        inspect(as_examples((broken, LABELS)))
    with pytest.raises(ModelError, match="missing values in row 4"):
        dataaudit.score(None, (broken, LABELS), progress=False)
    assert dataaudit.score(None, (broken, LABELS), on_bad_rows="drop", progress=False).settings["dropped_rows"] == [4]
    twice = sparse.coo_matrix((np.ones(4, np.float32), ([0, 0, 1, 2], [1, 1, 0, 1])), (3, 2))
    once = sparse.csr_matrix(np.array([[0, 2], [1, 0], [0, 1]], np.float32))
    assert len({inspect(as_examples((rows, [0, 1, 0]))).fingerprint for rows in (twice, once)}) == 1


def test_what_would_not_fit_as_dense_rows_is_refused_with_what_to_take():
    huge = sparse.csr_matrix((np.ones(N, np.float32), (np.arange(N), LABELS)), (N, 10**7))
    with pytest.raises(DataError, match=r"GiB as dense rows.*LogisticRegression"):
        dataaudit.score(dataaudit.LinearProbe(), (huge, LABELS), progress=False)


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc])
def test_rows_of_sparse_tensors_are_taken_as_they_are(layout):
    given = torch.tensor(sparse.csr_matrix(COUNTS).toarray()).to_sparse(layout=layout)
    some = taken(given, np.array([0, 2, 5]))
    assert some.layout is layout
    assert torch.equal(some.to_dense(), given.to_dense()[[0, 2, 5]])


def test_rows_of_a_sparse_tensor_in_blocks_come_without():
    given = torch.tensor(sparse.csr_matrix(COUNTS).toarray())[:6, :8].to_sparse_bsr((2, 2))
    some = taken(given, np.array([0, 2, 5]))
    assert some.layout is torch.sparse_csr
    assert torch.equal(some.to_dense(), given.to_dense()[[0, 2, 5]])
