import pytest

from dumpers.engines.clickhouse.catalog.system_tables import Scope, _engine


@pytest.mark.parametrize(
    ("shown", "create", "engine"),
    [
        ("MergeTree", "CREATE TABLE d.t (`a` UInt8) ENGINE = Other", "MergeTree"),
        # Not loaded yet.
        ("TableProxy", "CREATE TABLE d.t (`a` UInt8) ENGINE = MergeTree ORDER BY a", "MergeTree"),
        ("TableProxy", "CREATE TABLE d.t (`a` UInt8) ENGINE = Log", "Log"),
        # A function's rows, before and after they were asked for.
        ("Proxy", "CREATE TABLE d.t (`a` UInt8) AS postgresql('h', 'd')", "postgresql()"),
        ("StorageProxy", "CREATE TABLE d.t (`a` UInt8) AS s3('u')", "s3()"),
        ("Distributed", "CREATE TABLE d.t (`a` UInt8) AS remote('h', d, t)", "remote()"),
        ("SystemNumbers", "CREATE TABLE d.t AS numbers(10)", "numbers()"),
        ("File", "CREATE TABLE d.t (`a` UInt8) ENGINE = File(CSV)", "File"),
        ("View", "CREATE VIEW d.v (`a` UInt8) AS SELECT f(1)", "View"),
        (
            "MaterializedView",
            "CREATE MATERIALIZED VIEW d.v ENGINE = Log AS SELECT 1",
            "MaterializedView",
        ),
        ("OfTomorrow", "FROBNICATE", "OfTomorrow"),
    ],
)
def test_a_table_is_known_by_its_statement_where_something_stands_in(
    shown: str, create: str, engine: str
) -> None:
    assert _engine(shown, create) == engine


def test_only_what_was_asked_for_is_looked_at() -> None:
    scope = Scope(databases=("a'b", "shop"), there={"parts": frozenset(("rows",))})
    assert scope.condition == r"database IN ('a\'b', 'shop')"
    assert scope.has("parts")
    assert scope.has("parts", "rows")
    assert not scope.has("parts", "rows", "later")
    assert not scope.has("row_policies")
