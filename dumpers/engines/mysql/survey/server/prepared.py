"""Transactions that were prepared and not decided: what they changed is in no dump."""

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.errors import MAY_NOT_RECOVER, NO_RIGHT, error_numbers
from dumpers.engines.mysql.programs import Flavour
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.interrupt import Interrupt

# The first MariaDB that does so.
_NAMED_AS_SQL = (10, 3)
_TEXT = (
    "what these prepared transactions have changed is NOT in this dump until they are committed, "
    "if it is of these databases: XA COMMIT or XA ROLLBACK them"
)


def prepared_notes(server: Server, *, interrupt: Interrupt) -> tuple[Note, ...]:
    """A note on the server's prepared transactions, if this account may list them.

    Each goes by its name as XA COMMIT takes it. MySQL 8 and newer show them to accounts with the
    right XA_RECOVER_ADMIN only.
    """
    sql = "XA RECOVER CONVERT XID"
    if server.flavour is Flavour.MARIADB:
        sql = "XA RECOVER FORMAT='SQL'" if server.number >= _NAMED_AS_SQL else "XA RECOVER"
    try:
        rows = server.raw(sql, interrupt=interrupt)
    except KsnapshotError as error:
        if not error_numbers(str(error)) & {*NO_RIGHT, MAY_NOT_RECOVER}:
            raise
        return ()
    names = tuple(row[-1] for row in rows)
    return (Note(code=NoteCode.NOT_DUMPED, text=_TEXT, objects=names),) if names else ()
