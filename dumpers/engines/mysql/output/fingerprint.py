"""What mysqldump and mariadb-dump write, to be scanned: rows in INSERTs, and all between them."""

import re

from dumpers.engines.script_scanner import ScriptForm

_INTO = rb"(?:INSERT|REPLACE) +(?:IGNORE +|DELAYED +)*INTO "
# With line ends as they are.
_NAME = rb"`(?:[^`]|``)*+`"
_SANDBOX = rb"/\*M?!999999\\- enable the sandbox mode \*/ ?"
DUMP_FORM = ScriptForm(
    # Before the tool's own beginning stands SQL of ours.
    title=re.compile(
        rb"(?:(?!-- (?:MySQL|MariaDB) dump |%b)[^\n]*\n)*(?:(?:--[^\n]*|%b)?\n)*"
        % (_SANDBOX, _SANDBOX)
    ),
    # The releases of tool and server, the host and the database.
    of_the_run=re.compile(
        rb"^(?:-- (?:(?:MySQL|MariaDB) dump |Host: |Server version\t)[^\n]*|%b)\n" % _SANDBOX,
        re.MULTILINE,
    ),
    last_line=re.compile(rb"^-- Dump completed[^\n]*\n\Z", re.MULTILINE),
    rows_head=re.compile(rb"%b(%b(?:\.%b)?)(?= )" % (_INTO, _NAME, _NAME)),
    sign=b"INTO `",
    unfinished_head=re.compile(rb"%b(?:%b|\.)*+(?:`(?:[^`]|``)*+)?\Z" % (_INTO, _NAME)),
    # Names of 64 characters, of a table and of its database.
    longest_head=1 << 12,
    # A line end within a value is written as \n.
    rows_end=b";\n",
    # Some of the tools write all rows of a statement into one line.
    counts_lines=False,
    # Of triggers, routines and events.
    body=(b"DELIMITER ;;\n", b"\nDELIMITER ;\n"),
    # Outside of bodies the tools write a line end within a text as \n.
    names_database=re.compile(
        rb"^-- Dumping (?:events|routines) for database '[^\n]*'\n", re.MULTILINE
    ),
    naming_sign=b" for database '",
)
