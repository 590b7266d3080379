"""What a restore reads of scripts before psql is given any of it."""

import io

import pytest

from dumpers.engines.postgresql.restore.marks import (
    by_of,
    describe,
    is_kept,
    is_marked,
    mark,
    unmarked,
)
from dumpers.engines.postgresql.restore.roles import select
from dumpers.engines.postgresql.restore.script.heads import guard
from dumpers.engines.postgresql.restore.script.statements import Quotes, split_statements
from dumpers.runtime.errors import TargetRefusedError

GLOBALS = b"""--
-- PostgreSQL database cluster dump
--

\\restrict abc

SET default_transaction_read_only = off;

--
-- Roles
--

CREATE ROLE app;
ALTER ROLE app WITH NOSUPERUSER PASSWORD 'SCRAM-SHA-256$4096:a;b';
CREATE ROLE "Odd ""x";
ALTER ROLE "Odd ""x" WITH LOGIN;
COMMENT ON ROLE "Odd ""x" IS 'it''s
ALTER ROLE app WITH SUPERUSER;
';
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER PASSWORD 'old';
ALTER ROLE postgres SET work_mem TO '9MB';
GRANT app TO "Odd ""x" WITH INHERIT TRUE GRANTED BY postgres;
GRANT app TO postgres;

CREATE TABLESPACE fast OWNER app LOCATION '/fast';
GRANT ALL ON TABLESPACE fast TO app;

--
-- PostgreSQL database cluster dump complete
--

\\unrestrict abc


--
-- Databases: encoding, locale, owner, comment, settings and rights. One that is there
--

-- Database shop
ALTER DATABASE :"database" OWNER TO app;
-- End of database shop
"""


def test_roles_that_are_there_keep_everything() -> None:
    found = select(GLOBALS, roles=frozenset(("postgres", "app")))
    assert b"".join(found.roles) == (
        b'CREATE ROLE "Odd ""x";\nALTER ROLE "Odd ""x" WITH LOGIN;\n'
        b"COMMENT ON ROLE \"Odd \"\"x\" IS 'it''s\nALTER ROLE app WITH SUPERUSER;\n';\n"
        b'GRANT app TO "Odd ""x" WITH INHERIT TRUE GRANTED BY postgres;\n'
    )
    assert [space[:17] for space in found.tablespaces] == [
        b"CREATE TABLESPACE",
        b"GRANT ALL ON TABL",
    ]
    assert b"OWNER TO app" in found.sections


def test_roles_that_are_missing_come_with_their_passwords() -> None:
    roles = b"".join(select(GLOBALS, roles=frozenset(("postgres",))).roles)
    assert b"CREATE ROLE app;\nALTER ROLE app WITH NOSUPERUSER PASSWORD" in roles
    assert b"ROLE postgres" not in roles


@pytest.mark.parametrize(
    ("line", "is_open"),
    [
        (b"SELECT 1;\n", False),
        (b"SELECT 'it''s\n", True),
        (b"SELECT 'it''s';\n", False),
        (b"SELECT E'it\\'s\n", True),
        (b"SELECT 'a\\';\n", False),
        (b'SELECT "a\n', True),
        (b"AS $f$ x $$ y\n", True),
        (b"AS $f$ ' $f$;\n", False),
        (b"SELECT a$f$ FROM t;\n", False),
        (b"-- it's\n", False),
        (b"SELECT /* it's\n", True),
    ],
)
def test_where_a_text_is_open(line: bytes, is_open: bool) -> None:  # noqa: FBT001
    quotes = Quotes()
    quotes.follow(line)
    assert quotes.open is is_open


def test_statements_end_at_lines_of_their_own() -> None:
    assert split_statements(b"A 'x;\ny';\nB;\n\n") == [b"A 'x;\ny';\n", b"B;\n"]


def guarded(dump: bytes, token: str = "t") -> bytes:
    reader = guard(io.BytesIO(dump), server=16, token=token)
    return b"".join(iter(lambda: reader.read(1000), b""))


def test_psql_is_restricted_where_the_dump_does_not_ask_for_it() -> None:
    dump = b"--\n-- Dumped from database version 16.3\n" + b"x" * 9000
    assert guarded(dump) == b"\\restrict t\n" + dump
    assert guarded(dump, token="") == dump
    restricted = b"--\n\\restrict abc\n" + dump
    assert guarded(restricted) == restricted


def test_a_dump_of_a_newer_server_is_refused() -> None:
    with pytest.raises(TargetRefusedError, match="PostgreSQL 17, and the target is 16"):
        guarded(b"--\n-- Dumped from database version 17.1\n")


def test_a_mark_keeps_the_comment() -> None:
    text = mark("replaced", "the\nshop")
    assert is_marked(text)
    assert unmarked(text) == "the\nshop"
    assert (unmarked("plain"), unmarked(mark("loading"))) == ("plain", "")
    assert "earlier restore" in describe("shop", text)
    assert "earlier restore" not in describe("shop", "mine")


def test_a_mark_names_its_restore() -> None:
    text = mark("replaced", "of (mine)", by="ksnapshot-restore-x7k2p")
    assert (by_of(text), unmarked(text)) == ("ksnapshot-restore-x7k2p", "of (mine)")
    assert is_kept(text)
    assert not is_kept(mark("restored", by="a"))
    assert [by_of(comment) for comment in ("mine (a)", mark("loading"), "")] == ["", "", ""]
    assert "(ksnapshot-restore-x7k2p)" in describe("shop", text)
