"""Cutting chosen tables out of a plain dump."""

import io

import pytest

from dumpers.engines.postgresql.restore.script.tables import TableCut
from dumpers.runtime.errors import TargetRefusedError


def entry(name: str, kind: str, text: str, schema: str = "public", data: str = "") -> str:
    return (
        f"--\n-- {data}Name: {name}; Type: {kind}; Schema: {schema}; Owner: me\n--\n\n{text}\n\n\n"
    )


END = "--\n-- PostgreSQL database dump complete\n--\n\n"
BODY = "--\n-- Name: people; Type: TABLE; Schema: public; Owner: me\n--"
DUMP = "".join(
    (
        "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET lock_timeout = 0;\n\n",
        entry("app", "SCHEMA", "CREATE SCHEMA app;", schema="-"),
        entry("mood", "TYPE", "CREATE TYPE public.mood AS ENUM ('glad');"),
        entry("touch()", "FUNCTION", f"CREATE FUNCTION public.touch() AS $f$\n{BODY}\n$f$;"),
        entry(
            "all_orders()", "FUNCTION", "CREATE FUNCTION f() RETURNS SETOF public.orders AS $$$$;"
        ),
        "SET default_table_access_method = heap;\n\n",
        entry("people", "TABLE", "CREATE TABLE public.people (\n    mood public.mood\n);"),
        entry("people_id_seq", "SEQUENCE", "CREATE SEQUENCE public.people_id_seq;"),
        entry(
            "people_id_seq",
            "SEQUENCE OWNED BY",
            "ALTER SEQUENCE public.people_id_seq OWNED BY public.people.id;",
        ),
        entry("orders", "TABLE", "CREATE TABLE public.orders (\n    a integer\n);"),
        entry(
            "loud",
            "VIEW",
            "CREATE VIEW public.loud AS SELECT public.people.mood FROM public.people;",
        ),
        entry('Odd "x', "TABLE", 'CREATE TABLE app."Odd ""x" (\n    a text\n);', schema="app"),
        entry(
            "people",
            "TABLE DATA",
            f"COPY public.people (mood) FROM stdin;\nglad\n{BODY}\n\\.",
            data="Data for ",
        ),
        entry(
            "orders", "TABLE DATA", "COPY public.orders (a) FROM stdin;\n1\n\\.", data="Data for "
        ),
        entry(
            'Odd "x', "TABLE DATA", 'COPY app."Odd ""x" (a) FROM stdin;\n\\.', "app", "Data for "
        ),
        entry(
            "people_id_seq", "SEQUENCE SET", "SELECT pg_catalog.setval('public.people_id_seq', 3);"
        ),
        entry(
            "people people_pkey",
            "CONSTRAINT",
            "ALTER TABLE ONLY public.people\n    ADD CONSTRAINT people_pkey PRIMARY KEY (id);",
        ),
        entry("moods", "INDEX", "CREATE INDEX moods ON public.people USING btree (mood);"),
        entry("moods", "COMMENT", "COMMENT ON INDEX public.moods IS 'public.orders';"),
        entry("orders_i", "INDEX", "CREATE INDEX orders_i ON public.orders USING btree (a);"),
        entry(
            "people touched",
            "TRIGGER",
            "CREATE TRIGGER touched BEFORE UPDATE ON public.people FOR EACH ROW "
            "EXECUTE FUNCTION public.touch();",
        ),
        entry(
            "people fk",
            "FK CONSTRAINT",
            "ALTER TABLE ONLY public.people\n"
            "    ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES public.orders(a);",
        ),
        entry("TABLE people", "ACL", "GRANT SELECT ON TABLE public.people TO you;"),
        "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n",
    )
)


class Slow(io.BytesIO):
    """Serves as few bytes at a time as it is told."""

    def __init__(self, data: bytes, at_once: int) -> None:
        super().__init__(data)
        self.at_once = at_once

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self.at_once)


def cut(
    *tables: str, is_bare: bool = True, replaces: bool = False, at_once: int = 1 << 20
) -> tuple[str, list[str]]:
    made = TableCut(wanted=tables, is_bare=is_bare, replaces=replaces)
    reader = made.reader(Slow(DUMP.encode(), at_once))
    return b"".join(iter(reader.read, b"")).decode(), made.notes


@pytest.mark.parametrize("at_once", [1, 3, 7, 1 << 20])
def test_a_table_with_all_that_belongs_to_it(at_once: int) -> None:
    text, notes = cut("people", at_once=at_once)
    for kept in (
        "\\restrict abc",
        "CREATE TYPE public.mood",
        f"AS $f$\n{BODY}\n$f$;",
        "default_table_access",
        "CREATE TABLE public.people",
        "CREATE SEQUENCE",
        "OWNED BY public.people.id",
        f"FROM stdin;\nglad\n{BODY}\n\\.\n",
        "setval",
        "people_pkey",
        "INDEX moods",
        "COMMENT ON INDEX",
        "TRIGGER touched",
        "GRANT SELECT",
        "dump complete",
        "\\unrestrict abc",
    ):
        assert kept in text, kept
    for gone in ("public.orders (", "orders_i", "SETOF", "loud", "Odd", "FOREIGN KEY"):
        assert gone not in text, gone
    [note] = notes
    assert note.endswith("that are not chosen was left out: 'fk constraint people fk'")


