"""From a request to an audit: plan, collect, assemble.

Where a change goes: a kind of evidence is a file in evidence_sources/ and a line in its table.py, delivered among
`others`. What follows does not touch this room: a score is a file in dataaudit/scores/ and a line in its __init__.py,
an engine one in density/ and a line in engines.py, a search one in neighbours/ and a line in search.py, a space one
in representations/ and a line in spaces.py, a task one in tasks/ and a line in its __init__.py, a command one in
cli/commands/, which is found by itself, and a section of the report a line in audit/report_sections.py and, where it
is no table, a file in report/.
"""
