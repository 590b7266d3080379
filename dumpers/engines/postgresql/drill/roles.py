"""Comparing what two dumps say of a server's roles and databases; pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dumpers.engines.postgresql.drill.server import LOGIN
from dumpers.engines.postgresql.restore.roles import MEMBERSHIP, OF_ROLE, unquoted
from dumpers.engines.postgresql.restore.script.statements import split_statements

_DATABASES = b"\n--\n-- Databases: "
_BEGIN, _END = "-- Database ", "-- End of database "
_COMMENTS = re.compile(rb"\A(?:\s*(?:--|\\)[^\n]*\n|\s+)*")
_NAME = r'("(?:[^"]|"")+"|[^\s;"]+)'
_EVERYBODY = b"ALL"
# Never more of a statement: it may hold a password's hash.
_SHOWN = re.compile(
    rf"(?:CREATE|ALTER|COMMENT ON|SECURITY LABEL FOR \S+ ON) ROLE {_NAME}|GRANT {_NAME} TO {_NAME}"
    rf"|(?:ALTER|COMMENT ON|CREATE) DATABASE|(?:GRANT|REVOKE) \w+ ON \w+"
)
_UNPROVED = (
    "where tablespaces lie: a drill makes them beside its server's data",
    "settings of all roles in all databases (ALTER ROLE ALL), which a restore leaves to a person",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalsFound:
    """What differs between two dumps of a server's globals, in sentences; and what is not seen."""

    faults: tuple[str, ...]
    unproved: tuple[str, ...]


def compare_globals(dumped: bytes, restored: bytes, *, first_role: str) -> GlobalsFound:
    """Compare roles, memberships and what belongs to each database, whatever their order.

    `first_role` is the superuser that the dumped server was made with: a restore leaves that of the
    throwaway server as it is.
    """
    was, found = _statements(dumped, first_role), _statements(restored, first_role)
    lacking = {f"{where}: {_shown(text)}" for where, text in was - found}
    added = {f"{where}: {_shown(text)}" for where, text in found - was}
    faults = (
        *(f"{what} differs" for what in lacking & added),
        *(f"{what} is missing" for what in lacking - added),
        *(f"{what} was not dumped, and is there" for what in added - lacking),
    )
    unproved = [
        f"the password, settings and memberships of the role {first_role!r}, the first superuser"
    ]
    if b"CREATE TABLESPACE " in dumped:
        unproved.append(_UNPROVED[0])
    if b"ALTER ROLE ALL " in dumped:
        unproved.append(_UNPROVED[1])
    return GlobalsFound(faults=tuple(sorted(faults)), unproved=tuple(unproved))


def _statements(script: bytes, first_role: str) -> frozenset[tuple[str, str]]:
    globals_, _, sections = script.partition(_DATABASES)
    return frozenset((*_of_roles(globals_, first_role), *_of_databases(sections)))


def _of_roles(script: bytes, first_role: str) -> Iterator[tuple[str, str]]:
    """What a restore makes of roles and memberships; other statements it leaves to a person."""
    left = {first_role, LOGIN}
    for whole in split_statements(script):
        statement = _COMMENTS.sub(b"", whole)
        role = OF_ROLE.match(statement)
        found = role or MEMBERSHIP.match(statement)
        if found is None or unquoted(found[2]) in left or (role and found[2] == _EVERYBODY):
            continue
        yield "roles", statement.decode("utf-8", "backslashreplace").strip()


def _of_databases(sections: bytes) -> Iterator[tuple[str, str]]:
    where = ""
    for line in sections.decode("utf-8", "backslashreplace").splitlines():
        if line.startswith(_BEGIN):
            where = line.removeprefix(_BEGIN)
        elif line.startswith(_END):
            where = ""
        elif where and not line.startswith("\\"):
            yield f"database {where}", line


def _shown(statement: str) -> str:
    found = _SHOWN.match(statement)
    return f"`{found[0]}`" if found else "a statement"
