"""Statements on tables, many by each."""

import re

import pytest

from dumpers.engines.postgresql.parallel.tables import lock_statements


@pytest.mark.parametrize(("count", "statements"), [(0, 0), (1, 1), (500, 1), (501, 2), (1750, 4)])
def test_every_table_is_locked_once_without_its_children(count: int, statements: int) -> None:
    tables = [f"app.t{number}" for number in range(count)]
    found = lock_statements(tables)
    assert len(found) == statements
    assert re.findall(r"ONLY (app\.t\d+)\b", " ".join(found)) == tables
    assert all(one.startswith("LOCK TABLE ONLY ") for one in found)
    assert all(one.endswith(" IN ACCESS SHARE MODE") for one in found)
