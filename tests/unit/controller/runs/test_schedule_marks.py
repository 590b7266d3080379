import json
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.model import names
from controller.model.objects import DELETE
from controller.runs.schedule_marks import schedule_marks

_NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
_MOMENT = "2026-01-05T10:00:00Z"
_EARLIER = "2026-01-01T00:00:00Z"


def _cronjob(
    *, schedule: str = "0 3 * * *", suspend: bool = False, **annotations: str
) -> dict[str, Any]:
    marks = {getattr(names, key.upper()): value for key, value in annotations.items()}
    return {
        "metadata": {"annotations": marks},
        "spec": {"schedule": schedule, "timeZone": "Etc/UTC", "suspend": suspend},
    }


def _success(moment: str) -> str:
    return json.dumps({"job": "run", "finished": moment})


_SUSPENDED = _cronjob(suspend=True)
_PAUSED = _cronjob(suspend=True, suspended_since=_EARLIER)


@pytest.mark.parametrize(
    ("target", "existing", "marks"),
    [
        (_cronjob(), None, {}),
        (_cronjob(), _cronjob(), {}),
        # A pause begins, of a new one or of one that runs, and goes on.
        (_SUSPENDED, None, {names.SUSPENDED_SINCE: _MOMENT}),
        (_SUSPENDED, _cronjob(), {names.SUSPENDED_SINCE: _MOMENT}),
        (_SUSPENDED, _SUSPENDED, {names.SUSPENDED_SINCE: _MOMENT}),
        (_PAUSED, _PAUSED, {}),
        # A restore holds it: nothing is written into its command's hands.
        (_cronjob(suspend=True, held_by="job/uid"), _SUSPENDED, {}),
        # It ends: by the annotation, by hand, or with the restore.
        (_cronjob(), _SUSPENDED, {names.SCHEDULED_SINCE: _MOMENT}),
        (
            _cronjob(suspended_since=_EARLIER),
            _cronjob(suspended_since=_EARLIER),
            {names.SUSPENDED_SINCE: DELETE, names.SCHEDULED_SINCE: _MOMENT},
        ),
        (
            _cronjob(suspended_since=_EARLIER),
            _PAUSED,
            {names.SUSPENDED_SINCE: DELETE, names.SCHEDULED_SINCE: _MOMENT},
        ),
        # Another schedule.
        (_cronjob(schedule="@hourly"), _cronjob(), {names.SCHEDULED_SINCE: _MOMENT}),
        # The mark stays until a run has succeeded by it.
        (_cronjob(scheduled_since=_EARLIER), _cronjob(), {}),
        (
            _cronjob(scheduled_since=_EARLIER, last_success=_success("2025-12-31T00:00:00Z")),
            None,
            {},
        ),
        (
            _cronjob(scheduled_since=_EARLIER, last_success=_success("2026-01-02T03:10:00Z")),
            None,
            {names.SCHEDULED_SINCE: DELETE},
        ),
        (_cronjob(scheduled_since="nonsense"), None, {names.SCHEDULED_SINCE: DELETE}),
    ],
)
def test_marks(
    target: dict[str, Any], existing: dict[str, Any] | None, marks: dict[str, object]
) -> None:
    assert schedule_marks(target, existing, _NOW) == marks
