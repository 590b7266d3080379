from collections.abc import Iterator

import pytest

from dumpers.runtime.errors import SourceFailedError
from dumpers.streams.reader import IterReader, PrefixedReader


def broken() -> Iterator[bytes]:
    yield b"ab"
    raise SourceFailedError("cut")


def test_blocks_are_served_in_pieces_of_any_size_and_the_rest_is_kept() -> None:
    reader = PrefixedReader(b"01", IterReader(iter([b"", b"abc", memoryview(b"de")])))
    assert [reader.read(1), reader.read(), reader.read(2), reader.read(2)] == [
        b"0",
        b"1",
        b"ab",
        b"c",
    ]
    assert [reader.read(), reader.read(), reader.read()] == [b"de", b"", b""]


def test_a_reader_that_failed_never_ends_as_if_it_were_whole() -> None:
    reader = IterReader(broken())
    assert reader.read() == b"ab"
    for _ in range(2):
        with pytest.raises(SourceFailedError, match="cut"):
            reader.read()
