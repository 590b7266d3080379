"""Whether an account may do what a restore does, by asking the server or by its grants."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dumpers.engines.clickhouse.schema.lexer import significant
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.errors import code_of
from dumpers.engines.clickhouse.server.sql import identifier
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.interrupt import Interrupt

_SYNTAX = 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """A right on all of a database, as GRANT has it: `CREATE TABLE` on `shop`."""

    words: str
    database: str

    def __str__(self) -> str:
        return f"{self.words} ON {identifier(self.database)}.*"


def lacking(server: Server, wanted: Sequence[Right], interrupt: Interrupt) -> Sequence[Right]:
    """Those of these rights that the account is known not to have.

    Where the server keeps its rights in files, or does not tell all of a role, nothing is known.
    """
    try:
        return [right for right in wanted if not _is_granted(server, right, interrupt)]
    except KsnapshotError as error:
        if not isinstance(error, server.errors.refused):
            raise
        if code_of(error) != _SYNTAX:
            return []
    try:
        grants = [row[0] for row in server.rows("SHOW GRANTS", interrupt)]
    except KsnapshotError as error:
        # Releases without accounts in SQL do not know the question.
        if not isinstance(error, server.errors.refused):
            raise
        return []
    return lacking_by_grants(grants, wanted)


def lacking_by_grants(grants: Iterable[str], wanted: Sequence[Right]) -> Sequence[Right]:
    """Those of these rights that no grant gives; none where a role may give more."""
    given = list[tuple[frozenset[str], str]]()
    for grant in grants:
        words = significant(grant)
        place = next((at for at, word in enumerate(words) if word.is_word("ON")), None)
        if place is None or not words[0].is_word("GRANT"):
            # A role, or something that is taken away again.
            return []
        whole = place + 3 < len(words) and words[place + 3].text == "*"
        if not whole or any(word.text == "(" for word in words[:place]):
            continue
        text = " ".join(word.text.upper() for word in words[1:place])
        rights = frozenset(part.strip() for part in text.split(","))
        given.append((rights, words[place + 1].value))
    return [
        right
        for right in wanted
        if not any(
            on in {"*", right.database} and rights & _wider(right.words) for rights, on in given
        )
    ]


def _wider(words: str) -> frozenset[str]:
    """A right and those that have it in them: `ALTER DELETE`, `ALTER TABLE`, `ALTER`, `ALL`."""
    parts = words.split()
    return frozenset((words, parts[0], "ALL", *(["ALTER TABLE"] if parts[0] == "ALTER" else [])))


def _is_granted(server: Server, right: Right, interrupt: Interrupt) -> bool:
    [[granted]] = server.rows(f"CHECK GRANT {right}", interrupt)
    return bool(int(granted))
