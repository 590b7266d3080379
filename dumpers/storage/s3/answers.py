"""What a store answers, as far as callers ask: types that need no SDK."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """An object's properties; `crc32` is None where the store keeps no checksum of the whole.

    `run` is the id of the run that wrote it, `upload` the token of the very upload; both are None
    where the store lost or never had them.
    """

    size: int
    crc32: str | None
    run: str | None
    upload: str | None


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
