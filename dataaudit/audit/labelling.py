"""The way to the labelling tools that people have, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataaudit.audit.report_rows import Chosen, cards_of, chosen_rows
from dataaudit.audit.review import Reviews
from dataaudit.common import checks
from dataaudit.common.guest import visiting
from dataaudit.errors import SettingError
from dataaudit.exports import resolve
from dataaudit.exports.base import Export, ExportFormat, ExportRow

if TYPE_CHECKING:
    from dataaudit.data.examples import Examples
    from dataaudit.review.decisions import Decisions

FILES = "file"
"""Name of an identity whose entries are the files of images."""
NONE_ALIKE = np.zeros((0, 2, 0), np.int64)


class Labelling(Reviews):
    """Part of `dataaudit.Audit` that hands examples to labelling tools, and takes their answers."""

    @visiting()
    def export(
        self,
        tool: str | ExportFormat,
        folder: str | Path,
        dataset: Any = None,
        *,
        rows: Any = "auto",
        images: str | None = None,
        copy_images: bool = False,
        split: str | None = None,
        label: str | None = None,
        inputs: str | list[str] | None = None,
        transform: Callable[[Any], Any] | None = None,
    ) -> Path:
        """Write examples for a labelling tool, with the given and the suggested label of each.

        Texts and values of a table's rows are data in its files. Images are named by their files where the data set has
        files, as folders of images have; others are written as files beside the export. Every example carries its row,
        its name in the data set, the probability of an error, the reason, its rank, its place in the queue and the
        fingerprint of the data, by which `answers` knows it again.

        Parameters
        ----------
        tool
            "label_studio", "argilla", "prodigy", "fiftyone", one that a package registers (`dataaudit.exports.names`),
            or a `dataaudit.exports.ExportFormat`.
        folder
            New or empty folder for the files.
        dataset
            The audited data set; an audit that was not loaded remembers its own. Its fingerprint is checked.
        rows
            As in `report`: what `review` gives, for an interval of the number of errors afterwards; or "auto",
            "flagged", a number of the most suspicious, a list of rows, a table.
        images
            What stands before the names of images so that the tool finds them: a folder such as "photos/", or an
            address such as "http://localhost:8000/" or, for Label Studio, "/data/local-files/?d=photos/", in which
            names are percent-encoded. By default nothing, or the folder beside the export that they are written to.
        copy_images
            Whether images are written beside the export although the data set has files.
        split, label, inputs, transform
            As in `dataaudit.score`.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        DataError
            If `dataset` is not the audited one, `rows` are not rows of it, or an image's name leads out of the folder
            of images.
        SettingError
            If there is no such tool, or it does not show such examples.
        StorageError
            If the folder is not empty, or cannot be written.

        Examples
        --------
        >>> import tempfile, dataaudit
        >>> texts = ["a cat", "the cat", "cats", "a dog", "the dog", "dogs"]
        >>> audit = dataaudit.score(None, (texts, list("ccddcd")), "parzen/input", progress=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sorted(path.name for path in audit.export("label_studio", folder, rows=3).iterdir())
        ['config.xml', 'tasks.json']
        """
        from dataaudit.exports.write import check_new_folder, write_files

        chosen_tool, place = resolve(tool), Path(folder)
        checks.flag("copy_images", copy_images, "pass copy_images=True to write them")
        if not (images is None or isinstance(images, str)):
            raise SettingError(f"images={images!r}", "a text", "pass images='photos/', for example")
        check_new_folder(place)
        examples = self._original(dataset, split, label, inputs, transform)
        named = self._names_of_files(copy_images)
        made = list(self._export_rows(examples, chosen_rows(self, rows), chosen_tool, place, named))
        written = any(row.image is not None for row in made) and not named
        before = images if images is not None else f"{chosen_tool.image_folder}/" if written else ""
        export = Export(made, self.class_names, self.settings.get("fingerprint"), before)
        write_files(chosen_tool, export, place)
        return place

    def answers(self, tool: str | ExportFormat, path: str | Path) -> Decisions:
        """Read what people answered in a labelling tool about rows of this audit, as `Decisions`.

        Parameters
        ----------
        tool
            "label_studio" (its export in JSON) or "prodigy" (what ``prodigy db-out`` writes).
        path
            The file.

        Returns
        -------
        Decisions
            One a row and reviewer, undecided where nobody answered: for `apply`, `reviewed`, or ``write(path)``.

        Raises
        ------
        DataError
            If the answers are about another data set, rows or labels, or the file is not what the tool exports.
        SettingError
            If the answers of that tool are not read.
        StorageError
            If the file cannot be read.
        """
        from dataaudit.exports.answers import read_answers

        fingerprint = self.settings.get("fingerprint")
        return self._decisions(read_answers(resolve(tool), Path(path), fingerprint, self.class_names))

    def _names_of_files(self, copy_images: bool) -> bool:
        """Whether rows are named by the files of images, where they are images."""
        return not copy_images and self.identity is not None and list(self.identity.names) == [FILES]

    def _export_rows(
        self, examples: Examples, chosen: Chosen, tool: ExportFormat, folder: Path, named: bool
    ) -> Iterator[ExportRow]:
        """Rows to export; pictures that lie in no file are written as they are met."""
        from dataaudit.exports.content import Content, content_of
        from dataaudit.exports.write import check_image_name, put_image

        names = self._names()
        for rank, (position, card) in enumerate(
            zip(chosen.positions.tolist(), cards_of(self, None, chosen, NONE_ALIKE), strict=True), 1
        ):
            # Where a file is named, its picture need not be read.
            is_named_image = named and examples.channels is not None
            content = Content(b"") if is_named_image else content_of(examples.show(position))
            image = None
            if content.image is not None:
                image = check_image_name(str(card.key), card.row) if named else f"{card.row}.png"
            row = ExportRow(
                row=card.row,
                key=card.key,
                given=names[card.given],
                suggested=names[card.suggested],
                probability=None if card.probability != card.probability else card.probability,
                reason=card.reason,
                rank=rank,
                place=card.place,
                chance=card.chance,
                image=image,
                text=content.text,
                values=content.values,
            )
            _check_shown(tool, row)
            if image is not None and not named:
                put_image(folder / tool.image_folder, image, content.image or b"")
            yield row


def _check_shown(tool: ExportFormat, row: ExportRow) -> None:
    if not set(tool.shows) & set(row.kinds):
        raise SettingError(
            f"tool={tool.name!r} for examples of {' and '.join(row.kinds) or 'nothing'}, such as row {row.row}",
            f"examples of {', '.join(tool.shows)}, which it shows",
            "pass tool='label_studio', which shows any",
        )
