"""What a store answers, as far as callers ask: types that need no SDK."""

from collections.abc import Iterator, Mapping
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
        raise StoreAwayError(
            f"cannot {doing}: the answer was a success, but without {name}, so it is not the "
            "store's: see what stands between, such as a proxy or a login page"
        )
    return str(value)
