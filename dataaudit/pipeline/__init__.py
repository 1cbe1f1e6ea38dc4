"""From a request to an audit: plan, collect, assemble.

Where a change goes: a kind of evidence into evidence_sources/ (a line in its table.py), a score into dataaudit/scores/,
an engine into density/ and a search into neighbours/, a space into representations/, a task into tasks/ (each with a
line in its room's registry), a command into cli/commands/, a section of the report into audit/report.py and report/.
Nothing of these but the first touches this room.
"""
