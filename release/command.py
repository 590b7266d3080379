"""Builds the user's command as one file of pure Python, which needs nothing installed but Python.

It holds our packages, and of others those that are pure Python. What is compiled is left out, so
`plan` and `run`, which need such packages, say that they are missing.
"""

import argparse
import importlib.metadata
import py_compile
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_REPOSITORY = Path(__file__).resolve().parent.parent
_TARGET = _REPOSITORY / "dist" / "ksnapshot.pyz"
_OURS = ("controller", "dumpers")
# pyyaml is for `--output yaml`: its compiled part is optional.
_OTHERS = ("click", "pyyaml")
_SHEBANG = b"#!/usr/bin/env python3\n"
# An older Python has to understand these lines.
_MAIN = """\
import sys

if sys.version_info < (3, 11):
    sys.exit("error: ksnapshot needs Python 3.11 or newer")

from controller.cli.main import main

main()
"""
# The same bytes whenever it is built.
_MOMENT = (1980, 1, 1, 0, 0, 0)
_MODE = (stat.S_IFREG | 0o644) << 16


def build(target: Path) -> Path:
    """Write the zipapp and return its path."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        file.write(_SHEBANG)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            _add(archive, "__main__.py", _MAIN.encode())
            for name, path in sorted(_files()):
                _add(archive, str(name), path.read_bytes())
                if name.suffix == ".py":
                    _add(archive, str(name.with_suffix(".pyc")), _compiled(name, path))
    target.chmod(0o755)
    return target


def _files() -> Iterator[tuple[PurePosixPath, Path]]:
    """Each file by its place in the zipapp: sources, and the licences of what is others'."""
    for package in _OURS:
        for path in (_REPOSITORY / package).rglob("*.py"):
            yield PurePosixPath(path.relative_to(_REPOSITORY).as_posix()), path
    yield PurePosixPath("LICENSE"), _REPOSITORY / "LICENSE"
    for project in _OTHERS:
        for entry in importlib.metadata.files(project) or ():
            name = PurePosixPath(entry.as_posix())
            path = Path(str(entry.locate()))
            is_kept = name.suffix == ".py" or "LICENSE" in name.name or name.suffix == ".gz"
            if is_kept and ".." not in name.parts and not _is_test(name) and path.is_file():
                yield name, path


def _is_test(name: PurePosixPath) -> bool:
    return bool({"tests", "test"} & set(name.parts))


def _compiled(name: PurePosixPath, path: Path) -> bytes:
    """The module compiled for this Python; another one takes the source beside it."""
    with tempfile.TemporaryDirectory() as folder:
        made = py_compile.compile(
            str(path),
            cfile=f"{folder}/module.pyc",
            dfile=str(name),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        assert made, path
        return Path(made).read_bytes()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _MOMENT)
    entry.external_attr = _MODE
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


def main() -> None:
    """Build it into dist/, or where the argument says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="?", type=Path, default=_TARGET)
    path = build(parser.parse_args().target)
    print(f"{path} ({path.stat().st_size >> 10} KiB)")  # noqa: T201  it talks to a person


if __name__ == "__main__":
    main()
