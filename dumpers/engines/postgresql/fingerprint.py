"""What pg_dump writes as plain SQL, to be scanned: COPY blocks, and all between them."""

import re

from dumpers.engines.script_scanner import ScriptForm

# Quoted where it has to be, before the list of columns.
_NAME = rb'(?:"(?:[^"\n]|"")*"|[^\s".(]+)'
PLAIN_FORM = ScriptForm(
    head=re.compile(rb"COPY (%b(?:\.%b)?)(?= \(| FROM)[^\n]* FROM stdin;(?=\n)" % (_NAME, _NAME)),
    sign=b" FROM stdin;",
    unfinished_head=re.compile(rb"COPY [^\n]*\Z"),
    # 1,600 columns at most.
    longest_head=1 << 20,
    # Its first line end is that of the last row, or of the head. A backslash in a row is doubled.
    mark=b"\n\\.\n",
    counts_lines=True,
    # The releases, and the token of one run.
    of_the_run=re.compile(
        rb"^(?:-- Dumped (?:from database|by pg_dump) version [^\n]*|\\(?:un)?restrict [^\n]*)\n",
        re.MULTILINE,
    ),
    run_signs=(b"-- Dumped ", b"restrict "),
)
