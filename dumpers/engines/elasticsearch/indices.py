"""Which indices are dumped, as the annotation asks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from dumpers.engines.names import abbreviate, parse_patterns
from dumpers.runtime.errors import ConfigurationError, SourceRefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index as the server lists it; sizes are in bytes.

    `stream` is the data stream that it is a part of, `shards` its primary ones; `documents` counts
    nested ones, too. `frozen` ones are read only when that is asked for. `source_mode` is what its
    settings, not its mappings, say of `_source`. `problem` says why nothing of it can be read,
    `unread` why its documents cannot; both are empty where they can. `failures_of` is the data
    stream whose failure store it is.
    """

    name: str
    shards: int = 1
    documents: int = 0
    size: int = 0
    stream: str = ""
    hidden: bool = False
    closed: bool = False
    frozen: bool = False
    source_mode: str = ""
    health: str = "green"
    problem: str = ""
    unread: str = ""
    failures_of: str = ""
    blocked: bool = False
    """Whether a block makes the server refuse what is asked about its documents."""
    window: int = 10_000
    """The most documents that the server gives in one page."""
    most_slices: int = 1024
    """The most slices that the server reads it in."""
    refreshes: bool | None = None
    """Whether it makes new documents visible by itself and soon; None for what is usual here."""
    files: tuple[str, ...] = ()
    """The files of the server's own that its analyzers read."""
    pipeline: str = ""
    """The search pipeline of OpenSearch's that all searches of it go through unless told not to."""
    follows: bool = False
    """Whether it is a copy of another cluster's index, which that one writes."""

    @property
    def is_read(self) -> bool:
        """Whether its documents can be read."""
        return not self.problem and not self.unread

    @property
    def shown_name(self) -> str:
        """The name that patterns are held against: its data stream's, if it belongs to one."""
        return self.stream or self.name

    @property
    def is_own(self) -> bool:
        """Whether the index is hidden: the server's own, by its name or its settings."""
        if self.stream:
            return self.stream.startswith(".")
        return self.hidden or self.name.startswith(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """`logs-*`, or `-logs-*` for what is left out; `*` stands for anything, `?` for a letter."""

    text: str
    leaves_out: bool = False

    @property
    def is_wide(self) -> bool:
        """Whether it may mean more than one name."""
        return "*" in self.text or "?" in self.text

    def matches(self, index: Index) -> bool:
        """Whether the pattern means this index, by its own name or its data stream's.

        A hidden index is meant by its whole name, or by a pattern if both begin with a dot.
        """
        names = {index.name, index.shown_name}
        if self.text in names:
            return True
        if index.is_own and not (self.text.startswith(".") and index.shown_name.startswith(".")):
            return False
        return _matches(index.shown_name, self.text)


def parse_index_patterns(variable: str, text: str) -> tuple[Pattern, ...]:
    """Read `a*,-b*`; ConfigurationError where a pattern is empty."""
    patterns = []
    for word in parse_patterns(variable, text):
        name = word.removeprefix("-")
        if not name:
            raise ConfigurationError(f"{variable} holds a bare `-`: a pattern stands behind it")
        patterns.append(Pattern(text=name, leaves_out=word.startswith("-")))
    return tuple(patterns)


def choose(patterns: Sequence[Pattern], existing: Iterable[Index]) -> tuple[Index, ...]:
    """The indices that were asked for, by name; all but hidden ones where no pattern asks for any.

    The last pattern that means an index decides. Raises SourceRefusedError where a pattern asks for
    what there is not.
    """
    every = sorted(existing, key=lambda index: index.name)
    missing = [pattern.text for pattern in unmatched(patterns, every)]
    if missing:
        raise SourceRefusedError(
            "the server has not these indices that were asked for, or this account may not see "
            f"them: {abbreviate(missing)}"
        )
    if all(pattern.leaves_out for pattern in patterns):
        patterns = (Pattern(text="*"), *patterns)
    return tuple(index for index in every if _is_chosen(patterns, index))


def unmatched(patterns: Sequence[Pattern], existing: Sequence[Index]) -> Sequence[Pattern]:
    """The patterns that ask for what there is not."""
    return [
        pattern
        for pattern in patterns
        if not pattern.leaves_out and not any(pattern.matches(index) for index in existing)
    ]


def asks_for_all(patterns: Sequence[Pattern]) -> bool:
    """Whether the patterns ask for everything, but for what they leave out."""
    return all(pattern.leaves_out or pattern.text == "*" for pattern in patterns)


def is_named(patterns: Sequence[Pattern], index: Index) -> bool:
    """Whether a pattern is this index's whole name, or its data stream's."""
    names = {index.name, index.shown_name}
    return any(pattern.text in names for pattern in patterns if not pattern.leaves_out)


def by_stream(indices: Iterable[Index]) -> Mapping[str, tuple[str, ...]]:
    """The data streams of these indices, with the names of their indices."""
    found: dict[str, list[str]] = {}
    for index in indices:
        if index.stream:
            found.setdefault(index.stream, []).append(index.name)
    return {name: tuple(parts) for name, parts in found.items()}


def _is_chosen(patterns: Sequence[Pattern], index: Index) -> bool:
    last = next((item for item in reversed(patterns) if item.matches(index)), None)
    return last is not None and not last.leaves_out


def _matches(name: str, pattern: str) -> bool:
    # Brackets are no legal part of a name, but they mean something to a shell's patterns.
    return fnmatchcase(name, pattern.replace("[", "[[]"))
