"""What InnoDB itself lists of a server's tables: with it, most of them need not be opened."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.programs import Flavour
from dumpers.engines.mysql.survey.server.grants import Grants
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields

_LOG = logging.getLogger(__name__)

# A file's name in the form of a name of SQL; only MariaDB can be asked for it.
_PLAIN = "CONVERT(CONVERT(CAST({} AS BINARY) USING filename) USING utf8mb4)"
# A flag of a tablespace of MySQL's.
_ENCRYPTED = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class InnoDB:
    """The tables that InnoDB lists, by database and name.

    `sizes` are those of their files in bytes, of tables that have one file of their own, which is
    there and not encrypted. `references` are the tables that the foreign keys of each table refer
    to; None where that is not known.
    """

    sizes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    references: Mapping[tuple[str, str], frozenset[tuple[str, str]]] | None = None


def ask_innodb(server: Server, rights: Grants, *, interrupt: Interrupt) -> InnoDB:
    """Read InnoDB's lists, which are empty for an account without the right PROCESS."""
    if not rights.may("PROCESS", "*"):
        return _unlisted("the account lacks the right PROCESS")
    try:
        sizes = _sizes(server, interrupt=interrupt)
        references = None
        if server.flavour is Flavour.MARIADB:
            references = _references(server, interrupt=interrupt)
    except (server.errors.failed, server.errors.refused) as error:
        # A server without InnoDB. Where it is the connection, the next question fails, too.
        return _unlisted(str(error))
    return InnoDB(sizes=sizes, references=references)


def _unlisted(why: str) -> InnoDB:
    _LOG.info("every table will be opened", extra=fields(why=why))
    return InnoDB()


def _sizes(server: Server, *, interrupt: Interrupt) -> dict[str, dict[str, int]]:
    known = "innodb_tablespaces" if server.number >= (8, 0) else "innodb_sys_tablespaces"
    parts = ", ".join(_halves("name"))
    # Names of files to 5.7, later those of SQL, which may hold what stands between their parts:
    # tables whose names differ in the two are opened.
    condition = f"AND name NOT LIKE '%/%/%' AND name NOT LIKE '%@%' AND flag & {_ENCRYPTED} = 0"
    if server.flavour is Flavour.MARIADB:
        known, parts, condition = "innodb_sys_tablespaces", _parts("name"), ""
    rows = server.rows(
        f"{parts}, file_size",
        # A partition has such a sign in its name, and does not show whether the others are there.
        f"FROM information_schema.{known} WHERE name LIKE '%/%' AND name NOT LIKE '%#%' "
        f"AND file_size > 0 {condition}",
        interrupt=interrupt,
    )
    sizes: dict[str, dict[str, int]] = {}
    for database, table, size in rows:
        sizes.setdefault(database, {})[table] = int(size)
    if server.flavour is Flavour.MARIADB:
        # A question of its own, as the server would ask it anew for every row.
        encrypted = server.rows(
            _parts("name"),
            "FROM information_schema.innodb_tablespaces_encryption "
            "WHERE encryption_scheme <> 0 AND name LIKE '%/%'",
            interrupt=interrupt,
        )
        for database, table in encrypted:
            sizes.get(database, {}).pop(table, None)
    return sizes


def _references(
    server: Server, *, interrupt: Interrupt
) -> dict[tuple[str, str], frozenset[tuple[str, str]]]:
    rows = server.rows(
        f"{_parts('for_name')}, {_parts('ref_name')}",
        "FROM information_schema.innodb_sys_foreign",
        interrupt=interrupt,
    )
    found: dict[tuple[str, str], frozenset[tuple[str, str]]] = {}
    for schema, table, other_schema, other in rows:
        key = (schema, table)
        found[key] = found.get(key, frozenset()) | {(other_schema, other)}
    return found


def _parts(name: str) -> str:
    """The expressions of a database and a table in a name of InnoDB's."""
    return ", ".join(_PLAIN.format(half) for half in _halves(name))


def _halves(name: str) -> list[str]:
    return [f"SUBSTRING_INDEX({name}, '/', {part})" for part in (1, -1)]