def test_into_a_database_that_has_the_rest_go_the_tables_alone() -> None:
    text, _ = cut("people", is_bare=False)
    assert "CREATE TYPE" not in text
    assert "CREATE FUNCTION" not in text
    assert "CREATE TABLE public.people" in text


def test_what_is_replaced_is_dropped_first() -> None:
    text, _ = cut('app.Odd "x', is_bare=False, replaces=True)
    assert text.index('DROP TABLE IF EXISTS "app"."Odd ""x";') < text.index("CREATE TABLE")
    assert "people" not in text


def test_both_ends_of_a_foreign_key_keep_it() -> None:
    text, notes = cut("people", "public.orders")
    assert "FOREIGN KEY" in text
    assert "SETOF public.orders" in text
    assert notes == []


def test_a_table_that_is_not_there_is_named() -> None:
    with pytest.raises(TargetRefusedError, match=r"no table 'nobody'.*public\.people"):
        cut("nobody")


def test_partitions_go_with_their_table() -> None:
    dump = "".join(
        (
            entry(
                "p", "TABLE", "CREATE TABLE public.p (\n    k integer\n)\nPARTITION BY RANGE (k);"
            ),
            entry("p1", "TABLE", "CREATE TABLE public.p1 (\n    k integer\n);"),
            entry(
                "p1",
                "TABLE ATTACH",
                "ALTER TABLE ONLY public.p ATTACH PARTITION public.p1 FOR VALUES FROM (0) TO (9);",
            ),
            entry("heir", "TABLE", "CREATE TABLE public.heir (\n)\nINHERITS (public.p1);"),
            entry("p1", "TABLE DATA", "COPY public.p1 (k) FROM stdin;\n1\n\\.", data="Data for "),
            END,
        )
    ).encode()

    def of(name: str) -> str:
        made = TableCut(wanted=(name,), is_bare=True, replaces=False)
        return b"".join(iter(made.reader(io.BytesIO(b"\n" + dump)).read, b"")).decode()

    assert all(part in of("p") for part in ("ATTACH", "public.heir", "COPY public.p1"))
    assert "ATTACH" not in of("p1")
    assert "COPY public.p1" in of("p1")
    with pytest.raises(TargetRefusedError, match=r"heir inherits from public\.p1"):
        of("heir")


def test_settings_behind_rows_that_are_left_out_count() -> None:
    space = "SET default_tablespace = fast;\n"
    dump = "".join(
        (
            "\n",
            entry("a", "TABLE", "CREATE TABLE public.a (\n    k integer\n);"),
            entry("b", "TABLE", "CREATE TABLE public.b (\n    k integer\n);"),
            entry("b", "TABLE DATA", "COPY public.b (k) FROM stdin;\n1\n\\.", data="Data for "),
            space,
            entry("i", "INDEX", "CREATE INDEX i ON public.a USING btree (k);"),
            END,
        )
    ).encode()
    reader = TableCut(wanted=("a",), is_bare=True, replaces=False).reader(io.BytesIO(dump))
    assert f"{space}--\n-- Name: i;" in b"".join(iter(reader.read, b"")).decode()


def large(size: int) -> str:
    digits = "ab" * size
    text = f"BEGIN;\n\nSELECT pg_catalog.lowrite(0, '\\x{digits}');\n\nCOMMIT;"
    return entry("BLOBS", "BLOBS", text, schema="-", data="Data for ")


@pytest.mark.parametrize("at_once", [7, 1 << 17])
def test_rows_are_told_by_their_whole_statement(at_once: int) -> None:
    odd = entry(
        "odd",
        "TABLE DATA",
        f'COPY public.odd ("a\nb", c) FROM stdin;\nit\'s\t{BODY}\n\\.',
        data="Data for ",
    )
    people = entry(
        "people", "TABLE DATA", "COPY public.people (a) FROM stdin;\n1\n\\.", data="Data for "
    )
    definitions = [
        entry(name, "TABLE", f"CREATE TABLE public.{name} (\n    a integer\n);")
        for name in ("odd", "people")
    ]
    dump = "".join(("\n", *definitions, odd, people, large(2 << 20), END)).encode()

    class Slowly(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(at_once, size) if size and size > 0 else at_once)

    made = TableCut(wanted=("people",), is_bare=True, replaces=False)
    text = b"".join(iter(made.reader(Slowly(dump)).read, b"")).decode()
    assert people.strip() in text
    assert "public.odd" not in text
    assert "lowrite" not in text


def test_a_dump_that_breaks_off_gives_no_tables() -> None:
    dump = entry("p", "TABLE", "CREATE TABLE public.p (\n    k integer\n);").encode()
    made = TableCut(wanted=("p",), is_bare=True, replaces=False)
    with pytest.raises(TargetRefusedError, match="does not end as pg_dump's do"):
        b"".join(iter(made.reader(io.BytesIO(b"\n" + dump)).read, b""))
