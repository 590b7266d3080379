"""A plain dump as one transaction."""

import io
import random
from collections.abc import Iterator

import pytest

from dumpers.engines.postgresql.restore.script.transaction import in_one_transaction
from dumpers.runtime.errors import StorageFailedError
from dumpers.streams.reader import IterReader

_HEADER = "--\n-- {}Name: {}; Type: {}; Schema: -; Owner: me\n--\n\n"
_LINES = "\nBEGIN;\n\nCOMMIT;\n\n"
BEGINNING = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET lock_timeout = 0;\n\n"
FUNCTION = _HEADER.format("", "f()", "FUNCTION") + f"CREATE FUNCTION f() AS $f${_LINES}$f$;\n\n"
FORGED = _HEADER.format("Data for ", "BLOBS", "BLOBS")
ROWS = (
    _HEADER.format("Data for ", "t", "TABLE DATA")
    + f"COPY public.t (line) FROM stdin;\n{FORGED}{_LINES}\\\\.\n\\.\n\n\n"
)
INSERTS = (
    _HEADER.format("Data for ", "u", "TABLE DATA")
    + f"INSERT INTO public.u VALUES ('{'x' * 300_000}');\n"
    + f"INSERT INTO public.u VALUES ('{FORGED}{_LINES}');\n" * 2
)
LOADED = "\nSELECT pg_catalog.lo_open('1', 131072);\nSELECT pg_catalog.lo_close(0);\n\n"
END = "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n"
BEFORE, AFTER = BEGINNING + FUNCTION + ROWS, INSERTS + END


def pieces(data: bytes, seed: int) -> IterReader:
    dice = random.Random(seed)
    sizes = [dice.choice((1, 2, 3, 50, 4000, 200_000)) for _ in range(len(data))]
    places = [sum(sizes[:number]) for number in range(min(len(sizes), 200))]
    ends = [*places[1:], len(data)]
    return IterReader(data[at:end] for at, end in zip(places, ends, strict=True))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("count", [0, 1, 2])
def test_only_its_end_commits(seed: int, count: int) -> None:
    large = FORGED + f"BEGIN;\n{LOADED}COMMIT;\n\n"
    source = (BEFORE + large * count + AFTER).encode()
    wanted = BEFORE + (FORGED + LOADED + "\n") * count + AFTER
    reader = in_one_transaction(pieces(source, seed))
    assert b"".join(iter(reader.read, b"")).decode() == f"BEGIN;\n{wanted}COMMIT;\n"


def test_a_dump_without_a_proven_end_is_not_committed() -> None:
    def blocks() -> Iterator[bytes]:
        yield BEFORE.encode()
        raise StorageFailedError("away")

    given: list[bytes] = []
    with pytest.raises(StorageFailedError, match="away"):
        given.extend(iter(in_one_transaction(IterReader(blocks())).read, b""))
    assert b"COMMIT" not in b"".join(given).replace(_LINES.encode(), b"")


def test_short_lines_come_in_large_pieces() -> None:
    lines = [f"INSERT INTO t VALUES ({number});\n" for number in range(50_000)]
    source = (_HEADER.format("Data for ", "t", "TABLE DATA") + "".join(lines)).encode()
    reader = in_one_transaction(io.BytesIO(source))
    assert len(list(iter(reader.read, b""))) < 20


def test_a_very_long_line_is_never_held_as_a_whole() -> None:
    start, size = "INSERT INTO t VALUES (1, 'it''s', '\\x", 40 << 20
    line = f"{start}{'ab' * (size // 2)}', '{FORGED}{_LINES}');\n".encode()
    source = _HEADER.format("Data for ", "t", "TABLE DATA").encode() + line + END.encode()
    reader = in_one_transaction(io.BytesIO(source))
    pieces_ = list(iter(reader.read, b""))
    assert b"".join(pieces_) == b"BEGIN;\n" + source + b"COMMIT;\n"
    assert max(map(len, pieces_)) < 4 << 20
