"""Limits of parts in the settings of tables."""

import pytest

from dumpers.engines.clickhouse.drill.part_limits import limits_parts, without_limits
from dumpers.engines.clickhouse.schema import ddl

TABLE = "CREATE TABLE a.t (k UInt8) ENGINE = MergeTree ORDER BY k"


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        (" SETTINGS parts_to_throw_insert = 300", ""),
        (", settings SETTINGS parts_to_throw_insert = 300", ", settings"),
        (" SETTINGS max_parts_in_total = 9, parts_to_delay_insert = 3 COMMENT 'x'", " COMMENT 'x'"),
        (
            " SETTINGS index_granularity = 8192, inactive_parts_to_throw_insert = 1, ratio = 0.5",
            " SETTINGS index_granularity = 8192, ratio = 0.5",
        ),
        (
            " SETTINGS `parts_to_throw_insert` = 1, disk = disk(type = 'local', path = '/')",
            " SETTINGS disk = disk(type = 'local', path = '/')",
        ),
    ],
)
def test_limits_are_left_out(settings: str, left: str) -> None:
    create = ddl.parse(f"{TABLE}{settings}")
    assert create is not None
    assert limits_parts(create)
    assert without_limits(f"{TABLE}{settings}").split() == f"{TABLE}{left}".split()


@pytest.mark.parametrize(
    "text",
    [
        TABLE,
        f"{TABLE} SETTINGS index_granularity = 1",
        "CREATE TABLE a.settings (parts_to_throw_insert UInt8) ENGINE = Log",
        f"{TABLE} COMMENT 'SETTINGS parts_to_throw_insert = 1'",
        "CREATE VIEW a.v AS SELECT 1 SETTINGS parts_to_throw_insert = 1",
    ],
)
def test_all_others_stay_as_they_are(text: str) -> None:
    create = ddl.parse(text)
    assert create is not None
    assert not limits_parts(create)
    assert without_limits(text) == text
