"""The scripts that psql reads rows out by: what they print has the form of a plain dump."""

import re

from dumpers.engines.postgresql.fingerprint import PLAIN_FORM
from dumpers.engines.postgresql.parallel.plan import Piece
from dumpers.engines.postgresql.parallel.script import (
    Form,
    copy_out,
    copy_script,
    head_of,
    settings_statement,
)
from dumpers.engines.postgresql.parallel.tables import Table
from dumpers.engines.postgresql.proofs import prove_plain
from dumpers.engines.script_scanner import ScriptScanner

FORM = Form(version="18.4", encoding="UTF8", row_security=False, token="abc")
_ECHO = re.compile(r"^\\echo '((?:[^']|'')*)'$", re.MULTILINE)
_WRITTEN = {r"\\": "\\", "''": "'", r"\n": "\n", r"\r": "\r"}


def table(name: str = "t", schema: str = "public") -> Table:
    quoted = ".".join('"{}"'.format(part.replace('"', '""')) for part in (schema, name))
    return Table(
        oid=1, schema=schema, name=name, owner="me", quoted=quoted, copied='a, "b c"', pages=100
    )


def printed(script: bytes, *, rows: str = "1\tx\n") -> str:
    """What psql prints of a script, where each COPY gives these rows."""
    out, at = "", 0
    text = script.decode()
    while at < len(text):
        if found := _ECHO.match(text, at):
            out += re.sub(r"\\\\|''|\\n|\\r", lambda one: _WRITTEN[one[0]], found[1]) + "\n"
            at = found.end() + 1
        else:
            end = text.index("TO STDOUT;\n", at) + len("TO STDOUT;\n")
            out += rows
            at = end
    return out


def test_it_is_a_plain_dump_with_the_rows_of_each_table() -> None:
    odd = table("Tab'le\\ \n\"x")
    script = copy_script([(table(), Piece(oid=1)), (odd, Piece(oid=1, number=1, count=4))], FORM)
    said = printed(script).encode()
    assert prove_plain(said, said) is None
    assert b"\\restrict abc\n" in said
    assert said.endswith(b"\n\\unrestrict abc\n\n")
    scanner = ScriptScanner(PLAIN_FORM)
    scanner.update(said)
    found = scanner.end().tables
    assert {name: digest.rows for name, digest in found.items()} == {
        '"public"."t"': 1,
        '"public"."Tab\'le\\ \n""x"': 1,
    }
    # A line end in a name begins no line of its own in a comment.
    assert b"-- Data for Name: Tab'le\\  \"x; Type: TABLE DATA; Schema: public; Owner: me\n" in said


def test_no_token_no_restricted_mode() -> None:
    form = Form(version="13.22", encoding="UTF8", row_security=True)
    said = printed(copy_script([(table(), Piece(oid=1))], form)).encode()
    assert prove_plain(said, said) is None
    assert b"restrict" not in said
    assert b"SET row_security = on;\n" in said


def test_a_share_whose_tables_are_gone_is_a_dump_of_nothing() -> None:
    said = printed(copy_script([], FORM)).encode()
    assert prove_plain(said, said) is None
    assert b"COPY" not in said


def test_the_script_is_in_the_encoding_of_the_session() -> None:
    form = Form(version="18.4", encoding="LATIN1", row_security=False)
    assert "Zoë".encode("latin-1") in copy_script([(table("Zoë"), Piece(oid=1))], form)


def test_a_range_is_read_by_its_pages_and_a_table_as_pg_dump_reads_it() -> None:
    one = table()
    assert copy_out(one, Piece(oid=1)) == 'COPY "public"."t" (a, "b c") TO STDOUT;'
    rows = 'COPY (SELECT a, "b c" FROM ONLY "public"."t" WHERE '
    assert copy_out(one, Piece(oid=1, number=0, count=2)) == (
        f"{rows}ctid < '(50,0)'::pg_catalog.tid) TO STDOUT;"
    )
    assert copy_out(one, Piece(oid=1, number=1, count=4)) == (
        f"{rows}ctid >= '(25,0)'::pg_catalog.tid AND ctid < '(50,0)'::pg_catalog.tid) TO STDOUT;"
    )
    assert head_of(one) == 'COPY "public"."t" (a, "b c") FROM stdin;'


def test_settings_are_those_of_pg_dump() -> None:
    statement = settings_statement(row_security=False, others={"quote_all_identifiers": "on"})
    for name, value in (
        *(("DateStyle", "ISO"), ("extra_float_digits", "3"), ("row_security", "off")),
        *(("synchronize_seqscans", "off"), ("quote_all_identifiers", "on")),
    ):
        assert f"('{name}', '{value}')" in statement


def test_settings_are_the_sessions_or_the_transactions() -> None:
    for is_local, last in ((False, "false"), (True, "true")):
        statement = settings_statement(row_security=False, is_local=is_local)
        assert f"set_config(k.name, k.value, {last}) IS NULL" in statement
