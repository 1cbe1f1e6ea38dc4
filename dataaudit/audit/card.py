"""What the card of a corrected data set says of its audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataaudit.audit.label_errors import LabelDecisions

DONE = {
    "drop": "rows that are likely wrong were left out",
    "relabel": "rows that are likely wrong carry the label suggested, or were left out where none is known",
    "weight": "all rows are kept, weighed by the probability that their label is right",
}


def summary_of(audit: LabelDecisions, policy: str, relabelled: int, left_out: int) -> str:
    """Section in Markdown: who looked at the labels, what was found, and what was done."""
    settings = audit.settings
    found = [str(audit.noise_rate()).splitlines()[0]] if audit.label_errors is not None else []
    return "\n".join(
        [
            "## Audit of the labels",
            "",
            f"{len(audit)} labels in {len(audit.class_names)} classes were audited by dataaudit "
            f"{settings.get('versions', {}).get('dataaudit', '')} (model: {settings.get('model')}, seed "
            f"{settings.get('seed')}, fingerprint of the data: {settings.get('fingerprint')}).",
            "",
            *(f"- {sentence}" for sentence in found),
            f"- {DONE[policy]}: {relabelled} relabelled, {left_out} left out",
        ]
    )
