"""The audited data set: remembered, or passed again and recognised."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataaudit.audit.label_errors import LabelDecisions
from dataaudit.common.types import AnyArray
from dataaudit.data.identity import spelled
from dataaudit.embedding import embedded
from dataaudit.errors import DataError, SettingError, rows

if TYPE_CHECKING:
    from dataaudit.data.examples import Examples

OPTIONS = ("split", "label", "inputs", "transform")
"""Options with which a data set is read again."""


class AuditedData(LabelDecisions):
    """Part of `dataaudit.Audit` that holds its data set, or recognises it."""

    @property
    def vectors(self) -> AnyArray | None:
        """Vectors that ``embed=`` made of the examples, float32 [n, d]; None without it, and of a loaded audit."""
        examples = self._examples
        return examples.array if isinstance(examples, embedded.EmbeddedExamples) else None

    def _data(self, dataset: Any) -> Examples | None:
        """The audited rows, for distances: of the data set that is remembered, or of `dataset`, recognised."""
        remembered = self._examples
        if remembered is not None:
            # Another audit may have been made of the same examples since.
            remembered.kept = self._kept
        if dataset is None:
            if remembered is None or remembered.origin is None or self.vectors is not None:
                return remembered
            # Arrays may have been written to since.
            examples = self._original(None, None, None, None, None)
        else:
            examples = self._recognised(dataset, None, None, None, None)
        if self.settings.get("embedding") is None or embedded.are_vectors(examples):
            return examples
        if self.vectors is None:
            raise DataError(
                "the texts or images of a loaded audit of their vectors, which are not saved with it",
                "the vectors that they became",
                ["pass the pair (vectors, labels), with what dataaudit.embed makes of them again", *self._in_cache()],
            )
        return remembered

    def _in_cache(self) -> list[str]:
        """Advice on vectors that lie in the folder of ``cache=``."""
        cache = self.settings.get("cache")
        return [] if cache is None else [f"pass those in {str(Path(cache['folder']) / 'embedding/vectors.npy')!r}"]

    def _original(self, dataset: Any, *options: Any) -> Examples:
        """The audited data set: the one that is passed, checked, or the one remembered."""
        examples = self._examples
        if dataset is not None:
            examples = self._recognised(dataset, *options)
        elif examples is None:
            raise DataError(
                "an audit that has no data set with it (it was loaded from disk, or made by a Recorder)",
                "the audited data set",
                "pass dataset=, with split=, label=, inputs= and transform= as they were in score()",
            )
        elif any(option is not None for option in options):
            names = " and ".join(
                f"{name}=" for name, option in zip(OPTIONS, options, strict=True) if option is not None
            )
            raise SettingError(f"{names} without dataset=", "both", ["pass dataset= too", f"leave {names} out"])
        origin = examples.origin
        if dataset is None and origin is not None and type(origin.dataset).__module__.split(".")[0] != "datasets":
            # Arrays and tables can be written to; a Hugging Face data set cannot.
            return self._checked(origin.dataset, origin.options)
        return examples

    def _recognised(self, dataset: Any, *options: Any) -> Examples:
        """Examples of a data set that has the rows, labels and fingerprint of the audited one.

        Options that are not given are those that the audit remembers, where this kind of data set takes them.
        """
        from dataaudit.data.containers import is_columns, is_records
        from dataaudit.data.examples import Examples
        from dataaudit.data.kinds import is_a, is_table

        def tabular(data: Any) -> bool:
            return is_table(data) or is_a(data, "datasets", "Dataset") or is_columns(data)

        given = dict(zip(OPTIONS, options, strict=True))
        splits = is_a(dataset, "datasets", "DatasetDict")
        columns = splits or tabular(dataset) or is_records(dataset)
        pair = isinstance(dataset, (tuple, list)) and len(dataset) == 2 and tabular(dataset[0])
        read = not isinstance(dataset, Examples)
        taken = {"split": splits, "label": columns, "inputs": columns or pair, "key": columns or pair}
        taken |= {"resize": read, "unlabelled": read}
        known = self.settings.get("data", {})
        remembered = {name: known.get(name) for name, takes in taken.items() if takes}
        return self._checked(
            dataset, {**remembered, **{name: value for name, value in given.items() if value is not None}}
        )

    def _checked(self, dataset: Any, options: dict[str, Any]) -> Examples:
        """Examples of a data set, read with these options; a `DataError` if it is another than the audited one."""
        from dataaudit.data import as_examples
        from dataaudit.data.derived import SubsetExamples

        dropped = bool(self.settings.get("dropped_rows"))
        examples = as_examples(dataset, **options, lenient=dropped, raw=self.settings.get("embedding") is not None)
        if dropped:
            whole = examples.whole if isinstance(examples, SubsetExamples) else examples
            examples = SubsetExamples(whole, self.rows) if self.rows[-1] < len(whole) else whole
        known, found = None, None
        other = self._other_rows(examples)
        if other is None:
            known, found = self._fingerprints(examples)
            other = None if found == known else (f"with fingerprint {found}", f"the audited one, {known}")
        if other is not None:
            raise DataError(f"a data set {other[0]}", other[1], self._same(options))
        if known is not None:
            # The same rows: what was computed from them holds.
            examples.kept = self._kept
        return examples

    def _other_rows(self, examples: Examples) -> tuple[str, str] | None:
        """How the rows, labels or names of a data set differ from the audited ones, and what those are."""
        if len(examples) != len(self.labels):
            return f"of {len(examples)} rows", f"the {len(self.labels)} that were audited"
        other = np.flatnonzero((examples.labels != self.labels) & (self.labels >= 0))
        if len(other) or tuple(examples.class_names) != tuple(self.class_names):
            named = f"other labels in {rows(self.rows[other])}" if len(other) else "other class names"
            return f"with {named} than the audited one", "the labels that were audited"
        names = self.identity, examples.identity
        if names[0] is not None and names[1] is not None and not names[0].equals(names[1]):
            named = spelled(names[1], int(np.argmax(names[0] != names[1])))
            return f"with other names of rows, such as {named!r}", "those that were audited"
        return None

    def _same(self, options: dict[str, Any]) -> str:
        """Advice on a data set that is another than the audited one, or was read otherwise."""
        known = self.settings.get("data", {})
        read = {name: known.get(name) for name in ("split", "label", "inputs") if options.get(name) is not None}
        otherwise = [f"{name}={value!r}" for name, value in read.items() if value not in (None, options[name])]
        if otherwise:
            return f"pass {' and '.join(otherwise)}, as the audited data set was read"
        return "pass the rows that were audited, in the same order, with the same transform"

    def _fingerprints(self, examples: Examples) -> tuple[str | None, str | None]:
        """Fingerprint of the audited data set, and of this one: of vectors, or of what they were made of."""
        from dataaudit.data.inspection import inspect

        embedding = self.settings.get("embedding")
        if embedding is not None and not embedded.are_vectors(examples):
            return embedding["fingerprint"], embedded.fingerprint(examples)
        known = self.settings.get("fingerprint")
        return known, None if known is None else inspect(examples, allow_missing=True).fingerprint
