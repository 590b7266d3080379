import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.engines.clickhouse.schema.lexer import TokenKind, significant
from dumpers.engines.clickhouse.server import settings, sql
from dumpers.engines.clickhouse.server.settings import KnownSettings
from dumpers.runtime.errors import (
    DUMP_ERRORS,
    RESTORE_ERRORS,
    SourceRefusedError,
    TargetRefusedError,
)

NAMES = [
    ("plain", "`plain`"),
    ("", "``"),
    ("with space", "`with space`"),
    ("a`b", r"`a\`b`"),
    (r"a\b", r"`a\\b`"),
    ("a'b\"c", "`a'b\"c`"),
    ("n.x", "`n.x`"),
    ("line\nend\ttab\rreturn\0nul\bback\ffeed", r"`line\nend\ttab\rreturn\0nul\bback\ffeed`"),
    ("Zürich 😀/x", "`Zürich 😀/x`"),
    ("--", "`--`"),
]


@pytest.mark.parametrize(("name", "quoted"), NAMES)
def test_names_are_quoted(name: str, quoted: str) -> None:
    assert sql.identifier(name) == quoted


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("a", "'a'"), ("it's", r"'it\'s'"), ("`", "'`'"), ("\\'", r"'\\\''"), ("\n", r"'\n'")],
)
def test_strings_are_quoted(text: str, quoted: str) -> None:
    assert sql.literal(text) == quoted


@given(st.text())
def test_what_is_quoted_is_one_token_of_the_same_value(text: str) -> None:
    for quote, kind in ((sql.identifier, TokenKind.QUOTED), (sql.literal, TokenKind.STRING)):
        (token,) = significant(quote(text))
        assert (token.kind, token.value) == (kind, text)


@pytest.mark.parametrize(
    ("columns", "partitions", "statement"),
    [
        (["a"], [], "SELECT `a` FROM `d`.`t` FORMAT Native"),
        (["a", "n.x", "c`d"], [], r"SELECT `a`, `n.x`, `c\`d` FROM `d`.`t` FORMAT Native"),
        (
            ["a"],
            ["202401", "2024-1"],
            "SELECT `a` FROM `d`.`t` WHERE _partition_id IN ('202401', '2024-1') FORMAT Native",
        ),
    ],
)
def test_a_table_is_read_by_its_columns(
    columns: list[str], partitions: list[str], statement: str
) -> None:
    assert sql.select(sql.qualified("d", "t"), columns, partitions) == statement


def test_a_table_of_another_server_is_read_through_the_entry_point() -> None:
    source = sql.remote("chi-1:9000", "d b", "t", username="me", password="pass'word")
    assert source == r"remote('chi-1:9000', `d b`, `t`, 'me', 'pass\'word')"
    assert sql.select(source, ["a"]) == f"SELECT `a` FROM {source} FORMAT Native"


def test_a_table_is_loaded_by_its_columns() -> None:
    statement = sql.insert(sql.qualified("d", "t`"), ["a", "b c"])
    assert statement == r"INSERT INTO `d`.`t\`` (`a`, `b c`) FORMAT Native"


# Of what 18.16 has, and what 26.9 has besides.
def known(*names: str, fixed: tuple[str, ...] = (), **values: str) -> KnownSettings:
    """Settings with these values, or with a value that nothing asks for."""
    return KnownSettings(values={**dict.fromkeys(names, "?"), **values}, fixed=frozenset((*fixed,)))


OLD_NAMES = ("max_execution_time", "log_queries", "insert_deduplicate")
OLD = known(*OLD_NAMES)
NEW = known(
    *OLD_NAMES,
    *("limit", "final", "apply_deleted_mask", "additional_table_filters", "use_query_cache"),
    *("log_queries_probability", "log_queries_min_type", "log_queries_min_query_duration_ms"),
    *("deduplicate_insert", "async_insert", "optimize_on_insert", "flatten_nested"),
    *("max_partitions_per_insert_block", "something_else"),
)


def test_what_every_server_knows_is_always_pinned() -> None:
    pinned = settings.dump_settings(OLD, DUMP_ERRORS)
    assert pinned == settings.dump_settings(known(), DUMP_ERRORS)
    assert {
        *("timeout_overflow_mode", "result_overflow_mode", "read_overflow_mode"),
    } == {name for name, value in pinned.items() if value == "throw"}
    assert (pinned["skip_unavailable_shards"], pinned["log_queries"]) == ("0", "1")
    assert settings.load_settings(OLD, RESTORE_ERRORS)["insert_deduplicate"] == "0"
    assert settings.create_settings(OLD) == {}


def test_what_newer_servers_know_is_pinned_there() -> None:
    added = {
        name: value
        for name, value in settings.dump_settings(NEW, DUMP_ERRORS).items()
        if name not in settings.dump_settings(OLD, DUMP_ERRORS)
    }
    assert added == {
        "limit": "0",
        "final": "0",
        "apply_deleted_mask": "1",
        "additional_table_filters": "{}",
        "use_query_cache": "0",
        "log_queries_probability": "1",
        "log_queries_min_type": "QUERY_START",
        "log_queries_min_query_duration_ms": "0",
    }
    added = {
        name: value
        for name, value in settings.load_settings(NEW, RESTORE_ERRORS).items()
        if name not in settings.load_settings(OLD, RESTORE_ERRORS)
    }
    assert added == {
        "deduplicate_insert": "disable",
        "max_partitions_per_insert_block": "0",
        "optimize_on_insert": "0",
        "async_insert": "0",
    }
    assert settings.create_settings(NEW) == {"flatten_nested": "0"}


def test_a_profile_that_fixes_what_is_right_or_loud_stands() -> None:
    fixed = ("limit", "result_overflow_mode", "max_execution_time", "max_result_rows", "readonly")
    found = settings.dump_settings(
        known(
            fixed=fixed,
            limit="0",
            result_overflow_mode="throw",
            max_execution_time="3600",
            max_result_rows="1000",
            readonly="1",
        ),
        DUMP_ERRORS,
    )
    assert not found.keys() & set(fixed)
    assert found["timeout_overflow_mode"] == "throw"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("result_overflow_mode", "break"),
        ("limit", "1000"),
        ("final", "1"),
        ("additional_table_filters", "{'shop.orders':'id < 5'}"),
        ("skip_unavailable_shards", "1"),
    ],
)
def test_a_profile_that_fixes_what_cuts_rows_is_refused(name: str, value: str) -> None:
    with pytest.raises(SourceRefusedError, match=name):
        settings.dump_settings(known(fixed=(name,), **{name: value}), DUMP_ERRORS)


def test_a_restore_is_refused_where_inserts_would_lose_rows() -> None:
    fixed = known(fixed=("insert_deduplicate", "flatten_nested"), insert_deduplicate="1")
    with pytest.raises(TargetRefusedError, match="insert_deduplicate"):
        settings.load_settings(fixed, RESTORE_ERRORS)
    assert settings.create_settings(fixed) == {}
