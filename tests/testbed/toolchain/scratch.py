"""Folders of running servers, away from pytest's, which other users may not enter."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "ksnapshot-testbed"


def make(name: str) -> Path:
    """A new folder that every user may search; whoever makes it removes it with `remove`.

    Folders of test runs that were killed are removed on the way: a name holds its run's pid.
    """
    for old in Path(tempfile.gettempdir()).glob(f"{_PREFIX}-*-*"):
        pid = old.name.removeprefix(f"{_PREFIX}-").split("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            remove(old)
    path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}-{os.getpid()}-{name}-"))
    path.chmod(0o711)
    return path


def remove(path: Path) -> None:
    """Removes the folder; what another user owns and we cannot remove stays."""
    with contextlib.suppress(OSError):
        shutil.rmtree(path)


def reachable(programs: Path, folder: Path, uid: int | None) -> Path:
    """A folder of programs where that user can get at it: root's home is closed to others.

    `folder` is the scratch folder that holds the copy, where it takes one.
    """
    if uid is None:
        return programs
    if all(parent.stat().st_mode & 0o001 for parent in (programs, *programs.parents)):
        return programs
    copy = folder / "programs"
    shutil.copytree(programs, copy, copy_function=_link, symlinks=True)
    return copy


def _link(source: str, target: str) -> None:
    with contextlib.suppress(OSError):
        os.link(source, target)
        return
    shutil.copy2(source, target)
