import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.engines.clickhouse.logical.body_check import ProvenReader, ServerError, find_error
from dumpers.runtime.errors import InterruptedRunError, KsnapshotError, SourceFailedError

TAG = "PU1FNUFH98abcdEF"
TEXT = b"Code: 395. DB::Exception: Value passed to 'throwIf' is non-zero. (FUNCTION_THROW_IF)"
OLD = b"Code: 395, e.displayText() = DB::Exception: Value passed to 'throwIf' is non-zero\n"
# Whole blocks of Native look like any bytes.
DATA = bytes(range(256)) * 10


def tagged(text: bytes = TEXT, tag: str = TAG) -> bytes:
    """The end of a body that broke, as servers since 25.11 write it."""
    mark = tag.encode()
    return (
        b"\r\n__exception__\r\n"
        + mark
        + b"\r\n"
        + text
        + b"\n"
        + str(len(text)).encode()
        + b" "
        + mark
        + b"\r\n__exception__\r\n"
    )


UNTAGGED = b"\r\n__exception__\r\n" + TEXT


class Blocks:
    """A source that gives its bytes in blocks of these lengths, in turns, and may fail then."""

    def __init__(
        self, data: bytes, lengths: list[int] | None = None, error: Exception | None = None
    ) -> None:
        self._data = io.BytesIO(data)
        self._lengths = itertools.cycle(lengths or [1 << 17])
        self._error = error

    def read(self, size: int = -1, /) -> bytes:
        length = next(self._lengths)
        data = self._data.read(length if size < 0 else min(size, length))
        if not data and self._error is not None:
            raise self._error
        return data


def everything(reader: ProvenReader, sizes: list[int] | None = None) -> bytes:
    given_out = b""
    for size in itertools.cycle(sizes or [1 << 16]):
        block = reader.read(size)
        assert size < 0 or len(block) <= size
        if not block:
            assert reader.read(size) == b""
            return given_out
        given_out += block
    raise AssertionError


@pytest.mark.parametrize(
    ("tail", "tag", "found"),
    [
        (b"", TAG, None),
        (b"", "", None),
        (DATA, TAG, None),
        (DATA, "", None),
        (DATA + tagged(), TAG, ServerError(text=TEXT.decode(), certain=True)),
        (tagged(b""), TAG, ServerError(text="", certain=True)),
        # As the feature was first described.
        (
            f"x\n__exception__{TAG}\nBig bam\n7 {TAG}__exception__".encode(),
            TAG,
            ServerError(text="Big bam", certain=True),
        ),
        # Cut short itself, at either end.
        (tagged()[:-34], TAG, ServerError(text=TEXT.decode() + " 84", certain=True)),
        (tagged()[45:], TAG, ServerError(text=TEXT.decode()[11:], certain=True)),
        # With a tag, nothing else is an error.
        (DATA + tagged(tag="0123456789abcdef"), TAG, None),
        (DATA + UNTAGGED, TAG, None),
        (DATA + OLD, TAG, None),
        (DATA + TAG.encode() + DATA + b"__exception__", TAG, None),
        (DATA + UNTAGGED, "", ServerError(text=TEXT.decode(), certain=True)),
        # A proxy kept the header to itself.
        (
            DATA + tagged(),
            "",
            ServerError(text=f"{TEXT.decode()} {len(TEXT)} {TAG} __exception__", certain=True),
        ),
        (DATA + b"__exception__\r\nno error", "", None),
        (
            b"__exception__\r\nstd::exception. Code: 1001, type: x",
            "",
            ServerError(text="std::exception. Code: 1001, type: x", certain=True),
        ),
        (DATA + OLD, "", ServerError(text=OLD.decode().strip(), certain=False)),
        (DATA + TEXT, "", ServerError(text=TEXT.decode(), certain=False)),
        (
            b"Code: 999, e.displayText() = Coordination::Exception: Connection loss",
            "",
            ServerError(
                text="Code: 999, e.displayText() = Coordination::Exception: Connection loss",
                certain=False,
            ),
        ),
        (
            b"Code: 210. DB::NetException: a\n\n b\xff",
            "",
            ServerError(text="Code: 210. DB::NetException: a b\ufffd", certain=False),
        ),
        (
            b"Poco::Exception. Code: 1000, e.code() = 32, e.displayText() = I/O error",
            "",
            ServerError(
                text="Code: 1000, e.code() = 32, e.displayText() = I/O error", certain=False
            ),
        ),
        (b"Code: 1, e.displayText", "", None),
        (b"Code: x. DB::Exception", "", None),
        (b"DB::Exception: a", "", None),
    ],
)
def test_the_end_of_a_body_tells(tail: bytes, tag: str, found: ServerError | None) -> None:
    assert find_error(tail, tag=tag) == found


def test_a_long_error_is_cut() -> None:
    error = find_error(tagged(b"Code: 1. DB::Exception: " + b"x" * 5000), tag=TAG)
    assert error is not None
    assert "x … x" in error.text
    assert len(error.text) < 600


BLOCKS = st.lists(st.integers(1, 3000), min_size=1, max_size=5)


