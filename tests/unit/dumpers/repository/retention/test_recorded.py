from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from dumpers.repository.catalogue import Entry, State
from dumpers.repository.records import Retention
from dumpers.repository.retention.policy import parse_policy
from dumpers.repository.retention.proof import Grade
from dumpers.repository.retention.recorded import RecordedPolicy, recorded_policy
from tests.unit.dumpers.repository.retention.histories import NOW, backup


def recorded(days: float, policy: str, zone: str = "Europe/Paris") -> Entry:
    return replace(backup(0, days=days), retention=Retention(policy=policy, time_zone=zone))


def test_the_newest_manifests_policy_counts() -> None:
    entries = [recorded(2, "keep-last=2"), recorded(1, "keep-last=1"), recorded(3, "none")]
    found = recorded_policy(entries, NOW)
    assert found == RecordedPolicy(
        policy=parse_policy("keep-last=1"), zone=ZoneInfo("Europe/Paris")
    )


def test_what_is_no_good_backup_or_of_the_future_has_no_say() -> None:
    damaged = replace(recorded(1, "keep-last=1"), state=State.DAMAGED)
    entries = [damaged, recorded(-1, "keep-last=1"), recorded(2, "keep-last=2")]
    assert recorded_policy(entries, NOW).policy == parse_policy("keep-last=2")


def test_where_nothing_is_recorded_everything_is_kept() -> None:
    for entries in ([], [backup(0)], [recorded(2, "keep-last=2"), backup(1, days=1)]):
        assert recorded_policy(entries, NOW) == RecordedPolicy(policy=None)
    assert recorded_policy([recorded(1, "none")], NOW).policy is None


def test_the_newest_manifests_proof_is_required() -> None:
    read = replace(recorded(1, "keep-last=1"), required_proof="read")
    older = recorded(2, "keep-last=1")
    assert recorded_policy([older], NOW).required is Grade.STORED
    assert recorded_policy([older, read], NOW).required is Grade.READ
    assert recorded_policy([read, recorded(0, "keep-last=1")], NOW).required is Grade.STORED


def test_a_proof_that_is_not_known_keeps_everything_and_says_so() -> None:
    found = recorded_policy([replace(recorded(1, "keep-last=1"), required_proof="s" * 99)], NOW)
    assert found.policy is None
    assert found.fault == f"the proof '{'s' * 40}' that manifests/c/cj/0/ wants is not known here"


@pytest.mark.parametrize(
    ("policy", "zone", "fault"),
    [
        ("keep-moon=1", "UTC", "is wrong in column 1: 'keep-moon' is no word"),
        ("", "UTC", "is empty"),
        ("keep-last=1", "Europe/Atlantis", "the time zone 'Europe/Atlantis' in"),
        ("keep-last=1", "", "the time zone '' in"),
        ("keep-last=1", "../passwd", "the time zone '../passwd' in"),
    ],
)
def test_what_cannot_be_read_keeps_everything_and_says_so(
    policy: str, zone: str, fault: str
) -> None:
    found = recorded_policy([recorded(1, policy, zone)], NOW)
    assert found.policy is None
    assert fault in found.fault
    assert "manifests/c/cj/0/" in found.fault
