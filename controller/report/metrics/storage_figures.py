"""The figures of each storage of a workload that has several, or another one than `main`."""

from collections.abc import Iterator

from controller.model.objects import Json
from controller.report.metrics.family import Family, of_workload
from controller.report.metrics.figure import Figure
from controller.runs.due import seconds_of
from controller.runs.storage_marks import known_storages, storage_due_at

STORAGE_LAST_SUCCESS = of_workload(
    "ksnapshot_backup_storage_last_success_timestamp_seconds",
    "When the last run ended that a storage has the backup of; only where storages have names.",
    "storage",
)
STORAGE_DUE = of_workload(
    "ksnapshot_backup_storage_due_timestamp_seconds",
    "When a storage must have its next backup, as the due moment of the workload;"
    " absent while suspended.",
    "storage",
)
STORAGE_LAST_STORED = of_workload(
    "ksnapshot_backup_storage_last_stored_bytes",
    "The size of the last backup that a storage has.",
    "storage",
)
STORAGE_FAMILIES = (STORAGE_LAST_SUCCESS, STORAGE_DUE, STORAGE_LAST_STORED)


def storage_figures(cronjob: Json, slack: int) -> Iterator[tuple[Family, Figure]]:
    """Collect what a CronJob records of the storages that it writes to."""
    for name, entry in known_storages(cronjob).items():
        moments = (
            (STORAGE_LAST_SUCCESS, seconds_of(entry.finished)),
            (STORAGE_DUE, storage_due_at(cronjob, entry, slack)),
            (STORAGE_LAST_STORED, entry.bytes or None),
        )
        for family, value in moments:
            if value is not None:
                yield family, ((name,), float(value))
