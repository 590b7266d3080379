"""Restoring a server's roles and tablespaces without touching those that it has."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.restore.load import run_script
from dumpers.engines.postgresql.restore.script.statements import split_statements
from dumpers.engines.postgresql.restore.target import Target
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import KsnapshotError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import IterReader

# 100,000 roles, and more.
_MOST_BYTES = 64 << 20
_NAME = rb'("(?:[^"]|"")+"|[^\s;"]+)'
OF_ROLE = re.compile(rb"(CREATE|ALTER|COMMENT ON|SECURITY LABEL FOR \S+ ON) ROLE " + _NAME)
MEMBERSHIP = re.compile(rb"GRANT " + _NAME + rb" TO " + _NAME)
_SPACE = re.compile(rb"(CREATE|ALTER|COMMENT ON|SECURITY LABEL FOR \S+ ON) TABLESPACE " + _NAME)
_SPACE_RIGHTS = re.compile(rb"(?:GRANT|REVOKE) .* ON TABLESPACE ", re.DOTALL)
# ALTER ROLE ALL SET: it would change what those roles find that are there.
_EVERYBODY = b"ALL"
_DATABASES = b"\n--\n-- Databases: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Globals:
    """What of a backup's globals is missing in a target, as SQL.

    `sections` are the scripts that make each database, by its name as far as it can be shown.
    """

    roles: Sequence[bytes]
    tablespaces: Sequence[bytes]
    sections: bytes

    def load(self, session: Session, interrupt: Interrupt) -> list[str]:
        """Create the roles, all or none; then each tablespace, where that fails with a note."""
        if self.roles:
            script = b"".join([b"BEGIN;\n", *self.roles, b"COMMIT;\n"])
            run_script(session, IterReader(iter([script])), interrupt)
        return list(self._make_tablespaces(session, interrupt))

    def _make_tablespaces(self, session: Session, interrupt: Interrupt) -> Iterator[str]:
        for statement in self.tablespaces:
            try:
                run_script(session, IterReader(iter([statement])), interrupt)
            except (KsnapshotError, TargetRefusedError) as error:
                yield f"a tablespace was not restored: {error}"

    def load_database(self, session: Session, name: str, target: str, interrupt: Interrupt) -> None:
        """Give a database what the dumped one had itself: owner, settings, rights, comment."""
        shown = "".join(letter if letter.isprintable() else "?" for letter in name).encode()
        begin, end = b"\n-- Database " + shown + b"\n", b"\n-- End of database " + shown + b"\n"
        section = self.sections.partition(begin)[2].partition(end)[0]
        if section:
            script = IterReader(iter([section + b"\n"]))
            run_script(session, script, interrupt, f"--set=database={target}")


def read_globals(piece: StoredDump, target: Target) -> Globals:
    """Read the whole object, to its proven end, before anything of it is used."""
    data = b""
    with piece.open() as reader:
        while block := reader.read(1 << 16):
            data += block
            if len(data) > _MOST_BYTES:
                raise TargetRefusedError("the backup's roles are larger than can be: load by hand")
    return select(data, roles=target.roles)


def select(script: bytes, *, roles: frozenset[str]) -> Globals:
    """What of pg_dumpall's script concerns roles that are missing; pure.

    Roles that the target has keep password, settings and memberships, those of all roles, too.
    """
    globals_, _, sections = script.partition(_DATABASES)
    kept, spaces = [], []
    for whole in split_statements(globals_):
        statement = re.sub(rb"\A(?:\s*(?:--|\\)[^\n]*\n|\s+)*", b"", whole)
        if found := OF_ROLE.match(statement):
            if found[2] != _EVERYBODY and unquoted(found[2]) not in roles:
                kept.append(statement)
        elif _SPACE.match(statement) or _SPACE_RIGHTS.match(statement):
            spaces.append(statement)
        elif (found := MEMBERSHIP.match(statement)) and unquoted(found[2]) not in roles:
            kept.append(statement)
    return Globals(roles=kept, tablespaces=spaces, sections=b"\n" + sections)


def unquoted(name: bytes) -> str:
    """A name as it is without SQL's quotes."""
    text = name.decode("utf-8", "replace")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text
