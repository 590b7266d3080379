"""What a storage holds already of a backup that is copied there."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dumpers.repository.copying.move import Move
from dumpers.repository.record_json import make_tombstone, write_record
from dumpers.repository.records import Removal, Tombstone
from dumpers.runs.copy.there import There, is_copied
from dumpers.runtime.errors import KsnapshotError, StorageFailedError, StorageRefusedError
from tests.unit.dumpers.repository.test_record_json import OBJECT, manifest

NOW = datetime(2026, 2, 1, tzinfo=UTC)
MOVE = Move(source_path="a", path="b", bucket="there", storage="off-site")
SOURCE = replace(manifest(), objects=(replace(OBJECT, key="a/k"),))
COPY = MOVE.manifest(
    write_record(replace(SOURCE, begun=replace(SOURCE.begun, keys=("a/k",)))),
    checked={"b/k": False},
    fingerprint="",
)


def tombstone(removal: Removal) -> bytes:
    record = SOURCE.begun if removal is Removal.SWEPT else SOURCE
    made = make_tombstone(write_record(record), removal=removal, removed=NOW)
    assert isinstance(made, Tombstone)
    return write_record(made)


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (There(), False),
        (There(names={"started.json", "failed.json"}), False),
        (There(body=COPY), True),
        (There(body=COPY, names={"verified-20260101T000000Z.json"}), True),
        (There(body=tombstone(Removal.SWEPT), names={"manifest.json"}), False),
        # A copy was killed behind the tombstone.
        (There(body=tombstone(Removal.SWEPT), names={"manifest.json", "started.json"}), False),
    ],
)
def test_a_backup_may_be_copied_or_is_there(there: There, expected: bool) -> None:  # noqa: FBT001
    assert is_copied(there, SOURCE, MOVE, now=NOW) is expected


@pytest.mark.parametrize(
    ("there", "error", "said"),
    [
        (There(body=write_record(SOURCE)), StorageRefusedError, "holds another backup r1"),
        (
            There(body=COPY, names={"damaged-20260101T000000Z.json"}),
            StorageRefusedError,
            "was found damaged there at 2026-01-01T00:00:00Z: delete it there",
        ),
        (There(body=b"x"), StorageRefusedError, "cannot read"),
        (There(body=write_record(SOURCE.begun)), StorageRefusedError, "cannot read"),
        (
            There(body=tombstone(Removal.PRUNED), names={"manifest.json"}),
            StorageFailedError,
            "is being deleted from off-site",
        ),
        (
            There(body=tombstone(Removal.SWEPT), names={"manifest.json", "sweeping.json"}),
            StorageFailedError,
            "is being removed",
        ),
    ],
)
def test_what_speaks_against_a_copy_is_named(
    there: There, error: type[KsnapshotError], said: str
) -> None:
    with pytest.raises(error, match=said):
        is_copied(there, SOURCE, MOVE, now=NOW)
