"""The rights of an account, parsed from the output of `SHOW GRANTS`; pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_ALL = frozenset(("ALL", "ALL PRIVILEGES"))
_NAME = r"(?:`(?:[^`]|``)+`|\"(?:[^\"]|\"\")+\"|'(?:[^']|'')+'|\*)"
_LINE = re.compile(
    rf"(GRANT|REVOKE) (.+?) ON (?:TABLE )?({_NAME})\.({_NAME}) (?:TO|FROM) .*", re.DOTALL
)
_COLUMNS = re.compile(r"\([^)]*\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grant:
    privileges: frozenset[str]
    database: str
    table: str
    revoked: bool


@dataclass(frozen=True, slots=True)
class Grants:
    """The privileges of one account, those of its active roles among them.

    By the tables that they are on, `*` for those on whole databases; an account may have thousands.
    """

    items: Mapping[str, tuple[_Grant, ...]]

    def may(self, privilege: str, database: str, table: str = "*") -> bool:
        """Tell whether the account has a privilege on all of a database, or on one table of it."""
        found = False
        own = self.items.get(table, ()) if table != "*" else ()
        # What is revoked in part is so for the rights on all databases, not for a table's own.
        for item in (*self.items.get("*", ()), *own):
            if not item.privileges & {privilege, *_ALL}:
                continue
            if item.revoked:
                # Partial revokes name a database literally, and come after the grants.
                found = found and item.database != database
            elif _matches(item.database, database):
                found = True
        return found


def parse(lines: Iterable[str]) -> Grants:
    """Read the lines of `SHOW GRANTS`; what grants roles or names no table is passed over."""
    found: dict[str, list[_Grant]] = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        # A privilege on some columns is none on the table.
        if match is None:
            continue
        what, privileges, database, table = match.groups()
        plain = {part.strip() for part in _COLUMNS.sub("()", privileges).split(",")}
        item = _Grant(
            privileges=frozenset(plain),
            database=_unquote(database),
            table=_unquote(table),
            revoked=what == "REVOKE",
        )
        found.setdefault(item.table, []).append(item)
    return Grants({name: tuple(items) for name, items in found.items()})


def _unquote(name: str) -> str:
    mark = name[0]
    return name if name == "*" else name[1:-1].replace(mark * 2, mark)


def _matches(pattern: str, database: str) -> bool:
    r"""Tell whether a grant's database, with `%` and `_` and their escapes, is this one."""
    if pattern in {"*", database}:
        return True
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    regex = "".join(wild.get(part) or re.escape(part.removeprefix("\\") or part) for part in parts)
    return re.fullmatch(regex, database, re.DOTALL) is not None
