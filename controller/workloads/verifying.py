"""Annotations about reading backups back by a schedule, and what is true of all such runs."""

from controller.model.status import Reason
from controller.settings import parsers
from controller.settings.settings import Settings
from controller.workloads.annotations import Annotation, unset_or
from controller.workloads.timing.spread import read_schedule
from dumpers.runtime.errors import ConfigurationError

# How long a run may take, its retries included: it reads as fast as the store gives.
DEADLINE = 86_400

SCHEDULE = Annotation(
    key="verify-schedule",
    default="the operator's",
    help="When backups are read back to their end, in the words of `schedule` and in its time "
    "zone; `none`: by no schedule.",
    read=unset_or(None, parsers.unless_none(read_schedule)),
    reason=Reason.SCHEDULE_INVALID,
    longest=1024,
)
SAMPLE = Annotation(
    key="verify-sample",
    default="the operator's",
    help="Which share of all backups each of these runs reads, such as `1/7`, besides a newest "
    "backup that none has read; `none`: the newest backup alone.",
    read=unset_or(None, parsers.unless_none(parsers.sample)),
)


def check_default(settings: Settings) -> None:
    """Raise ConfigurationError where the operator's schedule is none that Kubernetes takes."""
    try:
        if settings.verify_schedule:
            read_schedule(settings.verify_schedule)
    except ValueError as error:
        shown = parsers.describe_value(settings.verify_schedule)
        raise ConfigurationError(f"VERIFY_SCHEDULE is {shown}: {error}") from None
