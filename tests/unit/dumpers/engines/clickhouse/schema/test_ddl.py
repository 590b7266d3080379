import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.lexer import TokenKind, significant, tokens
from dumpers.engines.clickhouse.schema.names.rewriting import rewrite
from dumpers.engines.clickhouse.server.sql import identifier, literal
from dumpers.runtime.errors import TargetRefusedError

ID = "95cc8b85-7fa3-429c-ba55-47a40f424f6b"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a1 b$c", [(TokenKind.WORD, "a1"), (TokenKind.WORD, "b$c")]),
        ("'it''s' x", [(TokenKind.STRING, "'it''s'"), (TokenKind.WORD, "x")]),
        (r"'a\'b' 'a\\'", [(TokenKind.STRING, r"'a\'b'"), (TokenKind.STRING, r"'a\\'")]),
        (
            '`a``b`."c"',
            [(TokenKind.QUOTED, "`a``b`"), (TokenKind.OTHER, "."), (TokenKind.QUOTED, '"c"')],
        ),
        (r"`a\`b`", [(TokenKind.QUOTED, r"`a\`b`")]),
        ("a -- 'b\n'c'", [(TokenKind.WORD, "a"), (TokenKind.STRING, "'c'")]),
        ("a /* ` -- */ b # c\n#! d\n e", [(TokenKind.WORD, w) for w in "abe"]),
        (
            "$$ it's $$ $x$ $$ $x$",
            [(TokenKind.STRING, "$$ it's $$"), (TokenKind.STRING, "$x$ $$ $x$")],
        ),
        ("'open", [(TokenKind.OTHER, "'"), (TokenKind.WORD, "open")]),
        ("über-x", [(TokenKind.WORD, "über"), (TokenKind.OTHER, "-"), (TokenKind.WORD, "x")]),
    ],
)
def test_tokens(text: str, found: list[tuple[TokenKind, str]]) -> None:
    assert [(token.kind, token.text) for token in significant(text)] == found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", "a"),
        ("`a``b`", "a`b"),
        (r"`a\`b\\c\n\x41\0\q`", "a`b\\c\nA\0q"),
        ('"a""b"', 'a"b'),
        ("''''", "'"),
        ("```''`", "`''"),
        ("'it''s'", "it's"),
        ("`it''s`", "it''s"),
        ("$$x$$", "$$x$$"),
    ],
)
def test_the_value_of_a_token(text: str, value: str) -> None:
    (token,) = tokens(text)
    assert token.value == value


@given(st.text(st.sampled_from("ab \n'\"`\\$-/*#.(),é")))
def test_tokens_are_the_whole_text(text: str) -> None:
    assert "".join(token.text for token in tokens(text)) == text


# As 26.9 and 18.16 store them.
AS_THEY_ARE = [
    "CREATE TABLE d.t (`UUID` UInt8 COMMENT 'it\\'s UUID \\'x\\' AS SELECT') ENGINE = Log",
    "CREATE TABLE d.`UUID` (`UUID` UUID DEFAULT '61f0c404-5cb3-11e7-907b') ENGINE = Log",
    "CREATE TABLE d.t (`a` String DEFAULT 'TO INNER UUID \\'1\\'') ENGINE = MergeTree ORDER BY a",
    "CREATE TABLE d.`TO INNER UUID 'x'` (`a` UInt8 /* UUID 'y' */) ENGINE = Log -- UUID 'z'",
    "CREATE VIEW d.pv AS SELECT {p:UInt8} AS `FROM d.t`, UUID 'x' AS b",
    "CREATE MATERIALIZED VIEW d.mv TO d.t (`k` UInt8) AS SELECT k FROM d.s",
    (
        "CREATE MATERIALIZED VIEW d.REFRESH (`k` UInt8) ENGINE = MergeTree ORDER BY REFRESH"
        " AS SELECT k FROM d.s"
    ),
    "CREATE MATERIALIZED VIEW d.mv REFRESH EVERY 1 HOUR TO d.t EMPTY AS SELECT 1",
    "CREATE DICTIONARY d.x (`k` UInt64) PRIMARY KEY k SOURCE(CLICKHOUSE(TABLE 't' DB 'd'))",
    "CREATE DATABASE d ENGINE = Atomic",
    "CREATE TABLE d.t ( a UInt8) ENGINE = MergeTree() PARTITION BY a ORDER BY a SETTINGS x = 8192",
]


