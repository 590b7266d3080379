"""Whose documents a backup of a cluster holds, as its own parts say; pure."""

from collections.abc import Iterable, Iterator

from dumpers.engines.elasticsearch.load.contents import DATA, Contents
from dumpers.engines.names import abbreviate


def contradictions(contents: Contents, holding: Iterable[str]) -> Iterator[str]:
    """Sentences on parts of a backup that do not fit together.

    `holding` are the names of all indices and data streams that documents are stored of. Every dump
    has a part with the documents of all indices that are not closed, also where there are none.
    """
    if DATA not in contents.pieces and contents.found.keys() - contents.closed:
        yield "the backup has indices, and the part with their documents is not among its objects"
    known = {*contents.found, *contents.streams.values()}
    strange = {*holding, *contents.documents} - known
    if strange:
        yield (
            "the backup has documents of these, and not what they are made by: "
            f"{abbreviate(sorted(strange))}"
        )


def undumped(contents: Contents, name: str) -> tuple[str, ...]:
    """The indices of one shown name of which only settings and mappings were dumped.

    Closed ones are not among them: that they are closed is compared.
    """
    return tuple(
        part
        for part in sorted(contents.found)
        if contents.streams.get(part, part) == name
        and part not in contents.documents
        and part not in contents.closed
    )


def parts(contents: Contents, name: str) -> int:
    """How many indices of the backup have this shown name."""
    return sum(contents.streams.get(part, part) == name for part in contents.found)
