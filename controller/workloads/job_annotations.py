"""Annotations about the jobs of a workload: when they run, for how long, and with which login."""

from controller.settings import parsers
from controller.workloads.annotations import TEXTS, Annotation, RequestInput, unset_or
from dumpers.repository.retention.policy import parse_policy, print_policy
from dumpers.runtime.log import LogLevel

_DEADLINE, _RETRIES = 14400, 2
# What is wrong with one of these is told where it is planned, and keeps nobody from backups.
_ANY = 1 << 20
# Engines share its key; what it counts is each one's own.
_PARALLELISM = next(annotation for annotation in TEXTS.values() if annotation.key == "parallelism")

RESTORE_CREDENTIALS_SECRET = Annotation(
    key="restore-credentials-secret",
    default="the dumps' own",
    help="A Secret of the workload's namespace with the login that restores use.",
    read=unset_or("", parsers.object_name),
)
SUSPEND = Annotation(
    key="suspend",
    default="the CronJob's own",
    help="`true` pauses the schedule, `false` keeps it going whatever was set by hand.",
    read=unset_or(None, parsers.boolean),
)
BACKUP_NOW = Annotation(
    key="backup-now",
    default="",
    help="Each new value makes one backup now, at most one in ten minutes.",
    read=parsers.printable,
)
RESTORE_NOW = Annotation(
    key="restore-now",
    default="",
    help="Each new value, `latest`, a backup's id or a time, restores it once beside the database.",
    read=str,
    longest=_ANY,
)
RESTORE_FORGET = Annotation(
    key="restore-forget",
    default="",
    help="Each new value drops what `restore-now` left beside the database.",
    read=str,
    longest=_ANY,
)
RESTORE_FROM = Annotation(
    key="restore-from",
    default="",
    help="The workload whose backup a new, empty database is restored from, once, before the first "
    "dump: `NAME@latest`.",
    read=str,
    longest=_ANY,
)
DEADLINE = Annotation(
    key="deadline-seconds",
    default=str(_DEADLINE),
    help="How long a run may take, its retries included: 60 to 2592000.",
    read=unset_or(_DEADLINE, parsers.whole(60, 2_592_000)),
)
RETRIES = Annotation(
    key="retries",
    default=str(_RETRIES),
    help="How often a run that failed is tried again: 0 to 20.",
    read=unset_or(_RETRIES, parsers.whole(0, 20)),
)
RESOURCES = Annotation(
    key="resources",
    default="the operator's",
    help='The dump container\'s resources as JSON: `{"limits": {"memory": "512Mi"}}`.',
    read=unset_or("", parsers.resources_json),
    longest=2048,
)
RETENTION = Annotation(
    key="retention",
    default="the operator's",
    help="Which backups are to be kept, in restic's words: `keep-last=7,keep-daily=14`, or `none` "
    "for all. It is recorded in each manifest.",
    read=unset_or(None, lambda text: print_policy(parse_policy(text))),
    longest=1024,
)
LOG_LEVEL = Annotation(
    key="log-level",
    default=str(LogLevel.INFO),
    help=f"How much its Jobs log: {', '.join(f'`{level}`' for level in LogLevel)}.",
    read=unset_or(None, parsers.one_of(LogLevel)),
)


def refuse_streams(given: RequestInput) -> None:
    """Raise RejectedError where several streams are asked of an engine that has one only."""
    engine = given.engine
    keys = {*(option.key for option in engine.numbers), *(option.key for option in engine.texts)}
    if _PARALLELISM.key in keys:
        return
    if given.values.get(_PARALLELISM.name, "") not in {"", "1"}:
        raise _PARALLELISM.invalid(
            given.values, f"{given.engine.type} is read by one stream: leave it out"
        )
