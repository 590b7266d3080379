import pytest

from dumpers.engines.clickhouse.restore.staged import is_same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("CREATE VIEW a.v AS SELECT 1", "CREATE VIEW `a`.`v`\nAS SELECT 1", True),
        ("CREATE VIEW a.v AS SELECT 1", "CREATE VIEW a.v AS SELECT 2", False),
        (
            "CREATE TABLE a.t UUID '95cc8b85-7fa3-429c-ba55-47a40f420001' (a UInt8) ENGINE = Log",
            "CREATE TABLE a.t (`a` UInt8) ENGINE = Log",
            True,
        ),
        ("CREATE VIEW a.v AS SELECT 1", "no statement", False),
    ],
)
def test_statements_that_make_the_same(one: str, other: str, *, same: bool) -> None:
    assert is_same(one, other) is same
