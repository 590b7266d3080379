"""The annotations of a workload: one table, and what they ask for."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from controller.model.names import PREFIX
from controller.model.status import Reason, Rejected, RejectedError
from controller.settings import parsers
from controller.settings.settings import Settings, Verify
from controller.workloads import schedules
from dumpers.contract.engine_spec import DumperImage, EngineSpec, NumberOption, TextOption
from dumpers.contract.names import CA_KEY, TLS_MODES
from dumpers.contract.recipients import PRIVATE_KEY_FAULT, holds_private_key
from dumpers.engines.registry import ENGINES, find

_TRUE = "true"
_SHOWN = 100
_LONGEST_MESSAGE = 1024
_UTC = "Etc/UTC"
_DEADLINE = 14400
_RETRIES = 2

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation(Generic[T_co]):
    """One annotation, without the prefix; `default` is how the README tells it.

    `read` gets the text, empty where there is none, and raises ValueError with what is wrong,
    which is told by `reason`. No value that anybody has is longer than `longest` characters. A
    `hidden` value is never shown in a message: a secret may have been put there.
    """

    key: str
    default: str
    help: str
    read: Callable[[str], T_co] = field(repr=False)
    reason: Reason = Reason.ANNOTATION_INVALID
    longest: int = 253
    hidden: bool = False

    @property
    def name(self) -> str:
        """The whole key."""
        return PREFIX + self.key

    def text(self, values: Mapping[str, str]) -> str:
        """The value as it stands, empty when absent."""
        return values.get(self.name, "")

    def value(self, values: Mapping[str, str]) -> T_co:
        """The value; RejectedError if it is invalid."""
        text = self.text(values)
        if len(text) > self.longest:
            raise self.invalid(values, f"must have at most {self.longest} characters")
        try:
            return self.read(text)
        except ValueError as error:
            raise self.invalid(values, str(error)) from None

    def invalid(self, values: Mapping[str, str], why: str) -> RejectedError:
        """What to raise of a value that is wrong."""
        text = self.text(values)
        if self.hidden:
            shown = "(hidden)"
        elif text:
            shown = repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
        else:
            shown = "not set"
        return RejectedError(
            self.reason, f"the annotation {self.name} is {shown}: {why}"[:_LONGEST_MESSAGE]
        )


def _or(unset: T, read: Callable[[str], T]) -> Callable[[str], T]:
    """An empty value acts as unset."""
    return lambda text: read(text) if text else unset


def _engine(text: str) -> EngineSpec:
    engine = find(text)
    if engine is None:
        raise ValueError(f"must be one of: {', '.join(item.type for item in ENGINES)}")
    return engine


def _schedule(text: str) -> str:
    schedules.parse(text)
    return text


def _time_zone(text: str) -> str:
    schedules.check_zone(text)
    return text


def _listed(engines: Iterable[EngineSpec]) -> str:
    return ", ".join(f"`{engine.type}`" for engine in engines)


def _resources(text: str) -> str:
    read = parsers.resources(parsers.json_object(text))
    return json.dumps(read, sort_keys=True, separators=(",", ":"))


def _tls(text: str) -> str:
    if text not in TLS_MODES:
        raise ValueError(f"must be one of: {', '.join(TLS_MODES)}")
    return text


ENABLED = Annotation(
    key="enabled",
    default="",
    help="The workload is backed up when exactly `true`.",
    read=_TRUE.__eq__,
)
TYPE = Annotation(
    key="type",
    default="required",
    help=f"The database engine: {_listed(ENGINES)}.",
    read=_engine,
    reason=Reason.TYPE_INVALID,
)
SCHEDULE = Annotation(
    key="schedule",
    default="required",
    help="When to dump, as a Kubernetes CronJob takes it.",
    read=_schedule,
    reason=Reason.SCHEDULE_INVALID,
    longest=1024,
)
TIME_ZONE = Annotation(
    key="timezone",
    default=_UTC,
    help="Time zone of the schedule.",
    read=lambda text: _time_zone(text or _UTC),
    reason=Reason.TIME_ZONE_INVALID,
)
VERSION = Annotation(
    key="version",
    default="the engine's first",
    help="Which of the engine's dumper images to use; not needed, the dumper asks the server.",
    read=str,
    reason=Reason.VERSION_INVALID,
)
ENCRYPTION_ENABLED = Annotation(
    key="encryption-enabled",
    default="the operator's",
    help="If present, even empty, only `true` encrypts. Ignored where encryption is enforced.",
    read=_TRUE.__eq__,
)
ENCRYPTION_RECIPIENT = Annotation(
    key="encryption-recipient",
    default="the operator's",
    help="age recipients, separated by commas. Ignored where encryption is enforced.",
    read=_or("", parsers.recipients),
    reason=Reason.RECIPIENT_INVALID,
    longest=16384,
    hidden=True,
)
SUSPEND = Annotation(
    key="suspend",
    default="the CronJob's own",
    help="`true` pauses the schedule, `false` keeps it going whatever was set by hand.",
    read=_or(None, parsers.boolean),
)
DEADLINE = Annotation(
    key="deadline-seconds",
    default=str(_DEADLINE),
    help="How long a run may take, its retries included: 60 to 2592000.",
    read=_or(_DEADLINE, parsers.whole(60, 2_592_000)),
)
RETRIES = Annotation(
    key="retries",
    default=str(_RETRIES),
    help="How often a run that failed is tried again: 0 to 20.",
    read=_or(_RETRIES, parsers.whole(0, 20)),
)
RESOURCES = Annotation(
    key="resources",
    default="the operator's",
    help='The dump container\'s resources as JSON: `{"limits": {"memory": "512Mi"}}`.',
    read=_or("", _resources),
    longest=2048,
)
CREDENTIALS_SECRET = Annotation(
    key="credentials-secret",
    default="",
    help="A Secret of the workload's namespace with the login to use.",
    read=_or("", parsers.object_name),
)
DATABASE = Annotation(
    key="database",
    default="the container's",
    help="Name of the database to dump.",
    read=_or("", parsers.printable),
)
TLS = Annotation(
    key="tls",
    default="the client's",
    help=f"How the connection is secured: {', '.join(f'`{mode}`' for mode in TLS_MODES)}.",
    read=_or("", _tls),
)
CA_SECRET = Annotation(
    key="ca-secret",
    default="",
    help=f"A Secret of the workload's namespace whose `{CA_KEY}` holds the certificates to trust.",
    read=_or("", parsers.object_name),
)
VERIFY = Annotation(
    key="verify",
    default="the operator's",
    help=f"What is done with a backup once it is made: {', '.join(f'`{how}`' for how in Verify)}.",
    read=_or(None, parsers.one_of(Verify)),
)
GROUP = Annotation(
    key="group",
    default="the operator's label",
    help="A name that all owners have which are one database together. For "
    f"{_listed(engine for engine in ENGINES if engine.group_label)}.",
    read=_or("", parsers.object_name),
)
CONTAINER = Annotation(
    key="container",
    default="found by its variables",
    help="The pod's container that the database runs in.",
    read=_or("", parsers.label),
)
SERVICE = Annotation(
    key="service",
    default="found by its selector",
    help="The Service to connect to.",
    read=_or("", parsers.label),
)
HOST = Annotation(
    key="host",
    default="the Service's",
    help="The host to connect to, instead of a Service.",
    read=_or("", parsers.host),
)
PORT = Annotation(
    key="port",
    default="the engine's",
    help="The port to connect to.",
    read=_or(None, parsers.whole(1, 65535)),
)


def _text(option: TextOption) -> Annotation[str]:
    def read(text: str) -> str:
        if not re.fullmatch(option.pattern, text):
            raise ValueError(f"must be {option.wanted}")
        return parsers.printable(text)

    users = _listed(engine for engine in ENGINES if option in engine.texts)
    return Annotation(
        key=option.key,
        default="",
        help=f"{option.help} For {users}.",
        read=_or("", read),
        longest=option.longest,
    )


def _number(option: NumberOption) -> Annotation[int]:
    return Annotation(
        key=option.key,
        default=str(option.default),
        help=option.help,
        read=_or(option.default, parsers.whole(option.low, option.high)),
    )


NUMBERS: Mapping[NumberOption, Annotation[int]] = {
    option: _number(option) for engine in ENGINES for option in engine.numbers
}
TEXTS: Mapping[TextOption, Annotation[str]] = {
    option: _text(option) for engine in ENGINES for option in engine.texts
}
ANNOTATIONS: tuple[Annotation[object], ...] = (
    ENABLED,
    TYPE,
    SCHEDULE,
    TIME_ZONE,
    VERSION,
    *NUMBERS.values(),
    ENCRYPTION_ENABLED,
    ENCRYPTION_RECIPIENT,
    CREDENTIALS_SECRET,
    DATABASE,
    *TEXTS.values(),
    TLS,
    CA_SECRET,
    VERIFY,
    GROUP,
    CONTAINER,
    SERVICE,
    HOST,
    PORT,
    SUSPEND,
    DEADLINE,
    RETRIES,
    RESOURCES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a workload's annotations ask for, defaults applied; pods of one owner agree on it.

    `recipient` is empty without encryption; `overruled` says that it asked for another, which the
    operator does not allow. `deadline` is in seconds. `numbers` and `texts` are the
    engine's own variables, of texts those that are set.
    `suspend` is None and `resources`, canonical JSON, empty where nothing is asked. An empty
    `credentials_secret`, `database`, `container`, `service` or `host` is to be found out, an empty
    `tls` or `ca_secret` is left to the client.
    """

    engine: EngineSpec
    image: DumperImage
    schedule: str
    time_zone: str = _UTC
    recipient: str = ""
    overruled: bool = False
    suspend: bool | None = None
    deadline: int = _DEADLINE
    retries: int = _RETRIES
    resources: str = ""
    numbers: tuple[tuple[str, int], ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    credentials_secret: str = ""
    database: str = ""
    tls: str = ""
    ca_secret: str = ""
    verify: Verify
    container: str = ""
    service: str = ""
    host: str = ""
    port: int


def is_enabled(values: Mapping[str, str]) -> bool:
    """Whether these annotations ask for backups at all."""
    return ENABLED.text(values) == _TRUE


def parse_request(values: Mapping[str, str], settings: Settings) -> Request | Rejected:
    """What enabled annotations ask for, or the first thing that is wrong with them."""
    try:
        return _request(values, settings)
    except RejectedError as error:
        return error.rejected


def _request(values: Mapping[str, str], settings: Settings) -> Request:
    engine = TYPE.value(values)
    # What is not done would pass for one backup of them all.
    if GROUP.value(values) and not engine.group_label:
        raise GROUP.invalid(values, f"owners of type {engine.type} form no groups")
    recipient, overruled = _recipient(values, settings)
    return Request(
        engine=engine,
        image=_image(engine, values),
        schedule=SCHEDULE.value(values),
        time_zone=TIME_ZONE.value(values),
        recipient=recipient,
        overruled=overruled,
        suspend=SUSPEND.value(values),
        deadline=DEADLINE.value(values),
        retries=RETRIES.value(values),
        resources=RESOURCES.value(values),
        numbers=tuple((item.variable, NUMBERS[item].value(values)) for item in engine.numbers),
        texts=tuple(
            (item.variable, text) for item in engine.texts if (text := TEXTS[item].value(values))
        ),
        credentials_secret=CREDENTIALS_SECRET.value(values),
        database=DATABASE.value(values),
        tls=TLS.value(values),
        ca_secret=CA_SECRET.value(values),
        verify=VERIFY.value(values) or settings.verify,
        container=CONTAINER.value(values),
        service=SERVICE.value(values),
        host=HOST.value(values),
        port=PORT.value(values) or engine.port,
    )


def _image(engine: EngineSpec, values: Mapping[str, str]) -> DumperImage:
    image = engine.image(VERSION.value(values))
    if image is None:
        known = ", ".join(version for item in engine.images for version in item.versions)
        raise VERSION.invalid(values, f"must be one of: {known}")
    return image


def _recipient(values: Mapping[str, str], settings: Settings) -> tuple[str, bool]:
    """The recipients to encrypt to, and whether the annotations asked for something else."""
    switched = ENCRYPTION_ENABLED.name in values
    on = ENCRYPTION_ENABLED.text(values) == _TRUE
    if settings.encryption_enforced:
        ignored = ENCRYPTION_RECIPIENT.text(values)
        # A typo in what is ignored stops no backup, but a leaked private key has to be heard of.
        if holds_private_key(ignored):
            raise ENCRYPTION_RECIPIENT.invalid(values, PRIVATE_KEY_FAULT)
        return settings.encryption_recipient, bool(ignored) or (switched and not on)
    asked = ENCRYPTION_RECIPIENT.value(values)
    wanted = on if switched else settings.encryption_enabled
    if not wanted:
        return "", False
    recipient = asked or settings.encryption_recipient
    if not recipient:
        raise RejectedError(
            Reason.RECIPIENT_MISSING,
            f"encryption is on, but neither the annotation {ENCRYPTION_RECIPIENT.name} "
            "nor the operator names a recipient",
        )
    return recipient, False
