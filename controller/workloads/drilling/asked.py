"""The annotations about restoring backups into a throwaway server."""

from controller.model.status import Reason
from controller.settings import parsers
from controller.settings.settings import Settings
from controller.workloads.annotations import Annotation, RequestInput, list_types, unset_or
from controller.workloads.timing.spread import read_schedule
from dumpers.contract.drill.checks import LONGEST, MOST, parse_checks
from dumpers.engines.registry import ENGINES
from dumpers.runtime.errors import ConfigurationError

SCHEDULE = Annotation(
    key="drill-schedule",
    default="the operator's",
    help="When the newest backup is restored into a throwaway server and compared, in the words of "
    "`schedule` and in its time zone; `none`: by no schedule.",
    read=unset_or(None, parsers.unless_none(read_schedule)),
    reason=Reason.SCHEDULE_INVALID,
    longest=1024,
)


def _statements(text: str) -> str:
    parse_checks(text)
    return text


SQL = Annotation(
    key="drill-sql",
    default="",
    help="Statements of SQL that a drill asks the restored database, each ended by `;` at a line's "
    f"end, which must all give true; at most {MOST}, of {LONGEST} bytes. For "
    f"{list_types(engine for engine in ENGINES if engine.takes_checks)}.",
    read=unset_or("", _statements),
    longest=LONGEST,
)


def read_sql(given: RequestInput) -> str:
    """The statements as they were given; RejectedError for an engine that is not asked by SQL."""
    text = SQL.value(given.values)
    if text and not given.engine.takes_checks:
        raise SQL.invalid(given.values, f"{given.engine.type} is not asked by SQL")
    return text


def check_default(settings: Settings) -> None:
    """Raise ConfigurationError where the operator's schedule is none that Kubernetes takes."""
    try:
        if settings.drill_schedule:
            read_schedule(settings.drill_schedule)
    except ValueError as error:
        shown = parsers.describe_value(settings.drill_schedule)
        raise ConfigurationError(f"DRILL_SCHEDULE is {shown}: {error}") from None
