"""What of a dump's entries belongs to which table, by the names in their texts; pure."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from dumpers.engines.names import abbreviate
from dumpers.engines.postgresql.restore.script.toc import ROWS, Entry
from dumpers.runtime.errors import TargetRefusedError

# A schema and a name in it, as they are.
Name = tuple[str, str]

_PART = rb'(?:"(?:[^"]|"")+"|[a-z_\x80-\xff][a-z0-9_$\x80-\xff]*)'
_FULL = re.compile(rb"(?<![\w.\"])(" + _PART + rb")\.(" + _PART + rb")")
_TEXTS = re.compile(rb"(\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$).*?\1|'(?:[^']|'')*'", re.DOTALL)
_NEXTVAL = re.compile(rb"nextval\('((?:[^']|'')+)'::regclass\)")
_ADDED = re.compile(rb"ADD CONSTRAINT (" + _PART + rb")")
_SETTING = re.compile(rb"^SET default_(?:tablespace|table_access_method) = .*;\n", re.MULTILINE)

RELATIONS = frozenset(("TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE"))
# Their texts may name anything: the header says whose they are.
_BY_HEADER = frozenset((*RELATIONS, ROWS, "SEQUENCE SET", "ROW SECURITY", "STATISTICS DATA"))
# What tables may need of a database that holds nothing yet.
_SUPPORT = frozenset(
    (
        *("SCHEMA", "EXTENSION", "TYPE", "SHELL TYPE", "DOMAIN", "FUNCTION", "PROCEDURE"),
        *("AGGREGATE", "OPERATOR", "OPERATOR CLASS", "OPERATOR FAMILY", "CAST", "COLLATION"),
        *("ACCESS METHOD", "PROCEDURAL LANGUAGE", "TEXT SEARCH CONFIGURATION"),
        *("TEXT SEARCH DICTIONARY", "TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE"),
        *("FOREIGN DATA WRAPPER", "SERVER"),
    )
)


def names_in(text: bytes) -> frozenset[Name]:
    """All names with their schemas in SQL, but for those within its quoted texts."""
    return frozenset((_plain(a), _plain(b)) for a, b in _FULL.findall(_TEXTS.sub(b"''", text)))


def sequences_in(text: bytes) -> frozenset[Name]:
    """The sequences that defaults draw from."""
    found = b" ".join(name.replace(b"''", b"'") for name in _NEXTVAL.findall(text))
    return frozenset((_plain(a), _plain(b)) for a, b in _FULL.findall(found))


def settings_of(text: bytes) -> bytes:
    """The session's settings in an entry, which count for those behind it."""
    return b"".join(_SETTING.findall(text))


@dataclass(kw_only=True)
class Belonging:
    """The relations of a dump, those `chosen` among them, and what was left out of theirs."""

    relations: set[Name]
    chosen: set[Name]
    is_bare: bool
    left_out: list[str] = field(default_factory=list)

    def has(self, entry: Entry) -> bool:
        """Whether an entry goes with the chosen tables; indexes are remembered."""
        name = (entry.schema, entry.name)
        if entry.kind in _BY_HEADER:
            return name in self.chosen
        mentioned = names_in(entry.text) & self.relations
        if entry.kind in _SUPPORT:
            return self._supports(entry, mentioned)
        belongs = bool(mentioned & self.chosen)
        kept = belongs and mentioned <= self.chosen
        if entry.kind == "INDEX":
            self._remember(name, is_kept=kept)
        elif entry.kind == "CONSTRAINT" and (added := _ADDED.search(entry.text)):
            self._remember((entry.schema, _plain(added[1])), is_kept=kept)
        if belongs and not kept:
            self.left_out.append(f"{entry.kind.lower()} {entry.name}")
        return kept

    def _supports(self, entry: Entry, mentioned: Collection[Name]) -> bool:
        if not self.is_bare:
            return False
        if set(mentioned) <= self.chosen:
            return True
        # What needs it cannot be made, either.
        self.relations.add((entry.schema, entry.name.partition("(")[0]))
        return False

    def _remember(self, name: Name, *, is_kept: bool) -> None:
        self.relations.add(name)
        if is_kept:
            self.chosen.add(name)


def find_chosen(entries: Sequence[Entry], wanted: Sequence[str], *, is_bare: bool) -> Belonging:
    """Find the chosen tables with their partitions, inheriting tables and sequences.

    `entries` are all that come before rows. Raises TargetRefusedError where one is not there, or
    cannot be made alone.
    """
    named = {(entry.schema, entry.name): entry for entry in entries if entry.kind in RELATIONS}
    chosen = {name for text in wanted for name in _resolve(text, named)}
    below = _children(entries, named)
    while more := {child for name in chosen for child in below.get(name, ())} - chosen:
        chosen |= more
    for name in sorted(chosen):
        entry = named[name]
        lacking = (names_in(entry.text) & named.keys()) - chosen
        if entry.kind in {"TABLE", "FOREIGN TABLE"} and lacking:
            raise TargetRefusedError(
                f"the table {_shown(name)} inherits from {', '.join(map(_shown, lacking))}: "
                "choose that one, too"
            )
    chosen |= _sequences(entries, named, chosen)
    return Belonging(relations=set(named), chosen=chosen, is_bare=is_bare)


def _children(entries: Iterable[Entry], named: Collection[Name]) -> dict[Name, set[Name]]:
    below: dict[Name, set[Name]] = {}
    for entry in entries:
        name = (entry.schema, entry.name)
        if entry.kind in {"TABLE", "FOREIGN TABLE", "TABLE ATTACH"}:
            for parent in (names_in(entry.text) & set(named)) - {name}:
                below.setdefault(parent, set()).add(name)
    return below


def _sequences(
    entries: Iterable[Entry], named: Collection[Name], chosen: Collection[Name]
) -> set[Name]:
    """The sequences that belong to chosen tables, or that their defaults draw from."""
    found: set[Name] = set()
    for entry in entries:
        name = (entry.schema, entry.name)
        mentioned = names_in(entry.text) & set(chosen)
        if (entry.kind == "SEQUENCE" and mentioned - {name}) or (
            entry.kind == "SEQUENCE OWNED BY" and mentioned
        ):
            found.add(name)
        elif (entry.kind == "DEFAULT" and mentioned) or name in chosen:
            found |= sequences_in(entry.text) & set(named)
    return found


def _resolve(text: str, named: Collection[Name]) -> list[Name]:
    """The relations that a text means: `name` in any schema, or `schema.name`."""
    schema, dot, name = text.partition(".")
    plain = [tuple(part.strip('"') for part in (schema, name))] if dot else []
    found = [one for one in named if one[1] == text.strip('"') or one in plain]
    if not found:
        raise TargetRefusedError(
            f"the backup holds no table {text!r}, it has {abbreviate(sorted(map(_shown, named)))}"
        )
    if len(found) > 1:
        raise TargetRefusedError(
            f"there are several tables {text!r}: {', '.join(sorted(map(_shown, found)))}: name "
            "one with its schema"
        )
    return found


def _plain(part: bytes) -> str:
    text = part.decode("utf-8", "replace")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


def _shown(name: Name) -> str:
    return ".".join(name)
