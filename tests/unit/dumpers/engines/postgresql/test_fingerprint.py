"""The fingerprint of a plain dump: whatever its blocks, and with every byte that matters."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.contract.fingerprint import Fingerprint
from dumpers.engines.postgresql.fingerprint import PLAIN_FORM, is_repeatable
from dumpers.engines.script_scanner import ScriptScanner

DUMP = rb"""--
-- PostgreSQL database dump
--

\restrict h7wq

-- Dumped from database version 18.1
-- Dumped by pg_dump version 18.1

SET client_encoding = 'UTF8';
COMMENT ON DATABASE shop IS 'COPY x FROM stdin;';

COPY public.people (id, name) FROM stdin;
1	Zo
2	\\.
3	\N
\.


COPY "odd ""x"" (y"."t.u" ("a (b") FROM stdin;
\.


CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$
SELECT 'COPY FROM stdin;'
$$;
SELECT pg_catalog.setval('public.counter', 41, true);

\unrestrict h7wq

"""
PEOPLE, ODD = "public.people", '"odd ""x"" (y"."t.u"'


def scan(*blocks: bytes) -> Fingerprint:
    scanner = ScriptScanner(PLAIN_FORM)
    for block in blocks:
        scanner.update(block)
    return scanner.end()


WHOLE = scan(DUMP)


def test_tables_have_their_names_and_rows() -> None:
    assert {name: table.rows for name, table in WHOLE.tables.items()} == {PEOPLE: 3, ODD: 0}
    assert len({WHOLE.rest, *(table.digest for table in WHOLE.tables.values())}) == 3


@given(st.lists(st.integers(0, len(DUMP)), max_size=12))
def test_the_cuts_between_blocks_do_not_matter(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(DUMP)]
    assert scan(*(DUMP[a:b] for a, b in pairwise(places))) == WHOLE


def test_blocks_of_any_size_do_not_matter() -> None:
    for size in range(1, 40):
        assert scan(*(DUMP[at : at + size] for at in range(0, len(DUMP), size))) == WHOLE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"h7wq", b"Kx"),
        (b"from database version 18.1", b"from database version 16.9 (Debian 16.9-1)"),
        (b"by pg_dump version 18.1", b"by pg_dump version 18.2"),
    ],
)
def test_what_is_of_the_run_does_not_matter(old: bytes, new: bytes) -> None:
    assert scan(DUMP.replace(old, new)) == WHOLE


@given(st.integers(0, len(DUMP) - 1))
def test_every_other_byte_matters(place: int) -> None:
    line_start = DUMP.rfind(b"\n", 0, place) + 1
    line = DUMP[line_start:].partition(b"\n")[0]
    changed = DUMP[:place] + bytes([DUMP[place] ^ 1]) + DUMP[place + 1 :]
    is_of_the_run = b"restrict " in line or line.startswith(b"-- Dumped ")
    if not is_of_the_run:
        assert scan(changed) != WHOLE


@pytest.mark.parametrize(
    ("head", "names"),
    [
        (b"COPY public.t (a, b) FROM stdin;", {"public.t"}),
        (b"COPY public.t  FROM stdin;", {"public.t"}),
        (b'COPY public."a\nb" ("x\n) FROM stdin;", y) FROM stdin;', {'public."a\nb"'}),
        (b"-- COPY public.t (a) FROM stdin;", set()),
        (b"-- x FROM stdin;COPY public.t (a) FROM stdin;", set()),
        (b'COPY public."t (a) FROM stdin;', set()),
    ],
)
def test_heads_stand_at_the_start_of_a_line(head: bytes, names: set[str]) -> None:
    script = b"SET x = 1;\n%b\n1\n\\.\n" % head
    whole = scan(script)
    assert set(whole.tables) == names
    assert scan(*(script[at : at + 1] for at in range(len(script)))) == whole


def test_what_a_user_wrote_like_the_tool_is_left_in() -> None:
    comment = b"COMMENT ON TABLE t IS 'x\n-- Dumped by pg_dump version secret\n\\restrict y\n';\n"
    dump = DUMP.replace(b"SET client", comment + b"SET client")
    assert scan(dump) != scan(dump.replace(b"version secret", b"version other"))
    assert scan(dump) != scan(dump.replace(b"\\restrict y\n", b""))


@pytest.mark.parametrize(
    ("argument", "is_same"),
    [("--verbose", False), ("-v", False), ("-xvO", False), ("--statistics", False), ("-x", True)],
)
def test_what_is_written_otherwise_each_time_has_none(argument: str, *, is_same: bool) -> None:
    assert is_repeatable(["--no-owner", argument, "--table=v"]) == is_same


def test_one_changed_value_shows_in_its_table_alone() -> None:
    changed = scan(DUMP.replace(b"2\t", b"7\t"))
    assert changed.rest == WHOLE.rest
    assert changed.tables[ODD] == WHOLE.tables[ODD]
    assert changed.tables[PEOPLE] != WHOLE.tables[PEOPLE]


def test_a_line_longer_than_any_head_is_no_reason_to_hold_it() -> None:
    long = b"SELECT '" + b"x" * (3 << 20) + b"';\n"
    dump = DUMP.replace(b"SET client", long + b"SET client")
    found = scan(*(dump[at : at + 65536] for at in range(0, len(dump), 65536)))
    assert found == scan(dump)
    assert found.tables == WHOLE.tables
    assert found.rest != WHOLE.rest
