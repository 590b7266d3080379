"""Packs the user's command for krew, kubectl's plugin manager, and writes the manifest of it."""

import argparse
import gzip
import hashlib
import io
import string
import tarfile
from pathlib import Path

from dumpers.runtime.version import VERSION
from release import command

_HERE = Path(__file__).resolve().parent
_DIST = _HERE.parent / "dist"
_TEMPLATE = _HERE / "krew.yaml"
# The name in the manifest's `bin`; krew makes it `kubectl ksnapshot`.
_PROGRAM = "kubectl-ksnapshot"
_MANIFEST = "ksnapshot.yaml"


def build(folder: Path) -> tuple[Path, Path]:
    """Write archive and manifest into the folder, and return their paths.

    The archive has the same bytes whenever it is built of the same command.
    """
    program = command.build(folder / "ksnapshot.pyz")
    archive = folder / f"{_PROGRAM}-{VERSION}.tar.gz"
    archive.write_bytes(gzip.compress(_packed(program), mtime=0))
    filled = string.Template(_TEMPLATE.read_text()).substitute(
        version=VERSION,
        archive=archive.name,
        sha256=hashlib.sha256(archive.read_bytes()).hexdigest(),
    )
    manifest = folder / _MANIFEST
    # The first line is for those who read the template.
    manifest.write_text(filled.partition("\n")[2])
    return archive, manifest


def _packed(program: Path) -> bytes:
    """A tar archive of the program and its licence."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, path, mode in (
            (_PROGRAM, program, 0o755),
            ("LICENSE", _HERE.parent / "LICENSE", 0o644),
        ):
            entry = tarfile.TarInfo(name)
            entry.mode = mode
            entry.size = path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(entry, file)
    return buffer.getvalue()


def main() -> None:
    """Build them into dist/, or where the argument says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=_DIST)
    for path in build(parser.parse_args().folder):
        print(path)  # noqa: T201  it talks to a person


if __name__ == "__main__":
    main()