@pytest.mark.parametrize("text", AS_THEY_ARE)
def test_what_needs_no_change_stays_byte_for_byte(text: str) -> None:
    assert rewrite(text) == text


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        (f"CREATE TABLE d.t UUID '{ID}' (`a` UInt8)", "CREATE TABLE d.t (`a` UInt8)"),
        (f"CREATE TABLE d.t uuid '{ID}'\n(\n a UUID\n)", "CREATE TABLE d.t\n(\n a UUID\n)"),
        (f"ATTACH TABLE d.t UUID '{ID}' (`a` UInt8)", "CREATE TABLE d.t (`a` UInt8)"),
        ("attach table d.t (`ATTACH` UInt8)", "CREATE table d.t (`ATTACH` UInt8)"),
        (
            f"CREATE TABLE IF NOT EXISTS t UUID '{ID}' (a UInt8)",
            "CREATE TABLE IF NOT EXISTS t (a UInt8)",
        ),
        (f"CREATE DATABASE d UUID '{ID}'\nENGINE = Atomic", "CREATE DATABASE d\nENGINE = Atomic"),
        (f"CREATE DICTIONARY d.x UUID '{ID}' (`k` UInt64)", "CREATE DICTIONARY d.x (`k` UInt64)"),
        (
            (
                f"CREATE MATERIALIZED VIEW d.mv UUID '{ID}' TO INNER UUID '{ID}' (`k` UInt8) ENGINE"
                " = MergeTree ORDER BY k AS SELECT 'TO INNER UUID' AS k, toUUID('x') FROM d.s"
            ),
            (
                "CREATE MATERIALIZED VIEW d.mv (`k` UInt8) ENGINE"
                " = MergeTree ORDER BY k AS SELECT 'TO INNER UUID' AS k, toUUID('x') FROM d.s"
            ),
        ),
        (
            (
                f"CREATE TABLE d.ts UUID '{ID}' (`a` UInt8) ENGINE = TimeSeries SETTINGS v = 4"
                f" SAMPLES INNER UUID '{ID}' SAMPLES INNER COLUMNS (`id` UUID)"
                f" RECENT SAMPLES INNER UUID '{ID}' DATA INNER UUID '{ID}'"
                f" METRIC FAMILIES INNER UUID '{ID}'"
            ),
            (
                "CREATE TABLE d.ts (`a` UInt8) ENGINE = TimeSeries SETTINGS v = 4 SAMPLES"
                " INNER COLUMNS (`id` UUID)"
            ),
        ),
        (
            (
                "CREATE MATERIALIZED VIEW d.r REFRESH EVERY 1 HOUR DEPENDS ON d.o APPEND TO d.t"
                " (`k` UInt8) DEFINER = default SQL SECURITY DEFINER COMMENT 'x AS SELECT' AS WITH"
                " 1 AS w SELECT w"
            ),
            (
                "CREATE MATERIALIZED VIEW d.r REFRESH EVERY 1 HOUR DEPENDS ON d.o APPEND TO d.t"
                " (`k` UInt8) DEFINER = default SQL SECURITY DEFINER COMMENT 'x AS SELECT' EMPTY AS"
                " WITH 1 AS w SELECT w"
            ),
        ),
        (
            (
                "CREATE MATERIALIZED VIEW d.r REFRESH AFTER 1 HOUR (`k` UInt8) ENGINE = MergeTree"
                " ORDER BY (k AS x) AS (SELECT 1)"
            ),
            (
                "CREATE MATERIALIZED VIEW d.r REFRESH AFTER 1 HOUR (`k` UInt8) ENGINE = MergeTree"
                " ORDER BY (k AS x) EMPTY AS (SELECT 1)"
            ),
        ),
    ],
)
def test_ids_go_and_no_view_refreshes_at_once(text: str, rewritten: str) -> None:
    assert rewrite(text) == rewritten


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("CREATE TABLE d.t (`d` UInt8)", "CREATE TABLE `n``w`.t (`d` UInt8)"),
        ("CREATE TABLE `d`.`t.u` (d UInt8)", "CREATE TABLE `n``w`.`t.u` (d UInt8)"),
        ('CREATE TABLE "d" . t (d UInt8)', "CREATE TABLE `n``w` . t (d UInt8)"),
        ("CREATE OR REPLACE TABLE d.t (d UInt8)", "CREATE OR REPLACE TABLE `n``w`.t (d UInt8)"),
        ("CREATE TABLE t (d UInt8)", "CREATE TABLE `n``w`.t (d UInt8)"),
        ("CREATE TABLE exists.not (d UInt8)", "CREATE TABLE `n``w`.not (d UInt8)"),
        ("CREATE TABLE table.view (d UInt8)", "CREATE TABLE `n``w`.view (d UInt8)"),
        ("CREATE /* d.t */ TABLE d.t (d UInt8)", "CREATE /* d.t */ TABLE `n``w`.t (d UInt8)"),
        ("CREATE VIEW d.v AS SELECT * FROM d.t", "CREATE VIEW `n``w`.v AS SELECT * FROM d.t"),
        ("CREATE DATABASE d ENGINE = Atomic", "CREATE DATABASE `n``w` ENGINE = Atomic"),
        ("CREATE DATABASE IF NOT EXISTS d", "CREATE DATABASE IF NOT EXISTS `n``w`"),
        (
            "CREATE TABLE d.t (d UInt8) ENGINE = Distributed('c', 'd', 't')",
            "CREATE TABLE `n``w`.t (d UInt8) ENGINE = Distributed('c', 'd', 't')",
        ),
    ],
)
def test_only_the_name_at_the_head_is_of_another_database(text: str, rewritten: str) -> None:
    assert rewrite(text, database="n`w") == rewritten.replace("`n``w`", r"`n\`w`")


