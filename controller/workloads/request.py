"""What a workload's annotations ask for: each field of Request carries the records it is read from.

A new annotation is a new field. docs/annotations.md lists them in the order of the fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache

from controller.model.status import Reason, Rejected, RejectedError
from controller.settings import choices, parsers
from controller.settings.settings import Settings
from controller.workloads import verifying
from controller.workloads.annotations import (
    CONTAINER,
    CREDENTIALS_SECRET,
    DATABASE,
    ENABLED,
    ENCRYPTION_ENABLED,
    ENCRYPTION_RECIPIENT,
    GROUP,
    NUMBERS,
    READ_FROM,
    RECORD,
    SERVICE,
    TEXTS,
    TYPE,
    VERSION,
    Annotation,
    FieldRecord,
    RequestInput,
    annotation_field,
    derived_field,
    unset_or,
)
from controller.workloads.classes.asked import CLASS
from controller.workloads.drilling import asked as drilling
from controller.workloads.encryption import is_overruled, recipient_of
from controller.workloads.hosts.asked import HOST
from controller.workloads.job_annotations import (
    BACKUP_NOW,
    DEADLINE,
    LOG_LEVEL,
    RESOURCES,
    RESTORE_CREDENTIALS_SECRET,
    RESTORE_FORGET,
    RESTORE_FROM,
    RESTORE_NOW,
    RETENTION,
    RETRIES,
    SUSPEND,
    refuse_streams,
)
from controller.workloads.services.roles import ServerRole
from controller.workloads.sharing import asked as sharing
from controller.workloads.storages.asked import COMPRESSION, STORAGE, VERIFY
from controller.workloads.timing import schedules
from controller.workloads.timing.spread import read_schedule
from dumpers.contract.engine_spec import DumperImage, EngineSpec
from dumpers.contract.names import CA_KEY, TLS_MODES
from dumpers.contract.notes import parse_codes
from dumpers.runtime.log import LogLevel

_UTC = "Etc/UTC"


def _time_zone(text: str) -> str:
    schedules.check_zone(text)
    return text


def _accepted(text: str) -> str:
    return ",".join(sorted(parse_codes(text)))


def _image(given: RequestInput) -> DumperImage:
    image = given.engine.image(VERSION.value(given.values))
    if image is None:
        known = ", ".join(version for item in given.engine.images for version in item.versions)
        raise VERSION.invalid(given.values, f"must be one of: {known}")
    return image


def _numbers(given: RequestInput) -> tuple[tuple[str, int], ...]:
    options = given.engine.numbers
    return tuple((option.variable, NUMBERS[option].value(given.values)) for option in options)


def _texts(given: RequestInput) -> tuple[tuple[str, str], ...]:
    refuse_streams(given)
    found = ((option.variable, TEXTS[option].value(given.values)) for option in given.engine.texts)
    return tuple((variable, text) for variable, text in found if text)


def _read_from(given: RequestInput) -> ServerRole | None:
    asked = READ_FROM.value(given.values)
    if given.engine.has_replicas:
        return asked or ServerRole.PRIMARY
    if asked:
        raise READ_FROM.invalid(given.values, f"{given.engine.type} has no replicas to read from")
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a workload's annotations ask for, defaults applied; pods of one owner agree on it.

    `backup_class` is empty without one. `numbers` and `texts` hold the engine's own variables with
    their values, of texts those that are set. `recipient` is empty without encryption; `overruled`
    says that the annotations asked for other encryption than is enforced. An empty
    `credentials_secret`, `database`, `container`, `service` or `host` is to be found out, an empty
    `tls` or `ca_secret` is left to the client, and with an empty `restore_credentials_secret`
    restores use the login of dumps. `allowed_hosts` are the operator's patterns for hosts that
    annotations choose. `accept` holds sorted codes of notes, and SHRUNK, `retention` a policy in
    its one form. Of `storages`, names, there is at least one, and the first is the one that jobs
    read. `verify_schedule` is empty where nothing is read back by a schedule,
    `verify_sample` where that reads the newest backup alone, `drill_schedule` where nothing is
    drilled by one, `drill_sql` where a drill asks nothing of the user's own. `group`, and what asks
    for something once, are not compared, as owners of one group may differ.
    `spread` is None where one pod dumps all, `read_from` without replicas, `suspend` and
    `log_level` are None and `resources`, as JSON, empty where nothing is asked. `deadline` is in
    seconds.
    """

    engine: EngineSpec = derived_field(lambda given: given.engine, TYPE)
    backup_class: str = annotation_field(CLASS)
    schedule: str = annotation_field(
        Annotation(
            key="schedule",
            default="required",
            help="When to dump, as a Kubernetes CronJob takes it; `@daily-random`, `H`: we choose.",
            read=read_schedule,
            reason=Reason.SCHEDULE_INVALID,
            longest=1024,
        )
    )
    time_zone: str = annotation_field(
        Annotation(
            key="timezone",
            default=_UTC,
            help="Time zone of the schedule.",
            read=lambda text: _time_zone(text or _UTC),
            reason=Reason.TIME_ZONE_INVALID,
        )
    )
    image: DumperImage = derived_field(_image, VERSION)
    numbers: tuple[tuple[str, int], ...] = derived_field(_numbers, *NUMBERS.values())
    recipient: str = derived_field(recipient_of, ENCRYPTION_ENABLED, ENCRYPTION_RECIPIENT)
    overruled: bool = derived_field(is_overruled)
    credentials_secret: str = annotation_field(CREDENTIALS_SECRET)
    restore_credentials_secret: str = annotation_field(RESTORE_CREDENTIALS_SECRET)
    database: str = annotation_field(DATABASE)
    texts: tuple[tuple[str, str], ...] = derived_field(_texts, *TEXTS.values())
    spread: sharing.Spread | None = derived_field(
        sharing.read_spread, sharing.SPREAD, sharing.SHARD_COUNT, sharing.AT_A_TIME
    )
    tls: str = annotation_field(
        Annotation(
            key="tls",
            default="the client's",
            help=f"How the connection is secured: {', '.join(f'`{mode}`' for mode in TLS_MODES)}.",
            read=unset_or("", parsers.one_of_words(TLS_MODES)),
        )
    )
    ca_secret: str = annotation_field(
        Annotation(
            key="ca-secret",
            default="",
            help=f"A Secret of the workload's namespace whose `{CA_KEY}` "
            "holds the certificates to trust.",
            read=unset_or("", parsers.object_name),
        )
    )
    compression: choices.Compression = annotation_field(
        COMPRESSION, lambda given: given.settings.compression
    )
    verify: choices.Verify = annotation_field(VERIFY, lambda given: given.settings.verify)
    accept: str = annotation_field(
        Annotation(
            key="accept",
            default="",
            help="Codes of notes that are fine for this workload, separated by commas: "
            "`standby, foreign-tables`. All others are shown. `shrunk`: its size is right, too.",
            read=unset_or("", _accepted),
            longest=1024,
        )
    )
    storages: tuple[str, ...] = annotation_field(STORAGE)
    retention: str = annotation_field(RETENTION, lambda given: given.settings.retention)
    verify_schedule: str = annotation_field(
        verifying.SCHEDULE, lambda given: given.settings.verify_schedule
    )
    verify_sample: str = annotation_field(
        verifying.SAMPLE, lambda given: given.settings.verify_sample
    )
    drill_schedule: str = annotation_field(
        drilling.SCHEDULE, lambda given: given.settings.drill_schedule
    )
    drill_sql: str = derived_field(drilling.read_sql, drilling.SQL)
    group: str = annotation_field(GROUP, compare=False)
    container: str = annotation_field(CONTAINER)
    read_from: ServerRole | None = derived_field(_read_from, READ_FROM)
    service: str = annotation_field(SERVICE)
    host: str = annotation_field(HOST)
    allowed_hosts: tuple[str, ...] = derived_field(lambda given: given.settings.allowed_hosts)
    port: int = annotation_field(
        Annotation(
            key="port",
            default="the engine's",
            help="The port to connect to.",
            read=unset_or(None, parsers.whole(1, 65535)),
        ),
        lambda given: given.engine.port,
    )
    suspend: bool | None = annotation_field(SUSPEND)
    backup_now: str = annotation_field(BACKUP_NOW, compare=False)
    restore_now: str = annotation_field(RESTORE_NOW, compare=False)
    restore_forget: str = annotation_field(RESTORE_FORGET, compare=False)
    restore_from: str = annotation_field(RESTORE_FROM, compare=False)
    deadline: int = annotation_field(DEADLINE)
    retries: int = annotation_field(RETRIES)
    resources: str = annotation_field(RESOURCES)
    log_level: LogLevel | None = annotation_field(LOG_LEVEL)


_FIELDS: Mapping[str, FieldRecord] = {item.name: item.metadata[RECORD] for item in fields(Request)}
# Every annotation, for the table of docs/annotations.md.
ANNOTATIONS: tuple[Annotation[object], ...] = (
    ENABLED,
    *(annotation for record in _FIELDS.values() for annotation in record.annotations),
)


def parse_request(values: Mapping[str, str], settings: Settings) -> Request | Rejected:
    """What enabled annotations ask for, or the first thing that is wrong with them."""
    return _parse(frozenset(values.items()), settings)


# Every pass parses the annotations of every workload, which mostly are what they were.
@lru_cache(maxsize=8192)
def _parse(items: frozenset[tuple[str, str]], settings: Settings) -> Request | Rejected:
    values = dict(items)
    try:
        given = RequestInput(values=values, engine=TYPE.value(values), settings=settings)
        return Request(**{name: record.read(given) for name, record in _FIELDS.items()})
    except RejectedError as error:
        return error.rejected
