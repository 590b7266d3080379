"""When a lock is known to keep a backup for longer than its policy does."""

import pytest

from controller.settings.storages.storage import Storage
from controller.workloads.storages.locks import days_kept, lock_note
from dumpers.contract.storages.object_lock import ObjectLock
from dumpers.repository.retention.policy import parse_policy


@pytest.mark.parametrize(
    ("policy", "days"),
    [
        ("none", None),
        ("keep-last=7", None),
        ("keep-last=7,keep-within=3d", None),
        ("keep-hourly=24", None),
        ("keep-daily=unlimited", None),
        ("keep-daily=14", 14),
        ("keep-daily=14,keep-weekly=8", 56),
        ("keep-monthly=12", 372),
        ("keep-yearly=2", 732),
        ("keep-within=30d", 30),
        ("keep-within=1y2m3d4h", 366 + 62 + 3 + 1),
        ("keep-within-weekly=2m,keep-daily=7", 62),
        ("keep-within=6h", 1),
    ],
)
def test_the_most_days_for_which_a_policy_keeps_a_backup(policy: str, days: int | None) -> None:
    assert days_kept(parse_policy(policy)) == days


@pytest.mark.parametrize(
    ("lock", "policy", "kept"),
    [
        (30, "keep-daily=14", 14),
        (14, "keep-daily=14", None),
        (15, "keep-daily=14", 14),
        (30, "keep-last=3", None),
        (30, "none", None),
        (None, "keep-daily=14", None),
    ],
)
def test_only_a_lock_that_is_known_to_outlive_a_policy_is_told(
    lock: int | None, policy: str, kept: int | None
) -> None:
    locked = ObjectLock(mode="COMPLIANCE", days=lock) if lock else None
    note = lock_note(Storage(name="offsite", bucket="b", object_lock=locked), policy)
    told = f"object lock of {lock} days is longer than {policy} keeps a backup, {kept} days"
    assert note.startswith(f"its {told}") if kept else not note
