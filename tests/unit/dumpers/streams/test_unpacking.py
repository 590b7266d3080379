import gzip
import io
import random
from collections.abc import Callable, Sequence
from itertools import count

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dumpers.runtime.errors import (
    BackupDamagedError,
    InterruptedRunError,
    KsnapshotError,
    NoKeyFitsError,
    StorageFailedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.decryption import DecryptReader
from dumpers.streams.filters import GunzipReader, GzipReader
from dumpers.streams.reader import Reader, copy

IDENTITY = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()
NOISE = random.Random(5).randbytes(700_000)


def unzip(packed: bytes, size: int = 1 << 17) -> bytes:
    reader = GunzipReader(io.BytesIO(packed))
    found = io.BytesIO()
    while block := reader.read(size):
        assert len(block) <= size
        found.write(block)
    assert reader.read() == b""
    return found.getvalue()


def decrypt(
    source: Reader, identities: Sequence[object] = (IDENTITY,), found: io.BytesIO | None = None
) -> bytes:
    found = found or io.BytesIO()
    with DecryptReader(source, identities, interrupt=Interrupt()) as reader:
        copy(reader, found)
        assert reader.read() == b""
    return found.getvalue()


@settings(deadline=None)
@given(st.lists(st.binary(max_size=5000), max_size=20), st.integers(1, 9000))
def test_gunzip_gives_back_what_was_packed(blocks: list[bytes], size: int) -> None:
    data = b"".join(blocks)
    assert unzip(gzip.compress(data), size) == data
    packed = io.BytesIO()
    copy(GzipReader(io.BytesIO(data)), packed)
    assert unzip(packed.getvalue(), size) == data


@pytest.mark.parametrize("data", [b"", b"x", bytes(50_000_000), NOISE], ids=["0", "1", "50M", "?"])
@pytest.mark.parametrize("level", [1, 6, 9])
def test_gunzip_of_what_shrinks_much_or_not_at_all(data: bytes, level: int) -> None:
    packed = gzip.compress(data, level)
    assert unzip(packed) == data
    largest = 0
    reader = GunzipReader(io.BytesIO(packed))
    while block := reader.read():
        largest = max(largest, len(block))
    assert largest <= 1 << 18


PACKED = gzip.compress(NOISE[:3000] * 3)


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        *(PACKED[:cut] for cut in (1, 9, 10, 100, len(PACKED) - 8, len(PACKED) - 1)),
        PACKED + b"\0",
        PACKED + PACKED,
        PACKED[:-8] + bytes(4) + PACKED[-4:],
        PACKED[:-4] + bytes(4),
        b"no gzip at all",
    ],
    ids=count(),
)
def test_what_is_not_one_whole_member_is_damaged(packed: bytes) -> None:
    with pytest.raises(BackupDamagedError, match="compressed bytes"):
        unzip(packed)


def test_decryption_gives_back_what_was_encrypted() -> None:
    for data in (b"", b"x", NOISE):
        stored = pyrage.encrypt(data, [IDENTITY.to_public(), OTHER.to_public()])
        assert decrypt(io.BytesIO(stored)) == decrypt(io.BytesIO(stored), (OTHER,)) == data


STORED: bytes = pyrage.encrypt(NOISE, [IDENTITY.to_public()])


def flip(place: int) -> bytes:
    return STORED[:place] + bytes([STORED[place] ^ 1]) + STORED[place + 1 :]


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        # Where a chunk of 64 KiB ends, the cut is seen only because there is no last chunk.
        *(STORED[:cut] for cut in (1, 100, 300, 100_000, len(STORED) - 1)),
        STORED[: STORED.index(b"\n---") + 48 + 1 + 16 + 5 * (65536 + 16)],
        flip(len(STORED) - 1),
        flip(300_000),
        STORED + b"x",
        STORED + STORED,
        b"no age file" * 100,
    ],
    ids=count(),
)
def test_what_is_not_whole_is_damaged(stored: bytes) -> None:
    found = io.BytesIO()
    with pytest.raises(BackupDamagedError):
        decrypt(io.BytesIO(stored), found=found)
    assert NOISE.startswith(found.getvalue())


def test_the_wrong_key_is_told_apart() -> None:
    with pytest.raises(NoKeyFitsError):
        decrypt(io.BytesIO(STORED), (OTHER,))


class Failing:
    def __init__(self, error: Exception, after: int) -> None:
        self.error, self.source = error, io.BytesIO(STORED[:after])

    def read(self, size: int = -1, /) -> bytes:
        data = self.source.read(size if size >= 0 else 1000)
        if not data:
            raise self.error
        return data


@pytest.mark.parametrize("after", [0, 50, 300_000])
@pytest.mark.parametrize("make", [StorageFailedError, OSError, ValueError])
def test_the_sources_error_passes_through(make: Callable[[str], Exception], after: int) -> None:
    with pytest.raises(type(make("")), match="this very one"):
        decrypt(Failing(make("this very one"), after))


def test_a_reader_that_is_left_or_interrupted_ends() -> None:
    with DecryptReader(io.BytesIO(STORED), (IDENTITY,), interrupt=Interrupt()) as reader:
        assert NOISE.startswith(reader.read(10))
    interrupt = Interrupt()
    interrupt.cancel("a test")
    with (
        DecryptReader(io.BytesIO(STORED), (IDENTITY,), interrupt=interrupt) as reader,
        pytest.raises(InterruptedRunError),
    ):
        reader.read()


def test_damage_is_an_answer_of_the_store() -> None:
    assert issubclass(BackupDamagedError, KsnapshotError)
    assert BackupDamagedError.reason == "BackupDamaged"
