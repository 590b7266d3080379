"""What a store answers, as far as callers ask: types that need no SDK."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dumpers.storage.errors import StoreAwayError


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """An object's properties; `crc32` is None where the store keeps no checksum of the whole.

    `run` is the id of the run that wrote it, `upload` the token of the very upload; both are None
    where the store lost or never had them. `etag` is empty where the store gives none. Until
    `locked_until` the object's version cannot be deleted, None where nothing is known of a lock; a
    `legal_hold` has no end.
    """

    size: int
    crc32: str | None
    run: str | None
    upload: str | None
    etag: str = ""
    locked_until: datetime | None = None
    legal_hold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedUpload:
    """An upload that was begun; `checksums` says whether the store keeps one of the whole."""

    id: str
    checksums: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenObject:
    """An object that is being read; `etag` is empty where the store gives none."""

    etag: str
    blocks: Iterator[bytes]


def proof(answer: Mapping[str, Any], name: str, doing: str) -> str:
    """A member that only the store itself answers with; a proxy's page has status 200, too."""
    value = answer.get(name)
    if not value:
        raise _not_the_stores(doing, f"but without {name}")
    return str(value)


def listed(answer: Mapping[str, Any], member: str, doing: str) -> Sequence[Mapping[str, Any]]:
    """The items of a page of a list, none where the store says that there are none.

    A page without a word on whether there are more is no list: it is not read as an empty one.
    """
    if answer.get("IsTruncated") is None:
        raise no_list(doing)
    items: Sequence[Mapping[str, Any]] = answer.get(member, ())
    return items


def no_list(doing: str) -> StoreAwayError:
    """The error for a success that is no list, or does not lead any further."""
    return _not_the_stores(doing, "and no list")


def _not_the_stores(doing: str, why: str) -> StoreAwayError:
    return StoreAwayError(
        f"cannot {doing}: the answer was a success, {why}, so it is not the store's: see what "
        "stands between, such as a proxy or a login page"
    )
