from datetime import UTC, datetime, timedelta

import pytest

from dumpers.repository.catalogue import Entry, State
from dumpers.repository.choice import NoSuchBackupError, choose
from dumpers.runtime.errors import ConfigurationError


def entry(day: int, id_: str, state: State = State.COMPLETE) -> Entry:
    return Entry(
        id=id_,
        record=f"p/202601{day:02}T000000Z-{id_}/",
        started=datetime(2026, 1, day, tzinfo=UTC),
        state=state,
    )


NOW = datetime(2026, 1, 10, tzinfo=UTC)
ENTRIES = (
    entry(9, "a9", State.RUNNING),
    entry(8, "a8", State.FAILED),
    entry(7, "a7", State.DAMAGED),
    entry(6, "bb6", State.NOTES),
    entry(5, "bb5"),
    entry(4, "c4", State.CRASHED),
    entry(3, "d3", State.UNKNOWN),
    entry(2, "e2"),
    entry(1, "f1", State.PRUNED),
)


@pytest.mark.parametrize(
    ("wanted", "id_"),
    [
        ("latest", "bb6"),
        ("at:2026-01-06T00:00:00Z", "bb6"),
        # One second earlier: the next older one, never the next newer one.
        ("at:2026-01-05T23:59:59Z", "bb5"),
        # One that began at this time may not be restorable: still never a later one.
        ("at:2026-01-04T12:00:00Z", "e2"),
        ("at:2030-01-01T00:00:00Z", "bb6"),
        ("at:2026-01-05T01:00:00+02:00", "e2"),
        ("at:2026-01-05T02:00:00+02:00", "bb5"),
        ("e2", "e2"),
        ("e", "e2"),
        ("bb5", "bb5"),
        ("20260102T", "e2"),
        ("20260102T000000Z-e2", "e2"),
    ],
)
def test_choice(wanted: str, id_: str) -> None:
    assert choose(ENTRIES, wanted, now=NOW).id == id_


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("at:2026-01-01T12:00:00Z", "no backup that can be restored began at 2026-01-01T12:00:00Z"),
        ("at:2026-01-01", "no time with a zone"),
        ("at:2026-01-01T00:00:00", "no time with a zone"),
        ("at:yesterday", "no time with a zone"),
        ("bb", "fits 2 backups: bb6 (2026-01-06T00:00:00Z, notes), bb5"),
        ("bb7", "did you mean bb6"),
        ("zz", "there is no backup 'zz': there are 9, the newest of them a9"),
        ("", "there is no backup ''"),
        ("a8", "it is failed"),
        ("a7", "it is damaged"),
        ("f1", "it is pruned"),
        ("d3", "it is unknown"),
        ("202601", "fits 9 backups"),
    ],
)
def test_refusal(wanted: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        choose(ENTRIES, wanted, now=NOW)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("wanted", "is_elsewhere"),
    [
        ("zz", True),
        ("a7", True),
        ("a8", True),
        ("f1", True),
        ("at:2026-01-01T12:00:00Z", True),
        # It may come to be a backup here, or be one.
        ("a9", False),
        ("d3", False),
        ("bb", False),
        ("at:yesterday", False),
    ],
)
def test_what_another_storage_may_have(wanted: str, *, is_elsewhere: bool) -> None:
    with pytest.raises(ConfigurationError) as refused:
        choose(ENTRIES, wanted, now=NOW)
    assert isinstance(refused.value, NoSuchBackupError) is is_elsewhere


@pytest.mark.parametrize("wanted", ["latest", "a9", "at:2026-01-01T00:00:00Z"])
def test_nothing_is_said_to_be_nothing(wanted: str) -> None:
    with pytest.raises(ConfigurationError, match="no records of backups at all"):
        choose((), wanted, now=NOW)


def test_latest_names_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match=r"a8 \(2026-01-08T00:00:00Z, failed\)"):
        choose(ENTRIES[1:3], "latest", now=NOW)


def test_an_id_that_begins_another_is_found() -> None:
    assert choose((entry(2, "abc"), entry(1, "ab")), "ab", now=NOW).id == "ab"


def test_what_a_clock_dated_ahead_is_the_latest_only_where_there_is_no_other() -> None:
    ahead, known = entry(12, "ahead"), entry(6, "known")
    assert choose((ahead, known), "latest", now=NOW).id == "known"
    assert choose((ahead, entry(6, "failed", State.FAILED)), "latest", now=NOW).id == "ahead"
    assert choose((ahead, known), "latest", now=ahead.started).id == "ahead"
    # Clocks of nodes that are cared for differ a little.
    assert choose((ahead, known), "latest", now=ahead.started - timedelta(minutes=9)).id == "ahead"
