"""What unpacks on this machine: the library where there is one, else the program zstd."""

import shutil

from controller.client.keys.program_reader import ProgramReader, first_line
from dumpers.contract.names import ZSTD
from dumpers.runtime.errors import BackupDamagedError, ConfigurationError
from dumpers.streams.packing import Unpack, check_known, unpacking
from dumpers.streams.zstd import MAX_WINDOW_MIB, load_zstd

_PROGRAM = "zstd"


def find_unpacking(compression: str) -> Unpack:
    """What unpacks a stream of this compression.

    ConfigurationError where this version does not know it, and where neither library nor program is
    there: it names both.
    """
    check_known(compression, otherwise=", or --stored")
    if compression != ZSTD or _has_library():
        return unpacking(compression)
    program = shutil.which(_PROGRAM)
    if program is None:
        raise ConfigurationError(
            "the backup is compressed by zstd, and nothing was found to unpack it with: install "
            f"{_PROGRAM}, so that it is in the PATH (https://facebook.github.io/zstd/), or the "
            "Python package backports.zstd, or take the backup as it is by --stored"
        )
    return by_program(program)


def by_program(program: str) -> Unpack:
    """What unpacks a stream by the program zstd at this path.

    Unlike the library it takes several frames for one stream; whoever reads compares digests.
    """
    command = [program, "--decompress", "--stdout", "--quiet", f"--memory={MAX_WINDOW_MIB}MiB"]
    return lambda source: ProgramReader(command, source, failure=_failure)


def _has_library() -> bool:
    try:
        load_zstd()
    except ImportError:
        return False
    return True


def _failure(said: str) -> BackupDamagedError:
    return BackupDamagedError(f"the compressed bytes are damaged: {first_line(said)}")
