"""Ends of runs that are dated later than now: of Jobs, and in what a CronJob records of them.

A clock of the cluster or of a node was ahead. What counts later runs by their ends would take each
of them for an older one until that time has come, and so would hide that they fail, or that there
are none any more.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.model import names
from controller.model.objects import Json, Objects, annotations_of
from controller.runs.job_status import end_of, ended_at

# Clocks of machines differ: what is ahead by less hides later runs for no longer than that.
_MARGIN = timedelta(days=3)
_RECORDS = (
    names.LAST_RESULT,
    names.LAST_SUCCESS,
    names.STORAGES,
    names.LAST_PROOF,
    names.LAST_VERIFY,
    names.LAST_DRILL,
)
# The moments of a record that were none of a backup's own, but of what was found out.
_ENDS = ("finished", "since", "last_success", "answered", "as_of")
_MOMENTS = re.compile(rf'"(?:{"|".join(_ENDS)})": ?"(\d{{4}}-[0-9T:.-]+Z)"')


def ended_by_now(jobs: Objects, now: datetime) -> Objects:
    """Those of these Jobs that did not end later than now: of the others nobody knows when."""
    limit = _limit(now)
    return tuple(job for job in jobs if (end := end_of(job)) is None or ended_at(job, end) <= limit)


def corrected_ends(cronjob: Json, now: datetime) -> Mapping[str, str]:
    """The annotations to write on a CronJob that records ends later than now; as a rule none.

    They ended before somebody looked, which is now.
    """
    annotations, limit = annotations_of(cronjob), _limit(now)
    texts = (annotations.get(key, "") for key in _RECORDS)
    # Of all CronJobs in each pass: nothing is parsed as long as nothing is wrong.
    if not any(moment > limit for text in texts for moment in _MOMENTS.findall(text)):
        return {}
    found = {}
    for key in (*_RECORDS, names.HISTORY):
        try:
            document = json.loads(annotations.get(key, ""))
            text = json.dumps(
                _corrected(document, limit, _written(now)),
                ensure_ascii=False,
                separators=(",", ":"),
            )
        except (ValueError, RecursionError):
            continue
        if _MOMENTS.findall(text) != _MOMENTS.findall(annotations[key]):
            found[key] = text
    return found


def _corrected(value: Any, limit: str, now: str) -> Any:
    if isinstance(value, list):
        return [_corrected(item, limit, now) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: now
        if name in _ENDS and isinstance(item, str) and _is_later(item, limit)
        else _corrected(item, limit, now)
        for name, item in value.items()
    }


def _is_later(text: str, limit: str) -> bool:
    return bool(_MOMENTS.fullmatch(f'"finished":"{text}"')) and text > limit


def _limit(now: datetime) -> str:
    """From when on a moment is later than now, as Kubernetes writes one: such texts sort."""
    return _written(now + _MARGIN)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