@given(data=st.binary(max_size=9000), tag=st.sampled_from(["", TAG]), lengths=BLOCKS, sizes=BLOCKS)
def test_a_whole_body_comes_out_as_it_is(
    data: bytes, tag: str, lengths: list[int], sizes: list[int]
) -> None:
    assert everything(ProvenReader(Blocks(data, lengths), tag=tag), sizes) == data


@pytest.mark.parametrize("length", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 20])
def test_a_large_body_comes_out_as_it_is(length: int) -> None:
    data = (DATA * (length // len(DATA) + 1))[:length]
    reader = ProvenReader(Blocks(data, [100_000, 1 << 17]), tag=TAG)
    assert everything(reader, [-1]) == data


@pytest.mark.parametrize(
    ("end", "tag", "word"),
    [
        (tagged(), TAG, "the server broke off: Code: 395"),
        (UNTAGGED, "", "the server broke off: Code: 395"),
        (OLD, "", "query_log.*cannot be asked: Code: 395"),
        (TEXT, "", "query_log.*cannot be asked: Code: 395"),
    ],
)
@given(data=st.binary(max_size=5000), lengths=BLOCKS, size=st.integers(1, 4000))
def test_a_body_that_broke_never_ends(
    end: bytes, tag: str, word: str, data: bytes, lengths: list[int], size: int
) -> None:
    reader = ProvenReader(Blocks(data + end, lengths), tag=tag)
    with pytest.raises(SourceFailedError, match=word):
        everything(reader, [size])
    with pytest.raises(SourceFailedError):
        reader.read()


@pytest.mark.parametrize("length", [0, 1 << 20, (1 << 21) + 7])
@pytest.mark.parametrize("text", [b"Code: 1. DB::Exception: x", b"Code: 1: " + b"y" * 900_000])
def test_nothing_of_an_error_gets_out(length: int, text: bytes) -> None:
    data = (DATA * (length // len(DATA) + 1))[:length]
    reader = ProvenReader(Blocks(data + tagged(text)), tag=TAG)
    out = b""

    def read() -> None:
        nonlocal out
        while block := reader.read(1 << 16):
            out += block

    with pytest.raises(SourceFailedError, match="Code: 1"):
        read()
    assert data.startswith(out)


@pytest.mark.parametrize("verdict", [True, False])
@pytest.mark.parametrize("end", [OLD, TEXT])
def test_where_data_looks_like_an_error_the_server_decides(end: bytes, *, verdict: bool) -> None:
    asked = []

    def confirm() -> bool:
        asked.append(1)
        return verdict

    reader = ProvenReader(Blocks(DATA + end), tag="", confirm=confirm)
    if verdict:
        assert everything(reader) == DATA + end
    else:
        with pytest.raises(SourceFailedError, match="broke off: Code: 395"):
            everything(reader)
    assert asked == [1]


@pytest.mark.parametrize(
    ("data", "tag"),
    [
        (DATA, ""),
        (b"", ""),
        (DATA + UNTAGGED, ""),
        (DATA + OLD, TAG),
        (OLD + bytes(1 << 17), ""),
    ],
)
def test_the_server_is_not_asked_without_need(data: bytes, tag: str) -> None:
    def confirm() -> bool:
        raise AssertionError

    reader = ProvenReader(Blocks(data), tag=tag, confirm=confirm)
    if UNTAGGED in data:
        with pytest.raises(SourceFailedError, match="broke off"):
            everything(reader)
    else:
        assert everything(reader) == data


@pytest.mark.parametrize(
    ("end", "tag", "word"),
    [
        (b"", TAG, "^connection closed$"),
        (tagged(), TAG, "^connection closed; the server's last words: Code: 395"),
        (UNTAGGED, "", "^connection closed; the server's last words: Code: 395"),
        (OLD, "", "^connection closed; the server's last words: Code: 395"),
        (OLD, TAG, "^connection closed$"),
    ],
)
@pytest.mark.parametrize("data", [b"", DATA * 1000])
def test_a_broken_connection_is_told_in_the_servers_words(
    data: bytes, end: bytes, tag: str, word: str
) -> None:
    source = Blocks(data + end, error=SourceFailedError("connection closed"))
    reader = ProvenReader(source, tag=tag, confirm=lambda: True)
    with pytest.raises(SourceFailedError, match=word):
        everything(reader)


@pytest.mark.parametrize("error", [InterruptedRunError("stop"), OSError("reset")])
def test_other_failures_of_the_source_pass_through(error: Exception) -> None:
    reader = ProvenReader(Blocks(DATA + tagged(), error=error), tag=TAG)
    with pytest.raises((KsnapshotError, OSError)) as caught:
        everything(reader)
    assert caught.value is error


@given(cut=st.integers(1, len(tagged()) - 1), size=st.integers(1, 100))
def test_a_tag_over_two_blocks_is_found(cut: int, size: int) -> None:
    data = DATA + tagged()
    reader = ProvenReader(Blocks(data, [len(DATA) + cut, len(data)]), tag=TAG)
    with pytest.raises(SourceFailedError, match="broke off"):
        everything(reader, [size])


def test_reading_nothing_reads_nothing() -> None:
    reader = ProvenReader(Blocks(DATA), tag=TAG)
    assert reader.read(0) == b""
    assert everything(reader) == DATA
