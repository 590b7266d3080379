"""The annotations of a workload: one table, and what they ask for."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.config import Settings
from controller.names import PREFIX
from controller.reasons import Reason, Rejected
from controller.schedules import ScheduleError, check_zone, parse
from dumpers.engines import ENGINES, find
from dumpers.engines.facts import DumperImage, EngineFacts

_TRUE = "true"
_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One annotation, without the prefix; `default` is how the README tells it."""

    key: str
    default: str
    help: str

    @property
    def name(self) -> str:
        """The whole key."""
        return PREFIX + self.key

    def of(self, values: Mapping[str, str]) -> str:
        """The value, empty when absent."""
        return values.get(self.name, "")


ENABLED = Annotation(
    key="enabled", default="", help="The workload is backed up when exactly `true`."
)
TYPE = Annotation(key="type", default="required", help="The database engine.")
SCHEDULE = Annotation(
    key="schedule", default="required", help="When to dump, as a Kubernetes CronJob takes it."
)
TIME_ZONE = Annotation(key="timezone", default="Etc/UTC", help="Time zone of the schedule.")
VERSION = Annotation(
    key="version", default="the engine's first", help="Which of the engine's dumper images to use."
)
ENCRYPTION_ENABLED = Annotation(
    key="encryption-enabled",
    default="the operator's",
    help="If present, even empty, only `true` encrypts.",
)
ENCRYPTION_RECIPIENT = Annotation(
    key="encryption-recipient", default="the operator's", help="age recipient."
)
ANNOTATIONS = (
    ENABLED,
    TYPE,
    SCHEDULE,
    TIME_ZONE,
    VERSION,
    ENCRYPTION_ENABLED,
    ENCRYPTION_RECIPIENT,
)
# Most characters that a value may have. The API server takes longer schedules, which nobody has
# and which would be kept and sent around; what is compared with `true` needs no limit.
_LONGEST = (
    (TYPE, 63, Reason.TYPE_INVALID),
    (VERSION, 63, Reason.VERSION_INVALID),
    (SCHEDULE, 1024, Reason.SCHEDULE_INVALID),
    (TIME_ZONE, 255, Reason.TIME_ZONE_INVALID),
    (ENCRYPTION_RECIPIENT, 16384, Reason.RECIPIENT_INVALID),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a workload's annotations ask for, defaults applied; pods of one owner agree on it.

    `recipient` is empty without encryption.
    """

    engine: EngineFacts
    image: DumperImage
    schedule: str
    time_zone: str
    recipient: str


def enabled(values: Mapping[str, str]) -> bool:
    """Whether these annotations ask for backups at all."""
    return ENABLED.of(values) == _TRUE


def read(values: Mapping[str, str], settings: Settings) -> Request | Rejected:
    """What enabled annotations ask for, or the first thing that is wrong with them."""
    return _too_long(values) or _request(values, settings)


def _too_long(values: Mapping[str, str]) -> Rejected | None:
    for annotation, longest, reason in _LONGEST:
        if len(annotation.of(values)) > longest:
            why = f"it must have at most {longest} characters"
            return _rejected(reason, annotation, values, why)
    return None


def _request(values: Mapping[str, str], settings: Settings) -> Request | Rejected:
    engine = find(TYPE.of(values))
    if engine is None:
        known = ", ".join(item.type for item in ENGINES)
        return _rejected(Reason.TYPE_INVALID, TYPE, values, f"it must be one of: {known}")
    image = engine.image(VERSION.of(values))
    if image is None:
        known = ", ".join(item.version for item in engine.images)
        return _rejected(Reason.VERSION_INVALID, VERSION, values, f"it must be one of: {known}")
    try:
        parse(SCHEDULE.of(values))
    except ScheduleError as error:
        return _rejected(Reason.SCHEDULE_INVALID, SCHEDULE, values, str(error))
    zone = TIME_ZONE.of(values) or TIME_ZONE.default
    try:
        check_zone(zone)
    except ScheduleError as error:
        return _rejected(Reason.TIME_ZONE_INVALID, TIME_ZONE, values, str(error))
    recipient = ""
    if _encrypts(values, settings):
        recipient = ENCRYPTION_RECIPIENT.of(values) or settings.encryption_recipient
        if not recipient:
            return Rejected(
                Reason.RECIPIENT_MISSING,
                f"encryption is on, but neither the annotation {ENCRYPTION_RECIPIENT.name} "
                "nor the operator names a recipient",
            )
    return Request(
        engine=engine,
        image=image,
        schedule=SCHEDULE.of(values),
        time_zone=zone,
        recipient=recipient,
    )


def _encrypts(values: Mapping[str, str], settings: Settings) -> bool:
    if ENCRYPTION_ENABLED.name in values:
        return ENCRYPTION_ENABLED.of(values) == _TRUE
    return settings.encryption_enabled


def _rejected(
    reason: Reason, annotation: Annotation, values: Mapping[str, str], why: str
) -> Rejected:
    value = annotation.of(values)
    shown = repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "…") if value else "not set"
    return Rejected(reason, f"the annotation {annotation.name} is {shown}: {why}"[:1024])
