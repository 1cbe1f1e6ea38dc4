"""The result: scores of every example, a record of how, and the examples to look at first."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dataaudit.audit import storage
from dataaudit.audit.findings import Findings
from dataaudit.audit.label_errors import FITS
from dataaudit.audit.labelling import Labelling
from dataaudit.audit.plots import Plots
from dataaudit.audit.report import page_of
from dataaudit.audit.weights import TrainingWeights
from dataaudit.common import checks
from dataaudit.common.guest import visiting
from dataaudit.common.shown import visible
from dataaudit.findings.gather import as_kept
from dataaudit.report.html import write_report

BEFORE = "not told: the model was trained on these labels; pass it as it was before that"
"""Of label errors, by a model that has seen the labels."""


def _later(name: str) -> bool:
    """Whether a field serves later questions in the same process, and is not saved."""
    return name == "evidence" or name.startswith("_")


@dataclass(frozen=True, eq=False, repr=False)
class Audit(Findings, Labelling, TrainingWeights):
    """Scores of every example of a labelled data set; result of `dataaudit.score`.

    Attributes
    ----------
    columns
        Values by score name, float64 [n] each, higher = more regular, NaN where an example has no score.
    ties
        What orders examples of equal score, by score name, float64 [n].
    labels
        Given labels, int64 [n], positions in `class_names`; -1 where a record without its data set is audited, and a
        row was never seen: it has no name.
    class_names
        Class names as the data set spells them, [C].
    default
        Score that ranks when none is named.
    suggested
        Likeliest class, int64 [n], -1 where nothing is known.
    margin
        Logit of the given label minus the largest other logit, mean over epochs where there are any, [n].
    settings
        Seed, model, recipe, device, precision, engine, search, versions, fingerprint of the data, notes.
    timings
        Seconds by stage.
    dynamics
        Training dynamics with their per-epoch matrices, or None.
    uncertainties
        Standard errors, intervals, numbers of holdouts and reliability, by name of those scores that are estimates.
    label_errors
        Estimated rate of label errors and the probability of each; None where nothing says what class an example is of.
    identity
        Names of the audited rows in the data set, a pandas Index [n] of one level or several (a DataFrame's index, a
        column named by ``key=``, files, lines), which all tables carry beside the ``row``; None where the data set has
        nothing but positions.
    evidence
        What the scores were computed from, neighbours and predictions among it; None of an audit that was loaded.

    Notes
    -----
    For later questions an audit also keeps, by reference, its data set, the trained model with its hidden layer of all
    rows, and the search of neighbours as it was passed. None of these is saved, nor is the evidence: a loaded audit is
    given its data set again, and takes the search by the name in its settings. No other search answers in its place.

    Examples
    --------
    >>> import dataaudit
    >>> from sklearn.datasets import load_iris
    >>> iris = load_iris(as_frame=True).frame
    >>> iris.loc[[5, 60, 110], "target"] = [1, 2, 0]  # three label errors
    >>> audit = dataaudit.score(None, iris, label="target", progress=False)
    >>> audit.suspects(3)["row"].tolist()
    [5, 60, 110]
    >>> audit.default, len(audit), audit.class_names
    ('consensus', 150, ('0', '1', '2'))
    """

    @property
    def plot(self) -> Plots:
        """Figures of the page as matplotlib axes: ``audit.plot.data_map()``; they need the extra ``plots``."""
        return Plots(self)

    @visiting()
    def report(
        self,
        path: str | Path,
        dataset: Any = None,
        *,
        rows: Any = "auto",
        title: str | None = None,
        split: str | None = None,
        label: str | None = None,
        inputs: str | list[str] | None = None,
        transform: Callable[[Any], Any] | None = None,
    ) -> Path:
        """Write one file in which a person sees what was found and decides label by label.

        It opens in any browser, is allowed to load nothing from anywhere, and holds at most about 15 MB whatever the
        number of examples. Decisions stay in the browser, and are downloaded from there as a decision file.

        Parameters
        ----------
        path
            File to write; its folder must exist.
        dataset
            The audited data set, for the pictures of an audit that was loaded from disk; an audit that was
            not loaded remembers its own. Its fingerprint is checked.
        rows
            Examples to decide about: "auto" for those that are flagged, and the 100 most suspicious at least; "flagged"
            for the former alone; a number of the most suspicious; a list of rows; or a table with a column ``row``,
            such as `mislabeled` gives, or what `review` gives. As many as the file can hold are shown, and the page
            says how many.
        title
            Heading of the page.
        split, label, inputs, transform
            As in `dataaudit.score`.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        DataError
            If `dataset` is not the audited one, or `rows` are not rows of it.
        ModelError
            If rows="flagged", and how many labels are wrong is not known.
        SettingError
            If `rows` or `title` is none of what it can be.
        StorageError
            If the file cannot be written.

        Examples
        --------
        >>> import dataaudit
        >>> from sklearn.datasets import load_iris
        >>> iris = load_iris(as_frame=True).frame
        >>> iris.loc[[5, 60, 110], "target"] = [1, 2, 0]  # three label errors
        >>> audit = dataaudit.score(None, iris, label="target", progress=False)
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     audit.report(f"{folder}/report.html", rows=5).stat().st_size < 2**20
        True
        """
        examples = self._examples
        if dataset is not None:
            examples = self._recognised(dataset, split, label, inputs, transform)
        return write_report(page_of(self, examples, rows, title), path)

    @visiting()
    def save(self, folder: str | Path, *, neighbours: bool = False) -> Path:
        """Save as Parquet and JSON in `folder`, which then is a whole audit or what it was before.

        Parameters
        ----------
        folder
            Where; created if it does not exist.
        neighbours
            Whether the neighbours from which `duplicates`, `outliers` and `ambiguous` start are saved too, those of
            the inputs found first if no question has found them yet: 12 to 16 bytes for each of the 100 nearest of
            every row, before compression. What is loaded answers these questions without a search, and those that ask
            for no inputs without the data set.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        DataError
            If neighbours=True, none were found, and the data set is not at hand.
        SettingError
            If `neighbours` is neither True nor False.
        StorageError
            If the folder holds anything but an audit, or cannot be written.

        Examples
        --------
        >>> import dataaudit
        >>> from sklearn.datasets import load_iris
        >>> iris = load_iris(as_frame=True).frame
        >>> iris.loc[[5, 60, 110], "target"] = [1, 2, 0]  # three label errors
        >>> audit = dataaudit.score(None, iris, label="target", progress=False)
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     again = dataaudit.Audit.load(audit.save(f"{folder}/audit"))
        >>> bool((again.ranking() == audit.ranking()).all())
        True
        """
        checks.flag("neighbours", neighbours, "pass neighbours=False to save scores alone")
        kept = {one.name: getattr(self, one.name) for one in fields(self) if not _later(one.name)}
        return storage.save({**kept, "neighbours": self._found() if neighbours else {}}, folder)

    @classmethod
    @visiting()
    def load(cls, folder: str | Path) -> Audit:
        """Load what `save` wrote.

        Raises
        ------
        StorageError
            If the folder is not an audit, or a file of it is missing or damaged.
        """
        fields = storage.load(folder)
        return cls(_kept=as_kept(fields.pop("neighbours")), **fields)

    def _facts(self) -> list[tuple[str, str]]:
        settings = self.settings
        shown = [name for name in self.columns if name != self.default]
        return [
            ("model", f"{settings.get('model')}, seed {settings.get('seed')}, on {settings.get('device')}"),
            ("default score", f"{self.default} (higher = more regular)"),
            ("other scores", ", ".join(shown) or "none"),
            *([("label errors", str(self.noise_rate()).splitlines()[0])] if self.label_errors is not None else []),
            *([("label errors", BEFORE)] if self.label_errors is None and FITS in settings else []),
            *([("labels it agrees with", str(self.agreement))] if str(self.agreement) else []),
            ("time", f"{self.timings.get('total', 0.0):.1f} s"),
            *(("note", note) for note in settings.get("notes", [])),
        ]

    def __repr__(self) -> str:
        # Twelve lines: notes are counted, and shown by a notebook and the report.
        facts, notes = self._facts(), self.settings.get("notes", [])
        shown = [fact for fact in facts if fact[0] in ("model", "label errors", "labels it agrees with")]
        if notes:
            more = f" (and {len(notes) - 1} more in settings['notes'])" if len(notes) > 1 else ""
            shown.append(("note", textwrap.shorten(notes[0], 90 - len(more), placeholder=" ...") + more))
        lines = [f"Audit of {len(self)} examples in {len(self.class_names)} classes"]
        lines += ["  " + textwrap.shorten(f"{name}: {text}", 98, placeholder=" ...") for name, text in shown]
        lines.append(f"  most suspicious by {self.default} (higher = more regular):")
        table = self.suspects(5).to_string(index=False, max_colwidth=24, float_format="{:.4g}".format)
        # Names of classes are a stranger's.
        return visible("\n".join([*lines, textwrap.indent(table, "    ")]), keep="\n")

    def _repr_html_(self) -> str:
        facts = "".join(f"<dt>{html.escape(n)}</dt><dd>{html.escape(t)}</dd>" for n, t in self._facts())
        table = self.suspects(10).to_html(index=False, float_format="{:.4g}".format)
        title = f"Audit of {len(self)} examples in {len(self.class_names)} classes"
        return f"<div><b>{title}</b><dl>{facts}</dl>{table}</div>"
