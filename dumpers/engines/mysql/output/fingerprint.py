"""What mysqldump and mariadb-dump write, to be scanned: rows in INSERTs, and all between them."""

import re

from dumpers.engines.script_scanner import ScriptForm

_INTO = rb"(?:INSERT|REPLACE) +(?:IGNORE +|DELAYED +)*INTO "
_NAME = rb"`(?:[^`]|``)*`"
DUMP_FORM = ScriptForm(
    head=re.compile(rb"%b(%b(?:\.%b)?)(?= )" % (_INTO, _NAME, _NAME)),
    sign=b"INTO `",
    # A name may go on after any of its quotes, and holds line ends.
    unfinished_head=re.compile(rb"%b(?:%b\.?)?(?:`(?:[^`]|``)*)?\Z" % (_INTO, _NAME)),
    # A name of 64 characters, of a table and of its database.
    longest_head=1 << 11,
    # A line end within a value is written as \n.
    mark=b";\n",
    # Some of the tools write all rows of a statement into one line.
    counts_lines=False,
    # The releases of tool and server, host and database, and the time.
    of_the_run=re.compile(
        rb"^-- (?:(?:MySQL|MariaDB) dump |Host: |Server version\t"
        rb"|Dumping (?:events|routines) for database |Dump completed)[^\n]*\n",
        re.MULTILINE,
    ),
    run_signs=(
        *(b"SQL dump ", b"DB dump ", b"-- Host: ", b"-- Server version"),
        *(b" for database ", b"-- Dump completed"),
    ),
)
