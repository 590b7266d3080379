from typing import Any

import pytest

from dumpers.engines.postgresql.catalog import server

_FOUND = {"paused": False, "caught_up": False, "replayed": "2026-01-01 00:00:00", "lag": 90}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "90 s before the dump began"),
        ({"caught_up": True}, "replayed all that it has received"),
        ({"caught_up": True, "paused": True}, "90 s before the dump began, and its replay is"),
        ({"replayed": None, "lag": None}, "does not tell how far behind"),
    ],
)
def test_how_old_a_standby_is(changes: dict[str, Any], said: str) -> None:
    assert said in server._age({**_FOUND, **changes})
