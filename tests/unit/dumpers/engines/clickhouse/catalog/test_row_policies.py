import pytest

from dumpers.engines.clickhouse.catalog.row_policies import sees_all


def policy(
    filter_: str,
    *to: str,
    restrictive: bool = False,
    everybody: bool = False,
    excepted: tuple[str, ...] = (),
) -> list[object]:
    return ["d", "t", filter_, int(restrictive), int(everybody), [*to], [*excepted]]


@pytest.mark.parametrize(
    ("policies", "sees"),
    [
        ([policy("a < 5", "me")], False),
        ([policy("1", "me")], True),
        ([policy("a < 5", "me"), policy("1", "role")], True),
        ([policy("a < 5", everybody=True)], False),
        ([policy("a < 5", "me", everybody=True, excepted=("me",))], False),
        ([policy("a < 5", everybody=True, excepted=("me",))], None),
        ([policy("a < 5", "somebody")], None),
        ([policy("1", "me"), policy("a < 5", "role", restrictive=True)], False),
        ([policy("1", "me"), policy("a < 5", "somebody", restrictive=True)], True),
        ([policy("a < 5", "somebody", restrictive=True)], True),
        ([policy("1", "me", restrictive=True)], True),
    ],
)
def test_who_sees_all_rows(policies: list[list[object]], *, sees: bool | None) -> None:
    assert sees_all(policies, {"me", "role"}) is sees
