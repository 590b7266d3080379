import pytest

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.restored_names import beside_name, kept_name, live_name, live_names
from dumpers.runtime.errors import TargetRefusedError


def in_bytes(name: str) -> int:
    return len(name.encode())


@pytest.mark.parametrize("name", ["shop", "x" * 54, "é" * 27])
def test_a_short_name_keeps_its_letters(name: str) -> None:
    assert beside_name(name, "_restored", limit=63, size=in_bytes) == f"{name}_restored"


def test_a_long_name_is_cut_and_never_becomes_another() -> None:
    names = [f"{'é' * 30}{letter}" for letter in "abc"]
    made = [beside_name(name, "_restored", limit=63, size=in_bytes) for name in names]
    assert len(set(made)) == len(names)
    assert all(in_bytes(name) <= 63 and name.endswith("_restored") for name in made)
    assert all(name.startswith("é" * 20) for name in made)


def test_a_suffix_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(TargetRefusedError, match="too long"):
        beside_name("shop", "_" * 60, limit=63)


def test_a_kept_name_holds_the_time() -> None:
    assert kept_name("shop", limit=64, now=0) == "shop_replaced_19700101000000"
    long = kept_name("s" * 64, limit=64, now=0)
    assert len(long) == 64
    assert long.endswith("_replaced_19700101000000")


def test_the_live_name_is_found_by_the_kept_one() -> None:
    long = "s" * 64
    present = ("shop", "shop_restored", long)
    for name in present:
        assert live_name(kept_name(name, limit=64), present, limit=64) == name
    for other in ("shop", "shop_replaced_2026", "blog_replaced_20260101000000"):
        assert live_name(other, present, limit=64) == ""


@pytest.mark.parametrize(
    ("found", "database", "expected"),
    [
        (["shop"], "copy", {"shop": "copy"}),
        # The login of a workload whose backups are of several databases may name none.
        (["shop"], "", {"shop": "shop"}),
        (["shop", "blog"], "copy", {"shop": "shop", "blog": "blog"}),
        (["shop", "blog"], "", {"shop": "shop", "blog": "blog"}),
    ],
)
def test_one_database_goes_into_the_targets_own_if_it_has_any(
    found: list[str], database: str, expected: dict[str, str]
) -> None:
    assert live_names(found, RestoreRequest(), database, limit=64) == expected
    beside = RestoreRequest(mode=RestoreMode.BESIDE)
    named = {name: f"{live}_restored" for name, live in expected.items()}
    assert live_names(found, beside, database, limit=64) == named
