"""Loading a dump through the stock client, and counting what came of it."""

from collections.abc import Mapping, Sequence

from dumpers.contract.connection import Connection
from dumpers.contract.restoring import RestoreRequest
from dumpers.engines.mysql import client, programs
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.errors import (
    NO_SUCH_TABLE,
    NOT_THE_DEFINER,
    UNKNOWN_CHARACTERS,
    error_numbers,
)
from dumpers.engines.mysql.programs import Flavour, Program
from dumpers.engines.mysql.survey.schema import tables
from dumpers.engines.protocol import WHOLE, Restored, RestorePlan, StoredDump
from dumpers.runtime.errors import RESTORE_ERRORS, KsnapshotError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import PrefixedReader
from dumpers.streams.tool import Command, run_with_stdin

# Tables counted by one statement: it travels as an argument, which has a limit.
_COUNTED_AT_ONCE = 100
# Views of information_schema and how their columns for name and schema begin; `tables` has views
# in it.
_HOLDING = {"tables": "table", "routines": "routine", "events": "event"}
_DEFINED = {"views": "table", "routines": "routine", "events": "event", "triggers": "trigger"}


def load_backup(
    target: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest = WHOLE,  # noqa: ARG001
) -> Restored:
    """Load a backup into empty databases: one into the target's, several each into its own name.

    MySQL has no transaction around a schema: a load that fails leaves its database partly filled,
    and the error says so.
    """
    server = client.connect(target, errors=RESTORE_ERRORS, interrupt=interrupt)
    loader = _loader(server, interrupt=interrupt)
    names = list(dict.fromkeys(piece.name for piece in pieces))
    into = {names[0]: target.database} if len(names) == 1 else {name: name for name in names}
    for database in into.values():
        _check_empty(server, database, interrupt=interrupt)
    for piece in pieces:
        _load(server, loader, into[piece.name], piece, interrupt=interrupt)
    return Restored(
        notes=tuple(
            note
            for database in into.values()
            for note in _definers(server, database, interrupt=interrupt)
        )
    )


def count_rows(target: Connection, interrupt: Interrupt) -> Mapping[str, int]:
    """Count the rows of every table of the target's database, views left out."""
    server = client.connect(target, errors=RESTORE_ERRORS, interrupt=interrupt)
    database = target.database
    names = [
        table.name
        for table in tables(server, database, interrupt=interrupt)
        if not table.is_view and not table.is_sequence
    ]
    counts: dict[str, int] = {}
    for start in range(0, len(names), _COUNTED_AT_ONCE):
        part = names[start : start + _COUNTED_AT_ONCE]
        counted = [
            f"SELECT {number} AS place, COUNT(*) AS total FROM {client.identifier(name)}"  # noqa: S608  quoted
            for number, name in enumerate(part)
        ]
        rows = server.rows(
            "place, total",
            f"FROM ({' UNION ALL '.join(counted)}) AS counted",
            database=database,
            interrupt=interrupt,
        )
        counts |= {f"{database}.{part[int(place)]}": int(total) for place, total in rows}
    return counts


def _loader(server: Server, *, interrupt: Interrupt) -> Program:
    clients = client.programs(("mariadb", "mysql"), errors=RESTORE_ERRORS, interrupt=interrupt)
    loader = clients.get(server.flavour)
    if loader is None:
        wanted = "mariadb" if server.flavour is Flavour.MARIADB else "MySQL's own mysql"
        raise TargetRefusedError(
            f"the target is {server.flavour} {server.version}, and {wanted} is not in this image: "
            "use a dumper image that has it"
        )
    return loader


def _check_empty(server: Server, database: str, *, interrupt: Interrupt) -> None:
    held = []
    for kind, column in _HOLDING.items():
        rows = server.rows(
            f"{column}_name",
            f"FROM information_schema.{kind} WHERE {column}_schema = DATABASE() ORDER BY 2",
            database=database,
            interrupt=interrupt,
        )
        if rows:
            what = "tables and views" if kind == "tables" else kind
            held.append(f"{len(rows)} {what} ({rows[0][0]!r}{' …' if len(rows) > 1 else ''})")
    if held:
        raise TargetRefusedError(
            f"the database {database!r} is not empty, it holds {', '.join(held)}: restore into a "
            "new one"
        )


