"""Things made once and kept outside the work tree: compiled tools, unpacked wheels, images."""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path


def root() -> Path:
    """The folder that holds every cached thing; KSNAPSHOT_CACHE moves it."""
    configured = os.environ.get("KSNAPSHOT_CACHE")
    path = Path(configured) if configured else Path.home() / ".cache" / "ksnapshot-testbed"
    path = path.absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


def digest(inputs: Iterable[str | bytes | Path]) -> str:
    """A short hash of strings and of the content of files; order counts."""
    total = hashlib.sha256()
    for item in inputs:
        if isinstance(item, Path):
            content = item.read_bytes() if item.exists() else b"(absent)"
        else:
            content = item.encode() if isinstance(item, str) else item
        # Each input's own hash is a fixed length, so that no two lists run into one another.
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()[:16]


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """One process at a time; the kernel lets go of it when the holder dies."""
    folder = root() / "locks"
    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def path_of(name: str, key_inputs: Iterable[str | bytes | Path]) -> Path:
    """Where `entry` keeps this thing, whether or not it exists."""
    return root() / f"{name}-{digest(key_inputs)}"


def entry(
    name: str,
    key_inputs: Iterable[str | bytes | Path],
    build: Callable[[Path], None],
) -> Path:
    """The folder that `build` filled for these inputs, made at most once.

    `build` gets an empty folder under a temporary name; only after it returned is the folder
    renamed, so what an interrupted build leaves is never taken for the thing itself.
    """
    final = path_of(name, key_inputs)
    if final.is_dir():
        return final
    with lock(name):
        if final.is_dir():
            return final
        for leftover in root().glob(f".{name}-*.building"):
            shutil.rmtree(leftover, ignore_errors=True)
        building = root() / f".{final.name}.building"
        building.mkdir()
        try:
            build(building)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        building.rename(final)
        for old in root().glob(f"{name}-*"):
            if old != final and _is_entry_of(old.name, name):
                shutil.rmtree(old, ignore_errors=True)
    return final


def _is_entry_of(folder: str, name: str) -> bool:
    """`etcd-<hash>` belongs to `etcd`, `etcd-client-<hash>` does not."""
    suffix = folder.removeprefix(f"{name}-")
    return len(suffix) == 16 and all(letter in "0123456789abcdef" for letter in suffix)
