"""The accounts that restored views and programs run as."""

from dumpers.engines.mysql.client import Server
from dumpers.runtime.errors import TargetRefusedError
from dumpers.runtime.interrupt import Interrupt

# Views of information_schema and how their columns for name and schema begin.
_DEFINED = {"views": "table", "routines": "routine", "events": "event", "triggers": "trigger"}


def lacking_definers(server: Server, database: str, *, interrupt: Interrupt) -> list[str]:
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