def _load(
    server: Server, loader: Program, database: str, piece: StoredDump, *, interrupt: Interrupt
) -> None:
    argv = [
        loader.name,
        *programs.arguments(loader, server.connection),
        *programs.names_in_utf8(),
        "--batch",
        # The client's own commands, such as running a shell, are data in a dump and nothing else.
        "--binary-mode",
        "--max-allowed-packet=1G",
    ]
    if database.isascii() or server.flavour is Flavour.MARIADB or server.number >= (8, 0):
        argv += ["--", database]
        first = b""
    else:
        # What MySQL's newer clients say to 5.7 while they connect is taken for latin1.
        first = f"USE {client.identifier(database)};\n".encode()
    command: Command = client.command(
        argv, server.connection, database=database, errors=RESTORE_ERRORS
    )
    try:
        with piece.open() as reader:
            run_with_stdin(command, PrefixedReader(first, reader), interrupt=interrupt)
    except KsnapshotError as error:
        raise type(error)(f"{error}{_cure(str(error))}; {_partly(database)}") from error


def _cure(text: str) -> str:
    """Advice on the error that a tool's words hold; empty where there is none."""
    numbers = error_numbers(text)
    if numbers & NOT_THE_DEFINER:
        return (
            " (the dump holds views, routines, triggers or events that are defined by another "
            "account: restore as one with SUPER, or with SET_ANY_DEFINER or SET_USER_ID on MySQL, "
            "SET USER on MariaDB)"
        )
    if NO_SUCH_TABLE in numbers:
        return (
            " (MariaDB names a default's sequence together with the database that was dumped: if "
            "that is what is missing, restore under that database's own name)"
        )
    if numbers & UNKNOWN_CHARACTERS:
        return (
            " (this server does not know the dump's collation: it is too old, or of the other kind)"
        )
    return ""


def _partly(database: str) -> str:
    return (
        f"the database {database!r} may be partly filled now, as there is no transaction around a "
        "schema: drop it and create it anew before the next try"
    )


def _definers(server: Server, database: str, *, interrupt: Interrupt) -> list[str]:
    """Name the accounts that views and programs run as, and that are not there."""
    listed = " UNION ".join(
        f"SELECT definer FROM information_schema.{kind} WHERE {column}_schema = DATABASE()"  # noqa: S608  constants
        for kind, column in _DEFINED.items()
    )
    rows = server.rows(
        "definer",
        f"FROM ({listed}) AS defined ORDER BY 2",
        database=database,
        interrupt=interrupt,
    )
    definers = [definer for (definer,) in rows if definer]
    if not definers:
        return []
    held = f"{database!r} holds views or programs that run as"
    try:
        accounts = server.rows("CONCAT(user, '@', host)", "FROM mysql.user", interrupt=interrupt)
    except TargetRefusedError:
        return [f"{held} {', '.join(definers)}: see to it that these accounts exist"]
    known = {account for (account,) in accounts}
    missing = [definer for definer in definers if definer not in known]
    if not missing:
        return []
    cure = "there is no such account here: create it, or they fail when used"
    return [f"{held} {', '.join(missing)}, and {cure}"]


def plan_restore(
    target: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest,
) -> RestorePlan:
    """See Engine.plan_restore."""
    raise NotImplementedError


def undo_swap(target: Connection, kept: Sequence[tuple[str, str]], interrupt: Interrupt) -> None:
    """See Engine.undo."""
    raise NotImplementedError


def forget_restored(target: Connection, names: Sequence[str], interrupt: Interrupt) -> None:
    """See Engine.forget."""
    raise NotImplementedError
