import re

import pytest

from controller.runs.causes.failure_causes import FailureCause, failure_cause
from controller.runs.reasons import RunReason
from dumpers.runtime import errors
from tests.paths import REPOSITORY

_ANYBODYS = {
    RunReason.ERROR,
    RunReason.START_ERROR,
    RunReason.CONTAINER_CANNOT_RUN,
    RunReason.CREATE_CONTAINER_ERROR,
    RunReason.RUN_CONTAINER_ERROR,
    RunReason.CONTAINER_NOT_STARTED,
    RunReason.POD_STILL_RUNNING,
}


@pytest.mark.parametrize("reason", RunReason)
def test_every_reason_of_kubernetes_has_a_cause_or_could_be_anybodys(reason: RunReason) -> None:
    assert (failure_cause(reason) is FailureCause.OTHER) == (reason in _ANYBODYS)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (errors.StorageFailedError, FailureCause.STORE),
        (errors.BackupDamagedError, FailureCause.STORE),
        (errors.BackupUnreadableError, FailureCause.STORE),
        (errors.DrillDiffersError, FailureCause.BACKUP),
        (errors.DrillNotLoadedError, FailureCause.BACKUP),
        (errors.DrillCheckFailedError, FailureCause.BACKUP),
        (errors.DrillServerFailedError, FailureCause.CLUSTER),
        (errors.DrillServerUnfitError, FailureCause.SETTINGS),
        (errors.SourceRefusedError, FailureCause.DATABASE),
        (errors.ConfigurationError, FailureCause.SETTINGS),
        (errors.InterruptedRunError, FailureCause.OTHER),
        (errors.DeadlineExceededError, FailureCause.TIME),
        (errors.KsnapshotError, FailureCause.OTHER),
    ],
)
def test_reasons_of_the_dumper(error: type[errors.KsnapshotError], cause: FailureCause) -> None:
    assert failure_cause(error.reason) is cause


def test_every_cause_has_its_row() -> None:
    alerts = (REPOSITORY / "docs" / "operations.md").read_text().split("\n## Alerts")[1]
    rows = re.findall(r"^\| `(\w+)` \|", alerts.split("\n## ")[0], re.MULTILINE)
    assert rows == list(FailureCause)
