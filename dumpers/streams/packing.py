"""How the bytes of an object are packed, by the name of their compression in the manifest."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

from dumpers.contract.names import GZIP, ZSTD
from dumpers.runtime.errors import ConfigurationError
from dumpers.streams.filters import GunzipReader, GzipReader
from dumpers.streams.reader import Reader
from dumpers.streams.zstd import UnzstdReader, ZstdReader

_PACKING: Mapping[str, Callable[[Reader], Reader]] = {GZIP: GzipReader, ZSTD: ZstdReader}
_UNPACKING: Mapping[str, Callable[[Reader], Reader]] = {GZIP: GunzipReader, ZSTD: UnzstdReader}

# The packed bytes → those that were packed; the end is told only where it is proven, and
# BackupDamagedError is raised otherwise.
Unpack = Callable[[Reader], AbstractContextManager[Reader]]


def pack(source: Reader, compression: str) -> Reader:
    """The source's bytes, packed."""
    return _PACKING[compression](source)


def unpack(source: Reader, compression: str) -> Reader:
    """What was packed in the source's bytes; see `Unpack`."""
    return _UNPACKING[compression](source)


def unpacking(compression: str) -> Unpack:
    """What unpacks a stream."""
    return lambda source: nullcontext(unpack(source, compression))


def can_unpack(compression: str) -> bool:
    """Whether this version can unpack it."""
    return compression in _UNPACKING


def check_known(compression: str, *, otherwise: str = "") -> None:
    """Raise ConfigurationError where this version cannot unpack it; `otherwise` is another way."""
    if not can_unpack(compression):
        raise ConfigurationError(
            f"the backup is compressed by {compression!r}, which this version does not know: use "
            f"a newer one{otherwise}"
        )
