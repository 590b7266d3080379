"""Rows of a restored table, cut where the pieces of its dump ended."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dumpers.contract.fingerprint import TableDigest
from dumpers.engines.postgresql.drill.pieces import PieceDigests, judge_pieces
from dumpers.engines.postgresql.fingerprint import PLAIN_FORM
from dumpers.engines.script_scanner import ScriptScanner

HEAD = b"COPY public.t (a) FROM stdin;"
ROWS = st.lists(
    st.binary(max_size=6).map(lambda row: row.replace(b"\n", b"n").replace(b"\\", b"b"))
)
PIECES = st.lists(ROWS, min_size=1, max_size=6)


def dumped(rows: list[bytes]) -> TableDigest:
    """What a dump of one piece records."""
    lines = b"".join(row + b"\n" for row in rows)
    scanner = ScriptScanner(PLAIN_FORM)
    scanner.update(
        b"--\n-- PostgreSQL database dump\n--\n\n" + HEAD + b"\n" + lines + b"\\.\n\n--\n"
    )
    return scanner.end().tables["public.t"]


def found(rows: list[bytes], counts: list[int], cuts: list[int]) -> list[TableDigest]:
    data = b"".join(row + b"\n" for row in rows)
    digests = PieceDigests(head=HEAD, counts=counts)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        digests.update(data[start:end])
    return digests.end()


@given(PIECES, st.lists(st.integers(0, 1 << 16), max_size=8))
def test_equal_rows_have_equal_digests_wherever_blocks_end(
    pieces: list[list[bytes]], cuts: list[int]
) -> None:
    recorded = [dumped(rows) for rows in pieces]
    rows = [row for piece in pieces for row in piece]
    again = found(rows, [len(piece) for piece in pieces], cuts)
    assert again == recorded
    verdict = judge_pieces("db.t", recorded, again)
    assert (verdict.good, verdict.rows) == (True, len(rows))


@given(PIECES, st.lists(st.integers(0, 1 << 16), max_size=3), st.data())
def test_rows_that_changed_are_seen(
    pieces: list[list[bytes]], cuts: list[int], data: st.DataObject
) -> None:
    recorded = [dumped(rows) for rows in pieces]
    rows = [row for piece in pieces for row in piece]
    place = data.draw(st.integers(0, len(rows)))
    how = data.draw(st.sampled_from(("more", "less", "other")))
    if how == "more" or place == len(rows):
        changed = [*rows[:place], b"new", *rows[place:]]
    elif how == "less":
        changed = [*rows[:place], *rows[place + 1 :]]
    else:
        changed = [*rows[:place], rows[place] + b"x", *rows[place + 1 :]]
    again = found(changed, [len(piece) for piece in pieces], cuts)
    verdict = judge_pieces("db.t", recorded, again)
    assert not verdict.good
    assert verdict.rows == len(changed)
    wanted = "its rows differ" if len(changed) == len(rows) else f"instead of {len(rows)}"
    assert wanted in verdict.why
