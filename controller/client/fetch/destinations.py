"""Where plain bytes go: stdout, or files that have their names only once they are proven."""

import hashlib
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from controller.client.terminal.errors import CommandError, Exit

_BLOCK_BYTES = 1 << 20
# Of people who may read what is written: the dump of a database, in the clear.
_MODE = 0o600


class Sink(Protocol):
    """Takes the bytes of one object."""

    def write(self, data: bytes, /) -> int:
        """Take all of the bytes."""


class Stdout:
    """Stdout; `written` counts the bytes, which count for nothing before the end is proven."""

    def __init__(self) -> None:
        self.written = 0
        self._target = sys.stdout.buffer

    def write(self, data: bytes, /) -> int:
        """Write all of the bytes."""
        self.written += self._target.write(data)
        return len(data)

    def end(self) -> None:
        """Hand over what is left."""
        self._target.flush()


@contextmanager
def proven_file(path: Path) -> Iterator[Sink]:
    """A file that appears under its name when the body ends well; else nothing is left of it.

    It is written beside its place as `<name>.<random>.part`. CommandError where it cannot be
    written, or something has its name by then.
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(3)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    except OSError as error:
        raise CommandError(f"cannot write {part}: {error.strerror}") from error
    try:
        with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123  a descriptor
            yield _Whole(file.write, path)
            os.fsync(file.fileno())
        try:
            # Unlike a rename, it never takes the place of what is there.
            os.link(part, path)
        except FileExistsError as error:
            raise CommandError(f"{path} came to be meanwhile: nothing replaced it") from error
        except OSError:
            # Not every file system has links.
            part.rename(path)
    finally:
        with suppress(OSError):
            part.unlink()


class _Whole:
    """Writes all of each block: a file may take less, and a full disk is a sentence."""

    def __init__(self, write: "object", path: Path) -> None:
        self._write = write
        self._path = path

    def write(self, data: bytes, /) -> int:
        """Write all of the bytes."""
        left = memoryview(data)
        while left:
            try:
                count = self._write(left)  # type: ignore[operator]  # a raw file's
            except OSError as error:
                raise CommandError(
                    f"cannot write {self._path}: {error.strerror}: nothing is left of it"
                ) from error
            left = left[count or 0 :]
        return len(data)


def is_there(path: Path, *, size: int, sha256: str) -> bool:
    """Whether a file is there already with this content; `sha256` is empty where nobody knows.

    CommandError where another one has its name.
    """
    try:
        if not path.exists() and not path.is_symlink():
            return False
        if sha256 and path.is_file() and path.stat().st_size == size and _sha256(path) == sha256:
            return True
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from error
    raise CommandError(
        f"{path} is there already, and is not what the backup holds: remove it, or choose another "
        "place",
        Exit.REFUSED,
    )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
