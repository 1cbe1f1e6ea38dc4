"""Card of a Hugging Face data set: what was corrected in it is told where it is published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

README = "README.md"
BEGIN, END = "<!-- dataaudit: begin -->", "<!-- dataaudit: end -->"
"""Marks around our section, which the next upload replaces."""


@dataclass
class _Published:
    """``push_to_hub`` of a data set, which adds a section to its card."""

    dataset: Any
    section: str

    def __call__(self, repo_id: str, *arguments: Any, **options: Any) -> Any:
        from huggingface_hub import HfApi, hf_hub_download

        done = type(self.dataset).push_to_hub(self.dataset, repo_id, *arguments, **options)
        revision = getattr(done, "pr_revision", None) or options.get("revision")
        where: dict[str, Any] = {"repo_id": repo_id, "repo_type": "dataset", "revision": revision}
        token = options.get("token")
        card = Path(hf_hub_download(filename=README, token=token, force_download=True, **where)).read_text("utf-8")
        HfApi(token=token).upload_file(
            path_or_fileobj=with_section(card, self.section).encode(),
            path_in_repo=README,
            commit_message="What the audit of the labels found",
            **where,
        )
        return done


def carded(dataset: Any, section: str) -> Any:
    """A `Dataset` or `DatasetDict` whose own ``push_to_hub`` adds a section, in Markdown, to its card."""
    dataset.push_to_hub = _Published(dataset, section)
    return dataset


def with_section(card: str, section: str) -> str:
    """A card with our section, in the place of an earlier one.

    >>> again = with_section(with_section("# Birds", "first"), "second")
    >>> again.startswith("# Birds"), "first" in again, again.count("second")
    (True, False, 1)
    """
    before, _, rest = card.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before.rstrip()}\n\n{BEGIN}\n{section.strip()}\n{END}\n{after.lstrip()}"