@given(st.text(min_size=1), st.text(min_size=1), st.text(), st.sampled_from(["'", "`", '"']))
def test_whatever_names_and_strings_hold_stays(
    database: str, table: str, text: str, mark: str
) -> None:
    rest = (
        f" ({identifier(text)} String DEFAULT {literal(text + mark)} COMMENT"
        f" {literal(f'{mark}UUID {mark}x{mark}')}) ENGINE = Log COMMENT {literal(text)}"
    )
    name = identifier(table)
    statement = f"CREATE TABLE {identifier(database)}.{name} UUID '{ID}'{rest}"
    assert rewrite(statement, database="new") == f"CREATE TABLE `new`.{name}{rest}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT 1",
        "CREATE FUNCTION f AS x -> x",
        "CREATE USER u",
        "CREATE TABLE",
        "CREATE TABLE (a UInt8)",
        "DROP TABLE d.t",
        "-- CREATE TABLE d.t",
    ],
)
def test_what_creates_no_table_is_refused(text: str) -> None:
    assert ddl.parse(text) is None
    with pytest.raises(TargetRefusedError, match="creates no table"):
        rewrite(text, database="x")


@pytest.mark.parametrize(
    ("clauses", "target"),
    [
        ("TO d.t (`k` UInt8)", ("d", "t")),
        ("TO `d x`.`t``y`", ("d x", "t`y")),
        ("TO t", ("", "t")),
        ("REFRESH EVERY 1 HOUR DEPENDS ON d.to TO e.t", ("e", "t")),
        (f"TO INNER UUID '{ID}' (`TO` UInt8)", None),
        ("(`k` DateTime) ENGINE = MergeTree ORDER BY k TTL k TO VOLUME 'cold'", None),
        ("(`k` UInt8) ENGINE = MergeTree ORDER BY k", None),
    ],
)
def test_where_a_view_writes_to(clauses: str, target: tuple[str, str] | None) -> None:
    create = ddl.parse(f"CREATE MATERIALIZED VIEW d.mv {clauses} AS SELECT k FROM x.TO AS y")
    assert create is not None
    assert create.target == target


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("CREATE TABLE d.t (`a` UInt8) ENGINE = Log", False),
        ("CREATE TABLE d.d (`a` UInt8) ENGINE = Log", False),
        ("CREATE VIEW d.v AS SELECT 1 FROM d.t", True),
        ("CREATE VIEW d.v AS SELECT 1 FROM `d`.t", True),
        ("CREATE VIEW d.v AS SELECT 1 FROM dd.t /* d.t */", False),
        ("CREATE MATERIALIZED VIEW d.v TO d.t AS SELECT 1", True),
        ("CREATE TABLE d.t (`a` UInt8) ENGINE = Buffer('d', 't')", True),
        ("CREATE TABLE d.t (`a` UInt8 DEFAULT dictGet('d.x', 'a', 1)) ENGINE = Log", True),
        ("CREATE TABLE d.t (`a` UInt8 COMMENT 'dd') ENGINE = Log", False),
    ],
)
def test_whether_a_database_is_named_elsewhere(text: str, *, named: bool) -> None:
    create = ddl.parse(text)
    assert create is not None
    assert create.names_elsewhere("d") is named


