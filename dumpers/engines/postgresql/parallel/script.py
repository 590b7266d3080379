"""The scripts by which psql reads rows out as a plain dump, as pg_dump writes one; pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dumpers.engines.postgresql.names import in_encoding
from dumpers.engines.postgresql.parallel.plan import Piece, pages_of
from dumpers.engines.postgresql.parallel.tables import Table

# As pg_dump sets up its own session, and what keeps the rows of a range in their places. Names that
# a server does not know are passed over.
_SETTINGS = {
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "extra_float_digits": "3",
    "synchronize_seqscans": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    "search_path": "",
    "restrict_nonsystem_relation_kind": "view, foreign-table",
    "enable_indexscan": "off",
    "enable_indexonlyscan": "off",
    "enable_bitmapscan": "off",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}
_HEAD = """\
--
-- PostgreSQL database dump
--

{restrict}-- Dumped from database version {version}

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = '{encoding}';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = {row_security};

"""
_TITLE = """\
--
-- Data for Name: {name}; Type: TABLE DATA; Schema: {schema}; Owner: {owner}
--

"""
_END = """\
--
-- PostgreSQL database dump complete
--

{unrestrict}"""
_WRITTEN = {"\\": r"\\", "'": "''", "\n": r"\n", "\r": r"\r"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a dump by psql has in its head; a `token` is of psql's restricted mode, empty without.

    `encoding` is the session's.
    """

    version: str
    encoding: str
    row_security: bool
    token: str = ""


def settings_statement(
    *, row_security: bool, others: Mapping[str, str] | None = None, is_local: bool = False
) -> str:
    """The statement that sets up a session for reading rows; it prints nothing.

    With `is_local` it sets up the transaction only.
    """
    wanted = {**_SETTINGS, "row_security": "on" if row_security else "off", **(others or {})}
    values = ", ".join(f"('{name}', '{value}')" for name, value in wanted.items())
    # OFFSET keeps the server from setting what it is only then to find out that it does not know.
    known = (
        f"SELECT * FROM (VALUES {values}) AS v(name, value) "  # noqa: S608  constants
        "WHERE v.name IN (SELECT s.name FROM pg_catalog.pg_settings s) OFFSET 0"
    )
    return (
        f"SELECT 1 FROM ({known}) AS k "  # noqa: S608  constants
        f"WHERE pg_catalog.set_config(k.name, k.value, {str(is_local).lower()}) IS NULL"
    )


def copy_script(pieces: Sequence[tuple[Table, Piece]], form: Form) -> bytes:
    """The script by which psql prints a plain dump of these pieces' rows."""
    restrict = f"\\restrict {form.token}\n\n" if form.token else ""
    head = _HEAD.format(
        restrict=restrict,
        version=form.version,
        encoding=form.encoding,
        row_security="on" if form.row_security else "off",
    )
    unrestrict = f"\\unrestrict {form.token}\n\n" if form.token else ""
    lines = [_echo(head)]
    for table, piece in pieces:
        lines += _copied(table, piece)
    lines += [_echo(_END.format(unrestrict=unrestrict))]
    return in_encoding("\n".join((*lines, "")), form.encoding)


def head_of(table: Table) -> str:
    """The statement that loads a table's rows, as pg_dump writes it."""
    return f"COPY {table.quoted} ({table.copied}) FROM stdin;"


def copy_out(table: Table, piece: Piece) -> str:
    """The statement that reads the rows of a piece."""
    first, end = pages_of(piece, table.pages)
    bounds = [f"ctid >= '({first},0)'::pg_catalog.tid"] if first is not None else []
    bounds += [f"ctid < '({end},0)'::pg_catalog.tid"] if end is not None else []
    if not bounds:
        return f"COPY {table.quoted} ({table.copied}) TO STDOUT;"
    rows = f"SELECT {table.copied} FROM ONLY {table.quoted} WHERE {' AND '.join(bounds)}"  # noqa: S608  quoted by the server
    return f"COPY ({rows}) TO STDOUT;"


def _copied(table: Table, piece: Piece) -> Iterator[str]:
    names = {"name": table.name, "schema": table.schema, "owner": table.owner}
    # As pg_dump does, so that no name makes a line of its own.
    inline = {key: text.replace("\n", " ").replace("\r", " ") for key, text in names.items()}
    yield _echo(f"{_TITLE.format(**inline)}{head_of(table)}\n")
    yield copy_out(table, piece)
    yield _echo("\\.\n\n\n")


def _echo(text: str) -> str:
    r"""The command of psql that prints a text, which ends with a line end."""
    written = "".join(_WRITTEN.get(letter, letter) for letter in text.removesuffix("\n"))
    return f"\\echo '{written}'"
