"""Examples in a sparse matrix, which stays one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.examples import Examples
from dataaudit.data.kinds import is_tensor
from dataaudit.data.labels import check_lengths, encode_labels, label_values
from dataaudit.data.rows import NUMBERS, as_array, transformed_rows
from dataaudit.errors import DataError


def is_sparse(inputs: Any) -> bool:
    """Tell whether inputs are a sparse matrix of scipy, or a sparse tensor of torch."""
    if is_tensor(inputs):
        import torch

        return bool(inputs.layout != torch.strided)
    return type(inputs).__module__.startswith("scipy.sparse")


class SparseExamples(Examples):
    """A sparse matrix of inputs [n, d] in any format, and labels [n]; see `dataaudit.data.as_examples`.

    It is kept by rows (csr, shared where it is that already), and read in dense blocks by whatever takes no sparse
    ones; `transform` is applied to a dense row [d].
    """

    source = "sparse matrix"

    def __init__(
        self,
        inputs: Any,
        labels: Any,
        *,
        transform: Callable[[Any], Any] | None = None,
        lenient: bool = False,
        unlabelled: tuple[Any, ...] | None = None,
    ) -> None:
        self._matrix = _by_rows(inputs)
        self.transform = transform
        values = label_values(labels, self.task)
        check_lengths(self._matrix.shape[0], len(values))
        super().__init__(*encode_labels(values, None, lenient, self.task, unlabelled))

    def show(self, index: int) -> dict[str, Any]:
        """Values of row `index` that are not 0, by column."""
        row = self._matrix[[int(index)]].tocoo()
        return {str(column): value for column, value in zip(row.col.tolist(), row.data.tolist(), strict=True)}

    def read_rows(self, indices: IntArray) -> AnyArray:
        """`read` for at least one row, dense."""
        if self.transform is not None:
            return transformed_rows(self.transform, lambda row: self._dense([row])[0], indices)
        return self._dense(indices)

    def read_sparse(self, indices: IntArray) -> Any:
        """Rows as csr [b, d]; None where a transform stands before them."""
        return None if self.transform is not None else self._matrix[indices]

    def _dense(self, indices: Any) -> AnyArray:
        return as_array(self._matrix[indices].toarray())


def _by_rows(inputs: Any) -> Any:
    """Matrix in csr format, without entries that stand twice."""
    if is_tensor(inputs):
        from scipy import sparse

        tensor = inputs.detach().cpu().to_sparse_coo().coalesce()
        if tensor.ndim != 2:
            raise DataError(
                f"a sparse tensor of shape {tuple(tensor.shape)}",
                "[n, features]",
                "pass its rows flat: tensor.to_dense().flatten(1)",
            )
        values = as_array(tensor.values())
        inputs = sparse.csr_matrix((values, tensor.indices().numpy()), shape=tuple(tensor.shape))
    if len(inputs.shape) != 2 or inputs.shape[1] == 0:
        raise DataError(
            f"a sparse matrix of shape {inputs.shape}",
            "[n, features]",
            "pass a matrix with a row for each example, and a column for each feature",
        )
    matrix = inputs.tocsr()
    if matrix.dtype.kind not in NUMBERS:
        raise DataError(f"a sparse matrix of {matrix.dtype}", "numbers", "pass matrix.astype(float)")
    if matrix.dtype.kind == "f" and matrix.dtype.itemsize not in (4, 8):
        matrix = matrix.astype(np.float64 if matrix.dtype.itemsize > 4 else np.float32)
    if not matrix.has_canonical_format:
        matrix = matrix.copy() if matrix is inputs else matrix
        matrix.sum_duplicates()
    return matrix
