"""What the pipeline asks of an object store, without the SDK that does it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

from dumpers.contract.location import S3Location
from dumpers.runtime.errors import StorageRefusedError

# Told of every number of bytes that goes over the wire; it may take its time.
Pace = Callable[[int], None]


class ForbiddenByStoreError(StorageRefusedError):
    """The keys are right, but this call is not granted to them."""


class AlreadyThereError(StorageRefusedError):
    """An object that must not exist yet does."""


class UnknownToStoreError(StorageRefusedError):
    """The store does not know an optional feature that the request used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the store says of an object; `crc32` is None where it keeps no checksum of the whole.

    `run` is the id of the run that wrote it, None where the store lost or never had it.
    """

    size: int
    crc32: str | None
    run: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedUpload:
    """An upload that was begun; `checksums` says whether the store keeps one of the whole.

    `retried` says that the store was asked more than once, and may have begun more than one.
    """

    id: str
    checksums: bool
    retried: bool


class Bucket(Protocol):
    """One bucket; every method blocks for one call and raises a KsnapshotError where it fails."""

    def put(self, key: str, body: bytes, *, only_new: bool) -> None:
        """Write a small object; AlreadyThereError if it exists and `only_new`."""
        ...

    def get(self, key: str) -> bytes:
        """Read a small object."""
        ...

    def head(self, key: str) -> Head | None:
        """Look at an object; None if there is none."""
        ...

    def create_upload(self, key: str, *, run: str, checksums: bool) -> CreatedUpload:
        """Begin a multipart upload that carries its run's id."""
        ...

    def upload_part(
        self, key: str, upload: str, *, number: int, data: memoryview, crc32: str | None
    ) -> dict[str, Any]:
        """Send one part; what completion wants to know of it is returned."""
        ...

    def complete_upload(
        self,
        key: str,
        upload: str,
        *,
        parts: Sequence[dict[str, Any]],
        size: int,
        crc32: str | None,
    ) -> None:
        """Make the object exist; the store compares size and checksum where it knows how."""
        ...

    def abort_upload(self, key: str, upload: str) -> None:
        """Drop an upload and its parts; one that is gone already is fine."""
        ...

    def read(self, key: str) -> Iterator[bytes]:
        """Read an object of any size, block by block; a body that breaks off is an error."""
        ...

    def uploads(self, prefix: str) -> list[tuple[str, str]]:
        """Key and id of the first thousand open uploads under a prefix."""
        ...

    def keys(self, prefix: str, *, since: str, limit: int) -> list[str]:
        """Keys under a prefix that sort after `since`, in order, about `limit` at most."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object."""
        ...


def open_bucket(location: S3Location, pace: Pace | None) -> Bucket:
    """Load the SDK and set up its client, which takes half a second and no request."""
    return cast("Bucket", import_module("dumpers.s3.bucket").S3Bucket(location, pace))
