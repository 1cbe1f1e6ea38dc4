"""Texts as vectors without any model: their words, pairs of words and triples of letters, by TF-IDF, in few dimensions.

The dimensions are those of latent semantic analysis (Deerwester et al. 1990): the leading singular vectors of the
weighted counts. No label plays any part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray
from dataaudit.data.examples import Examples
from dataaudit.data.inspection import rows_per_block
from dataaudit.data.kinds import is_table
from dataaudit.data.texts import joined

DIMENSIONS = 512
"""Most dimensions of the vectors, by benchmarks/peers/words.py."""

SAMPLE = 20000
"""Most texts that vocabulary and dimensions are learned from: beyond, a sample of them."""

TERMS = 2**17
"""Most terms of a kind, the commonest first."""

HASHES = 2**20
"""Values of the hash that distinguishes terms of a kind."""

KINDS: dict[str, dict[str, Any]] = {
    "words": {"analyzer": "word", "token_pattern": r"(?u)\b\w+\b", "ngram_range": (1, 2)},
    "letters": {"analyzer": "char_wb", "ngram_range": (3, 3)},
}
"""Terms that are counted, each kind with weight 1: words and pairs, and triples of letters within words."""

DESCRIBED = "words, pairs of words and triples of letters by TF-IDF, by latent semantic analysis"
"""Record of the vectors, for an audit's settings."""


class Terms:
    """Counts of one kind of terms, weighted by TF-IDF: 1 + log(count), times how rare the term is; of length 1.

    Terms are distinguished by a hash, so that no vocabulary is kept. Those of one of the texts alone are left out, if
    any is not.
    """

    def __init__(self, counter: Any, columns: AnyArray, weights: Any) -> None:
        self._counter, self._columns, self._weights = counter, columns, weights

    @classmethod
    def learn(cls, kind: dict[str, Any], texts: list[str]) -> tuple[Terms, Any] | None:
        """Terms of texts, and what `weighted` gives of these; None where they have none."""
        from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

        counter = HashingVectorizer(n_features=HASHES, alternate_sign=False, norm=None, dtype=np.float32, **kind)
        counts = counter.transform(texts)
        frequency = np.bincount(counts.indices, minlength=HASHES)
        order = np.argsort(-frequency, kind="stable")[:TERMS]
        least = 2 if frequency.max() > 1 else 1
        columns = np.sort(order[frequency[order] >= least])
        if not len(columns):
            return None
        weights = TfidfTransformer(sublinear_tf=True).fit(counts[:, columns])
        return cls(counter, columns, weights), weights.transform(counts[:, columns])

    def weighted(self, texts: list[str]) -> Any:
        """Sparse float32 [b, terms], rows of length 1 or 0."""
        return self._weights.transform(self._counter.transform(texts)[:, self._columns])


class WordVectors:
    """Texts as vectors of length 1 and at most `dimensions`, learned from some of them, by terms of `KINDS`."""

    def __init__(self, texts: list[str], dimensions: int = DIMENSIONS, kinds: Sequence[str] = tuple(KINDS)) -> None:
        from scipy import sparse
        from sklearn.utils.extmath import randomized_svd

        # Texts of signs alone have no words.
        learned = [found for kind in kinds if (found := Terms.learn(KINDS[kind], texts)) is not None]
        self._terms = [terms for terms, _ in learned]
        weighted = sparse.hstack([rows for _, rows in learned], format="csr")
        size = min(dimensions, *weighted.shape)
        axes = randomized_svd(weighted, size, n_iter=2, random_state=0)[2]
        self.axes = np.ascontiguousarray(axes.T, np.float32)

    def of(self, texts: list[str]) -> AnyArray:
        """Vectors float32 [b, d] of length 1; zeros for a text without any known term."""
        vectors = np.asarray(self.weighted(texts) @ self.axes, np.float32)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(length > 0, length, 1.0))

    def weighted(self, texts: list[str]) -> Any:
        """Sparse [b, terms of all kinds], rows of length 1 or 0 for each kind."""
        from scipy import sparse

        return sparse.hstack([terms.weighted(texts) for terms in self._terms], format="csr")


def words_of(examples: Examples, sample: int = SAMPLE, block: int | None = None) -> WordVectors:
    """Terms and dimensions of texts, learned from `sample` of them.

    Memory: the counts of these, and 2 x TERMS x d numbers at most.
    """
    chosen = np.sort(np.random.default_rng(0).permutation(len(examples))[:sample])
    return WordVectors([text for part in _parts(examples, chosen, block) for text in part])


def word_rows(examples: Examples, vectors: WordVectors, block: int | None = None) -> AnyArray:
    """Texts as vectors float32 [n, d], in terms that were learned; 4 d bytes a text."""
    everything = np.arange(len(examples), dtype=np.int64)
    return np.concatenate([vectors.of(part) for part in _parts(examples, everything, block)])


def _parts(examples: Examples, rows: AnyArray, block: int | None) -> Iterator[list[str]]:
    block = block or rows_per_block(examples)
    for start in range(0, len(rows), block):
        read = examples.read(rows[start : start + block])
        yield list(joined(read) if is_table(read) else read)
