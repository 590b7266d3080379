"""Which of several storages a backup is read from."""

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from dumpers.contract.restore.jobs import BackupJob
from dumpers.contract.storages.location import S3Location
from dumpers.contract.storages.named_storage import NamedStorage
from dumpers.repository.catalogue import Entry, State
from dumpers.repository.records import Manifest
from dumpers.runs.nearest import Nearest, StoredCopy, choose_nearest, find_nearest
from dumpers.runtime.errors import (
    BackupDamagedError,
    ConfigurationError,
    EncryptionError,
    InterruptedRunError,
    KsnapshotError,
    NoKeyFitsError,
    StorageFailedError,
    StorageUnfitError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage import run_storage
from dumpers.storage.run_storage import RunStorage

OLD = datetime(2026, 1, 1, tzinfo=UTC)
NEW = OLD + timedelta(days=1)
ABSENT = ConfigurationError("there is no backup 'r1'")
NO_KEY = NoKeyFitsError("none of the given keys opens it")
AWAY = StorageFailedError("no answer")
UNFIT = StorageUnfitError("half a key")
Found = datetime | KsnapshotError


# No look at a store is made with it.
STORAGE = cast("RunStorage", None)
MANIFEST = cast("Manifest", None)


def find(
    storages: Mapping[str, Found],
    *,
    backup: str = "r1",
    faults: Mapping[str, KsnapshotError] | None = None,
) -> tuple[Nearest[str], list[str]]:
    """What was found, and the storages that were asked."""
    asked: list[str] = []

    def look(named: NamedStorage) -> StoredCopy:
        asked.append(named.name)
        found = storages[named.name]
        if isinstance(found, KsnapshotError):
            raise found
        entry = Entry(id="r1", record="r/", started=found, state=State.COMPLETE)
        return StoredCopy(name=named.name, storage=STORAGE, entry=entry, manifest=MANIFEST)

    def prepare(copy: StoredCopy) -> str:
        if error := (faults or {}).get(copy.name):
            raise error
        return copy.name

    named = [
        NamedStorage(name=name, location=S3Location(bucket=name, path="p")) for name in storages
    ]
    return choose_nearest(named, backup, look, prepare), asked


@pytest.mark.parametrize(
    ("storages", "backup", "chosen", "asked"),
    [
        ({"a": OLD}, "r1", "a", "a"),
        # Who has it is not asked whether others have it, too.
        ({"a": OLD, "b": OLD}, "r1", "a", "a"),
        ({"a": OLD, "b": NEW}, "latest", "b", "ab"),
        ({"a": NEW, "b": NEW}, "latest", "a", "ab"),
        ({"a": NEW, "b": OLD}, "at:2026-01-05T00:00:00Z", "a", "ab"),
    ],
)
def test_the_nearest_that_has_it_is_read(
    storages: Mapping[str, Found],
    backup: str,
    chosen: str,
    asked: str,
) -> None:
    found, looked = find(storages, backup=backup)
    assert (found.work, "".join(looked), found.notes) == (chosen, asked, ())


@pytest.mark.parametrize("backup", ["r1", "latest"])
@pytest.mark.parametrize("error", [ABSENT, AWAY, UNFIT])
def test_a_storage_without_it_is_passed_over(backup: str, error: KsnapshotError) -> None:
    found, _ = find({"a": error, "b": OLD}, backup=backup)
    assert found.work == "b"
    assert found.notes == ("read from b", f"a was passed over: {error}")


@pytest.mark.parametrize("error", [BackupDamagedError("sizes"), AWAY, NO_KEY])
def test_a_damaged_copy_is_passed_over(error: KsnapshotError) -> None:
    found, _ = find({"a": OLD, "b": OLD}, faults={"a": error})
    assert (found.work, found.notes[0]) == ("b", "read from b")


@pytest.mark.parametrize("error", [EncryptionError("no key"), InterruptedRunError("SIGTERM")])
def test_what_no_other_storage_heals_is_raised(error: KsnapshotError) -> None:
    with pytest.raises(type(error)):
        find({"a": OLD, "b": OLD}, faults={"a": error})


@pytest.mark.parametrize(
    ("storages", "said"),
    [
        ({"a": ABSENT}, "there is no backup"),
        ({"a": ABSENT, "b": ConfigurationError("other")}, "there is no backup"),
        # It may be where nobody answers.
        ({"a": ABSENT, "b": AWAY}, "no answer"),
        ({"a": ABSENT, "b": UNFIT}, "half a key"),
    ],
)
def test_where_none_is_left_the_first_error_counts(
    storages: Mapping[str, Found], said: str
) -> None:
    with pytest.raises(KsnapshotError, match=said):
        find(storages)


@pytest.mark.parametrize(
    ("storages", "faults", "error"),
    [
        ({"a": OLD, "b": OLD}, {"a": NO_KEY, "b": NO_KEY}, NO_KEY),
        ({"a": ABSENT, "b": OLD}, {"b": NO_KEY}, NO_KEY),
        # It may be no key's fault.
        ({"a": OLD, "b": AWAY}, {"a": NO_KEY}, AWAY),
    ],
)
def test_where_no_key_opens_any_copy_that_is_raised(
    storages: Mapping[str, Found], faults: Mapping[str, KsnapshotError], error: KsnapshotError
) -> None:
    with pytest.raises(type(error)):
        find(storages, faults=faults)


def test_an_older_backup_does_not_stand_in_for_a_damaged_one() -> None:
    with pytest.raises(BackupDamagedError):
        find(
            {"a": OLD, "b": NEW},
            backup="latest",
            faults={"b": BackupDamagedError("sizes")},
        )


def test_a_storage_with_a_fault_is_not_gone_to(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def open_bucket(location: S3Location, _: object) -> None:
        opened.append(location.bucket)
        raise AWAY

    monkeypatch.setattr(run_storage, "open_bucket", open_bucket)
    places = {name: S3Location(bucket=name, path="p") for name in ("a", "b")}
    job = BackupJob(
        storages=(
            NamedStorage(name="a", location=places["a"]),
            NamedStorage(name="b", location=places["b"], fault="half a key"),
        ),
        host="pod",
        cluster="c",
        workload="",
        cronjob="cj",
        deadline=None,
    )

    def prepare(copy: StoredCopy) -> str:
        return copy.name

    with ExitStack() as stack, pytest.raises(StorageFailedError, match="no answer"):
        find_nearest(job, stack, prepare, run="r", interrupt=Interrupt(60), now=lambda: NEW)
    assert opened == ["a"]
