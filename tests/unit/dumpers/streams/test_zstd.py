"""Zstandard, packed by us and unpacked by the library alone, and the other way round."""

import io
import random
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dumpers.contract.names import COMPRESSIONS
from dumpers.repository.keys import COMPRESSION_SUFFIXES
from dumpers.runtime.errors import BackupDamagedError, ConfigurationError, SourceFailedError
from dumpers.streams.packing import can_unpack, check_known, pack, unpack
from dumpers.streams.reader import BufferedReader, copy
from dumpers.streams.zstd import MAX_WINDOW_MIB, UnzstdReader, ZstdReader, load_zstd

LIBRARY = load_zstd()
PARAMETER = LIBRARY.CompressionParameter
NOISE = random.Random(5).randbytes(700_000)
# Of several blocks: a block of Zstandard has at most 128 KiB.
SMALL, LARGE = NOISE[:300] * 3, NOISE[:200_000] * 2


def packed(data: bytes) -> bytes:
    target = io.BytesIO()
    copy(ZstdReader(io.BytesIO(data)), target)
    return target.getvalue()


def by_library(data: bytes, **options: int) -> bytes:
    named = {getattr(PARAMETER, name): value for name, value in options.items()}
    compressed: bytes = LIBRARY.compress(data, options={PARAMETER.checksum_flag: 1} | named)
    return compressed


def unpacked(data: bytes, size: int = 1 << 17) -> bytes:
    reader = UnzstdReader(io.BytesIO(data))
    found = io.BytesIO()
    while block := reader.read(size):
        assert len(block) <= size
        found.write(block)
    assert reader.read() == b""
    return found.getvalue()


@settings(deadline=None)
@given(st.lists(st.binary(max_size=5000), max_size=20), st.integers(1, 9000))
def test_what_was_packed_comes_out_again(blocks: list[bytes], size: int) -> None:
    data = b"".join(blocks)
    reader, pieces = ZstdReader(io.BytesIO(data)), []
    while piece := reader.read(size):
        assert len(piece) <= size
        pieces.append(piece)
    made = b"".join(pieces)
    assert LIBRARY.decompress(made) == data
    assert unpacked(made, size) == data
    assert unpacked(by_library(data), size) == data


@pytest.mark.parametrize("data", [b"", b"x", bytes(50_000_000), NOISE], ids=["0", "1", "50M", "?"])
def test_what_shrinks_much_or_not_at_all_comes_in_small_blocks(data: bytes) -> None:
    for made in (packed(data), by_library(data, compression_level=9)):
        reader = UnzstdReader(io.BytesIO(made))
        largest, found = 0, 0
        while block := reader.read():
            largest, found = max(largest, len(block)), found + len(block)
        assert largest <= 1 << 18
        assert found == len(data)


def test_the_same_bytes_are_packed_alike_with_their_checksum() -> None:
    made = packed(LARGE)
    assert made == packed(LARGE)
    # RFC 8878, 3.1.1.1.1: bit 2 of the header's first byte says that a checksum follows the blocks.
    assert made[4] & 0b100
    assert made[:4] == bytes.fromhex("28b52ffd")


@pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "several blocks"])
def test_a_stream_that_is_cut_anywhere_is_damaged(data: bytes) -> None:
    made = packed(data)
    step = max(1, len(made) // 2000)
    for end in {*range(0, len(made), step), *range(len(made) - 8, len(made))}:
        with pytest.raises(BackupDamagedError, match="end too early"):
            unpacked(made[:end])


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "several blocks"])
def test_no_flipped_bit_gives_other_bytes(data: bytes) -> None:
    made = packed(data)
    step = max(1, len(made) // 500)
    unnoticed = []
    for place in {*range(32), *range(0, len(made), step), *range(len(made) - 8, len(made))}:
        for bit in range(8):
            changed = bytearray(made)
            changed[place] ^= 1 << bit
            try:
                assert unpacked(bytes(changed)) == data, (place, bit)
            except BackupDamagedError:
                continue
            unnoticed.append(place)
    # Only in the frame's header are bits that change nothing: one without meaning, and the size of
    # the window. Whatever is in a frame is under its checksum.
    assert set(unnoticed) <= {4, 5}


SKIPPABLE = bytes.fromhex("502a4d18") + bytes([4, 0, 0, 0]) + b"more"


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        packed(SMALL) + b"\0",
        packed(SMALL) + packed(SMALL),
        packed(SMALL) + SKIPPABLE,
        SKIPPABLE + packed(SMALL),
        b"no zstd at all",
        by_library(SMALL)[:-1],
    ],
    ids=count(),
)
def test_what_is_not_one_whole_frame_is_damaged(stored: bytes) -> None:
    with pytest.raises(BackupDamagedError, match="compressed bytes"):
        unpacked(stored)


def test_the_largest_window_is_the_one_that_every_reader_has_to_have() -> None:
    data = NOISE * (1 + (MAX_WINDOW_MIB << 20) // len(NOISE))
    allowed = by_library(data[:-1], window_log=23, compression_level=1)
    assert unpacked(allowed) == data[:-1]
    compressor = LIBRARY.ZstdCompressor(options={PARAMETER.window_log: 24})
    too_large = compressor.compress(data) + compressor.flush()
    with pytest.raises(BackupDamagedError, match="too much memory"):
        unpacked(too_large)


class Broken(BufferedReader):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error, self.blocks = error, [packed(LARGE)[:1000]]

    def next_block(self) -> bytes:
        if self.blocks:
            return self.blocks.pop()
        raise self.error


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_the_sources_error_passes_through(compression: str) -> None:
    for reader in (pack, unpack):
        error = SourceFailedError("this very one")
        source = Broken(error)
        if reader is unpack:
            source.blocks = []
        with pytest.raises(SourceFailedError) as raised:
            copy(reader(source, compression), io.BytesIO())
        assert raised.value is error


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_each_compression_has_an_ending_and_both_ways(compression: str) -> None:
    assert COMPRESSION_SUFFIXES.keys() == set(COMPRESSIONS)
    assert can_unpack(compression)
    target = io.BytesIO()
    copy(unpack(pack(io.BytesIO(LARGE), compression), compression), target)
    assert target.getvalue() == LARGE


def test_what_a_later_version_packed_by_is_told() -> None:
    assert not can_unpack("lzma")
    with pytest.raises(ConfigurationError, match=r"by 'lzma'.*use a newer one, or --stored"):
        check_known("lzma", otherwise=", or --stored")