@pytest.mark.parametrize(
    ("text", "engine", "columns"),
    [
        ("CREATE TABLE d.t (`a` UInt8, `b.c` String) ENGINE = Log", "Log", ("a", "b.c")),
        ("CREATE TABLE d.t (`a` UInt8) ENGINE Log", "Log", ("a",)),
        # As servers write a name that is a keyword.
        ("CREATE TABLE d.t (`a` UInt8) ENGINE = `Null`", "Null", ("a",)),
        ("CREATE TABLE d.t UUID 'x' (`a` Tuple(b UInt8, c UInt8)) ENGINE = Log", "Log", ("a",)),
        (
            "CREATE TABLE d.t (`a` UInt8) AS postgresql('h', 'd', '[HIDDEN]')",
            "postgresql()",
            ("a",),
        ),
        ("CREATE TABLE d.t AS numbers(10)", "numbers()", ()),
        (
            (
                "CREATE TABLE d.t (`engine` UInt8 DEFAULT f(1, 2), INDEX i a TYPE minmax, "
                "CONSTRAINT c CHECK 1, PROJECTION p (SELECT a, b), `z` UInt8) "
                "ENGINE = MergeTree ORDER BY (a, b)"
            ),
            "MergeTree",
            ("engine", "z"),
        ),
        ("CREATE TABLE d.t ENGINE = Buffer('d', 'x', 1)", "Buffer", ()),
        ("CREATE VIEW d.v (`a` UInt8) AS SELECT a AS b FROM (SELECT 1 AS a)", "", ("a",)),
        ("CREATE TABLE d.t ENGINE", "", ()),
    ],
)
def test_engine_and_columns_are_read(text: str, engine: str, columns: tuple[str, ...]) -> None:
    create = ddl.parse(text)
    assert create is not None
    assert (create.engine, create.columns) == (engine, columns)


def test_columns_that_no_server_takes_are_left_out() -> None:
    text = "CREATE TABLE d.a (`id` UInt64, `t` Tuple(x UInt8)) ENGINE = Alias('d', 't')"
    assert rewrite(text) == "CREATE TABLE d.a  ENGINE = Alias('d', 't')"
