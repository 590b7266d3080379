"""What pg_dump writes as plain SQL, to be scanned: COPY blocks, and all between them."""

import re
from collections.abc import Sequence

from dumpers.engines.script_scanner import ScriptForm

# Any line end within quotes is written as it is.
_QUOTED = rb'"(?:[^"]|"")*+"'
_NAME = rb'(?:%b|[^\s".(]++)' % _QUOTED
PLAIN_FORM = ScriptForm(
    title=re.compile(rb"(?:(?:--[^\n]*|\\restrict [^\n]*)?\n)*"),
    # The releases, and the token of one run.
    of_the_run=re.compile(
        rb"^(?:-- Dumped (?:from database|by pg_dump) version |\\restrict )[^\n]*\n", re.MULTILINE
    ),
    last_line=re.compile(rb"^\\unrestrict [^\n]*\n+\Z", re.MULTILINE),
    # Without columns there are two blanks.
    rows_head=re.compile(
        rb'COPY (%b(?:\.%b)?) (?:\((?:%b|[^")\n])*+\))? FROM stdin;(?=\n)' % (_NAME, _NAME, _QUOTED)
    ),
    sign=b"COPY ",
    unfinished_head=re.compile(rb'COPY (?:%b|[^"\n])*+(?:"(?:[^"]|"")*+)?\Z' % _QUOTED),
    # 1,600 columns at most, whose names have 63 bytes.
    longest_head=1 << 18,
    # Its first line end is that of the last row, or of the head. A backslash in a row is doubled.
    rows_end=b"\n\\.\n",
    counts_lines=True,
)
# With these, oids and times are in it, or what ANALYZE found.
_OTHERWISE = re.compile(r"--(?:verbose|statistics|statistics-only)|-[a-zA-Z]*v[a-zA-Z]*")


def is_repeatable(arguments: Sequence[str]) -> bool:
    """Whether pg_dump with these arguments writes the same of an equal database."""
    return not any(_OTHERWISE.fullmatch(argument) for argument in arguments)
