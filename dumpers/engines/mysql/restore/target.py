"""The server that is restored into: what it is, and what stands against writing there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dumpers.contract.connection import Connection
from dumpers.engines.mysql import client
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.restore.load import Loader, find_loader
from dumpers.engines.mysql.restore.moves import Move
from dumpers.engines.mysql.survey.database import grants
from dumpers.engines.mysql.survey.schema import databases
from dumpers.engines.mysql.survey.server.grants import Grants
from dumpers.runtime.errors import RESTORE_ERRORS, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt

_SETTINGS = (
    *("read_only", "super_read_only", "max_allowed_packet", "log_bin"),
    *("log_bin_trust_function_creators", "sql_require_primary_key"),
)
# Without these nothing of a dump loads; of the others, what it holds decides.
_NEEDED = ("CREATE", "DROP", "ALTER", "INSERT", "LOCK TABLES")
_WANTED = {
    "REFERENCES": "foreign keys",
    "INDEX": "indexes",
    "CREATE VIEW": "views",
    "CREATE ROUTINE": "routines",
    "TRIGGER": "triggers",
    "EVENT": "events",
}
_SMALL_PACKET = 64 << 20
_ON = frozenset(("ON", "1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server that answers: its databases, as far as the account sees them, its rights there."""

    loader: Loader
    present: tuple[str, ...]
    rights: Grants
    settings: Mapping[str, str]

    @property
    def server(self) -> Server:
        """The server."""
        return self.loader.server

    def is_on(self, setting: str) -> bool:
        """Whether a setting of the server is on; it may not know it."""
        return self.settings.get(setting, "").upper() in _ON


def look_at_target(connection: Connection, interrupt: Interrupt) -> Target:
    """Log in and ask; raises TargetRefusedError and TargetFailedError."""
    server = client.connect(connection, errors=RESTORE_ERRORS, interrupt=interrupt)
    names = ", ".join(f"'{name}'" for name in _SETTINGS)
    rows = server.raw(
        f"SHOW GLOBAL VARIABLES WHERE variable_name IN ({names})", interrupt=interrupt
    )
    settings = {row[0]: row[1] for row in rows if len(row) > 1}
    rights = grants(server, interrupt=interrupt)
    keyless = settings.get("sql_require_primary_key", "").upper() in _ON
    may_set = any(
        rights.may(right, "*")
        for right in ("SUPER", "SYSTEM_VARIABLES_ADMIN", "SESSION_VARIABLES_ADMIN")
    )
    loader = Loader(
        server=server,
        program=find_loader(server, interrupt=interrupt),
        settings="SET SESSION sql_require_primary_key = OFF;\n" if keyless and may_set else "",
    )
    return Target(
        loader=loader,
        present=databases(server, interrupt=interrupt),
        rights=rights,
        settings=settings,
    )


def check_versions(server: Server, moves: Sequence[Move]) -> None:
    """Raise TargetRefusedError where the backup is of a newer major release of this product."""
    for move in moves:
        for piece in move.pieces:
            release = piece.metadata.get("release")
            if piece.metadata.get("flavour") != server.flavour or not release:
                continue
            if int(str(release).partition(".")[0]) > server.number[0]:
                raise TargetRefusedError(
                    f"the backup is of {server.flavour} {release}, and the target is "
                    f"{server.version}: restore into the same or a newer release"
                )


def check_writable(target: Target, moves: Sequence[Move]) -> None:
    """Raise TargetRefusedError where the server, or the account's rights, let nothing be loaded."""
    for setting in ("super_read_only", "read_only"):
        if target.is_on(setting):
            raise TargetRefusedError(
                f"the target has {setting} = ON, as replicas do: name its primary, or SET GLOBAL "
                f"{setting} = OFF there"
            )
    for database in dict.fromkeys(
        name for move in moves for name in (move.loaded, move.live, move.kept) if name
    ):
        if lacking := [right for right in _NEEDED if not target.rights.may(right, database)]:
            raise TargetRefusedError(
                f"the account lacks {', '.join(lacking)} on the database {database!r}: GRANT ALL "
                f"ON {_pattern(database)}.* TO it, or restore as another account"
            )


def notes_on_target(target: Target, moves: Sequence[Move]) -> Iterator[str]:
    """What of a dump may not load there, as far as it is known before it is read."""
    for move in moves:
        lacking = [
            f"{right} ({what})"
            for right, what in _WANTED.items()
            if not target.rights.may(right, move.loaded)
        ]
        if lacking:
            yield (
                f"the account lacks {', '.join(lacking)} on {move.loaded!r}: a backup that holds "
                "such does not load"
            )
    packet = target.settings.get("max_allowed_packet", "")
    if packet.isdigit() and int(packet) < _SMALL_PACKET:
        yield (
            f"the server's max_allowed_packet is {int(packet) >> 20} MiB: larger rows do not load, "
            "and their hexadecimal form counts"
        )
    if target.is_on("sql_require_primary_key") and not target.loader.settings:
        yield "the server has sql_require_primary_key = ON: tables without one do not load"
    if (
        target.is_on("log_bin")
        and not target.is_on("log_bin_trust_function_creators")
        and not target.rights.may("SUPER", "*")
    ):
        yield (
            "the server has a binary log, log_bin_trust_function_creators = OFF, and the account "
            "is without SUPER: routines and triggers do not load"
        )
    if target.server.folds:
        yield "this server takes names of tables that differ only in case for the same"


def _pattern(database: str) -> str:
    r"""A database as GRANT takes it, where `_` and `%` stand for others."""
    return client.identifier(database.replace("_", r"\_").replace("%", r"\%"))
