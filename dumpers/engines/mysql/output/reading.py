"""The commands of the dump tools, and reading what they write."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from dumpers.engines.mysql import commands, programs
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.locks import Patience
from dumpers.engines.mysql.output.note_verbosity import (
    WithoutNoteVerbosity,
    refuses_note_verbosity,
)
from dumpers.engines.mysql.programs import Flavour, Program
from dumpers.engines.mysql.survey.database import Survey
from dumpers.runtime.errors import DUMP_ERRORS
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import PrefixedReader, Reader
from dumpers.streams.tools.held_tool import HeldToolReader
from dumpers.streams.tools.tool import Command, ToolReader

_HEAD = re.compile(
    rb"(?:/\*M?!999999\\- enable the sandbox mode \*/ ?\n)?-- (?:MySQL|MariaDB) dump \d"
)
_END = re.compile(rb"(?:\A|\n)-- Dump completed(?: on [0-9: -]+)?\n\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpTool:
    """The dump program, the server that it reads, and the user's `own` options for it."""

    program: Program
    server: Server
    own: Sequence[str]


def prove(head: bytes, tail: bytes) -> str | None:
    """Return what is wrong with a dump, judged by its first and last bytes; None if nothing is."""
    if not _HEAD.match(head):
        return "it does not start as the output of mysqldump or mariadb-dump does"
    if not _END.search(tail):
        return "its last line is not `-- Dump completed`"
    return None


@contextmanager
def run_tool(
    tool: DumpTool,
    command: Command,
    databases: Sequence[str],
    *,
    opening: str,
    heard: list[ToolReader],
    interrupt: Interrupt,
) -> Iterator[Reader]:
    """Read what the tool writes, behind SQL that opens the session; leaving ends the tool.

    Its reader goes into `heard`, where its complaint is once it has ended. A tool that waits for a
    lock in vain ends with an error that names who may hold it.
    """
    with (
        Patience(tool.server, databases, interrupt=interrupt) as patience,
        HeldToolReader(command, proof=prove, interrupt=patience.interrupt) as reader,
    ):
        heard.append(reader)
        yield dressed(tool, patience.watched(reader), opening=opening)


def dressed(tool: DumpTool, reader: Reader, *, opening: str) -> Reader:
    """What the tool writes as it is stored: behind SQL that opens the session."""
    if refuses_note_verbosity(tool.server):
        reader = WithoutNoteVerbosity(reader)
    return PrefixedReader(opening.encode(), reader)


def dump_command(
    tool: DumpTool,
    surveys: Sequence[Survey],
    options: Sequence[str],
    *,
    names: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    is_placed: bool = False,
) -> Command:
    """Make the command that dumps one database, or the tables `names` of it.

    Several databases are dumped with the statements that change from one to the next, a single one
    that `is_placed` with the one that changes to it.
    `leave_out` holds full names of tables and views.
    """
    program, server = tool.program, tool.server
    bytewise = any(found.bytewise for found in surveys)
    mysql = program.flavour is Flavour.MYSQL
    argv = [
        program.name,
        *programs.arguments(program, server.connection),
        "--single-transaction",
        "--quick",
        "--no-tablespaces",
        # The longest row that a server can hold; a smaller limit ends the dump there.
        "--max-allowed-packet=1G",
    ]
    if bytewise:
        # Without a character set around them, as definitions need one.
        argv += ["--default-character-set=binary", "--skip-set-charset"]
    if not bytewise or not mysql:
        # mysqldump marks bytes as such and leaves what is UTF-8 legible; mariadb-dump does not.
        argv.append("--hex-blob")
    if mysql:
        # A dump of some databases is no replica: with the whole server's GTIDs in it, it would not
        # load where there are others, nor without the rights of an administrator.
        argv += ["--set-gtid-purged=OFF", "--loose-column-statistics=0"]
        argv += programs.session(**({"character_set_results": "binary"} if bytewise else {}))
    elif any(table.is_sequence for found in surveys for table in found.tables):
        # With a table locked, MariaDB refuses the sequence that its default comes from.
        argv += ["--skip-add-locks"]
    argv += [*options, *(f"--ignore-table={name}" for name in leave_out), *tool.own]
    databases = [found.database for found in surveys]
    if len(databases) > 1 or is_placed:
        argv += ["--no-create-db", "--databases"]
    argv += ["--", *databases, *names]
    return commands.command(
        argv, server.connection, database=databases[0], logged_in=True, errors=DUMP_ERRORS
    )
