"""Comparing the tables of a cluster's servers."""

from collections.abc import Mapping, Sequence

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.lexer import TokenKind, significant
from dumpers.engines.clickhouse.schema.names.rewriting import rewrite
from dumpers.engines.clickhouse.schema.table_engines import is_replicated
from dumpers.engines.clickhouse.schema.tables import BackupTable

_SEVERAL = 2


def compare(held: Mapping[str, Sequence[BackupTable]]) -> tuple[Note, ...]:
    """Tell of every table that is another on some servers, or is not there; by the servers' labels.

    What differs by design does not count: ids, and the names and paths of replicas.
    """
    if len(held) < _SEVERAL:
        return ()
    texts: dict[tuple[str, str], dict[str, list[str]]] = {}
    for label, tables in held.items():
        for item in tables:
            if item.is_saved:
                by_text = texts.setdefault(item.table.key, {})
                by_text.setdefault(item.table.create, []).append(label)
    found: dict[str, list[str]] = {}
    for key, by_text in sorted(texts.items()):
        groups = _by_shape(by_text)
        there = {label for labels in groups for label in labels}
        missing = [label for label in held if label not in there]
        if len(groups) > 1:
            places = " than on ".join(", ".join(labels) for labels in groups)
            found.setdefault(f"others on {places}", []).append(".".join(key))
        if missing:
            found.setdefault(f"not on {', '.join(missing)}", []).append(".".join(key))
    return tuple(
        Note(code=NoteCode.DRIFT, text=f"these tables are {how}", objects=tuple(names))
        for how, names in found.items()
    )


def _by_shape(by_text: Mapping[str, list[str]]) -> list[list[str]]:
    """The servers that have the same table, whose statements may differ by design."""
    # Mostly they are the same to the letter.
    if len(by_text) == 1:
        return list(by_text.values())
    shapes: dict[str, list[str]] = {}
    for text, labels in by_text.items():
        shapes.setdefault(_shape(text), []).extend(labels)
    return list(shapes.values())


def _shape(create: str) -> str:
    """The statement that creates it, without what is each server's own."""
    if ddl.parse(create) is None:
        return create
    # A space between any two, as what is left out leaves different gaps.
    texts = list[str]()
    own = False
    for token in significant(rewrite(create)):
        if token.kind is TokenKind.WORD:
            own = is_replicated(token.text) and token.text.endswith("MergeTree")
        texts.append("''" if own and token.kind is TokenKind.STRING else token.text)
    return " ".join(texts)
