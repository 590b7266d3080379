"""Making a throwaway server what a backup needs to load as it does into its own server."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from dumpers.contract.connection import Connection
from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.drilling.own_server import check_loopback, check_mark
from dumpers.engines.drilling.protocol import DrilledObject
from dumpers.engines.mysql.client import Server, identifier, literal
from dumpers.engines.mysql.drill.server import LOGIN
from dumpers.engines.mysql.plan import FOLDS
from dumpers.engines.mysql.programs import Flavour
from dumpers.engines.mysql.restore.load import Loader
from dumpers.engines.mysql.restore.moves import views_across
from dumpers.engines.mysql.restore.target import Target, look_at_target
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import TargetFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt

# Of MySQL from here on, and of MariaDB never, the releases of a major are one.
_ONE_MAJOR_SINCE = 9
_DEFINER = re.compile(rb"DEFINER=(`(?:[^`]|``)*`)@(`(?:[^`]|``)*`)")
# Names of accounts have up to 80 letters, of hosts 255.
_LONGEST_DEFINER = 2048
_BLOCK_BYTES = 1 << 20
# What the accounts' names begin with that every server has.
BUILT_IN = ("mysql.", "mariadb.")


def prepare_drill(
    server: Connection, objects: Sequence[DrilledObject], interrupt: Interrupt
) -> RestoreRequest:
    """See DrilledEngine: every database of the backup is made, empty, under its own name.

    So are the accounts that its views and programs run as, which it does not hold.
    """
    target = find_own_server(server, interrupt)
    pieces = [item.stored for item in objects]
    for piece in pieces:
        check_release(target.server, piece)
    names = databases_of(pieces)
    target.loader.run(
        [f"CREATE DATABASE IF NOT EXISTS {identifier(name)}" for name in names],
        interrupt=interrupt,
    )
    _make_definers(target.loader, pieces, interrupt)
    return RestoreRequest(names={name: name for name in names})


def find_own_server(server: Connection, interrupt: Interrupt) -> Target:
    """The drill's own server; TargetRefusedError for another one, TargetFailedError for none."""
    check_loopback(server)
    target = look_at_target(server, interrupt)
    [(account,)] = target.server.rows("CURRENT_USER()", "", interrupt=interrupt)
    check_mark(server, has=account.rpartition("@")[0] == LOGIN, mark=f"the login {LOGIN}")
    return target


def databases_of(pieces: Sequence[StoredDump]) -> list[str]:
    """The databases of a backup, in its order."""
    across = views_across(pieces)
    return list(dict.fromkeys(piece.name for piece in pieces if piece not in across))


def _make_definers(loader: Loader, pieces: Sequence[StoredDump], interrupt: Interrupt) -> None:
    """Make the accounts that views and programs run as: without them views do not load."""
    found = {account for piece in pieces for account in _definers_in(piece)}
    for user, host in sorted(found):
        if user.startswith(BUILT_IN):
            continue
        account = f"{literal(user)}@{literal(host)}"
        # What only looks like an account, as within a text, may be none.
        with suppress(TargetFailedError, TargetRefusedError):
            loader.run(
                [
                    "SET SESSION sql_mode = ''",
                    f"CREATE USER IF NOT EXISTS {account}",
                    f"GRANT ALL PRIVILEGES ON *.* TO {account}",
                ],
                interrupt=interrupt,
            )


def _definers_in(piece: StoredDump) -> Iterator[tuple[str, str]]:
    with piece.open() as reader:
        held = b""
        while block := reader.read(_BLOCK_BYTES):
            data = held + block
            for found in _DEFINER.finditer(data):
                yield _unquoted(found[1]), _unquoted(found[2])
            held = data[-_LONGEST_DEFINER:]


def _unquoted(name: bytes) -> str:
    return name[1:-1].replace(b"``", b"`").decode("utf-8", "replace")


def check_release(server: Server, piece: StoredDump) -> None:
    """Raise TargetRefusedError where a server is none that the piece can be tried on."""
    if piece.metadata.get(FOLDS) and not server.folds:
        raise TargetRefusedError(
            "the dumped server takes names that differ in case alone for one "
            "(lower_case_table_names is not 0 there), and throwaway servers tell them apart: what "
            "one loads the other may not, so this version drills no backups of such a server"
        )
    flavour, release = piece.metadata.get("flavour"), piece.metadata.get("release")
    if not flavour or not release:
        return
    own = ".".join(map(str, server.number))
    is_same = flavour == server.flavour and (
        release == own
        or (
            flavour == Flavour.MYSQL
            and server.number[0] >= _ONE_MAJOR_SINCE
            and str(release).partition(".")[0] == str(server.number[0])
        )
    )
    if not is_same:
        raise TargetRefusedError(
            f"the backup is of {flavour} {release}, and the throwaway server is {server.flavour} "
            f"{server.version}"
        )
