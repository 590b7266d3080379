"""Annotations of a workload: the record of one, and those that several modules refer to.

The other records stand on the fields of `request.Request` that they fill.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from controller.model.names import PREFIX
from controller.model.status import Reason, RejectedError
from controller.settings import parsers
from controller.settings.settings import Settings
from controller.workloads.services.roles import ServerRole
from dumpers.contract.engine_spec import EngineSpec, NumberOption, TextOption
from dumpers.contract.recipients import check_recipients
from dumpers.engines.registry import ENGINES, find

TRUE = "true"
# Where a dataclass field keeps its FieldRecord.
RECORD = "ksnapshot_annotations"
_SHOWN = 100
_LONGEST_MESSAGE = 1024

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation(Generic[T_co]):
    """One annotation, without the prefix; `default` is the documentation's word for it.

    `read` gets the text, empty where the annotation is absent, and raises ValueError with what is
    wrong, which becomes a rejection by `reason`. No value that anybody has is longer than
    `longest` characters. A `hidden` value is never shown in a message: a secret may have been put
    there.
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
        """The error to raise for a wrong value; its message has at most 1,024 characters."""
        text = self.text(values)
        shown = parsers.describe_value(text, hidden=self.hidden, longest=_SHOWN)
        why = parsers.describe_fault(text, why)
        message = f"the annotation {self.name} is {shown}: {why}"
        return RejectedError(self.reason, message[:_LONGEST_MESSAGE])


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestInput:
    """Our annotations of a workload, its engine, and the operator's settings."""

    values: Mapping[str, str]
    engine: EngineSpec
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRecord:
    """The annotations that a field of Request is read from, and how; `read` may reject them."""

    annotations: tuple[Annotation[Any], ...]
    read: Callable[[RequestInput], Any]


def derived_field(
    read: Callable[[RequestInput], Any], *annotations: Annotation[Any], compare: bool = True
) -> Any:
    """A field that `read` makes of several annotations, or of one and more than that."""
    record = FieldRecord(annotations=annotations, read=read)
    return field(metadata={RECORD: record}, compare=compare)


def annotation_field(
    annotation: Annotation[Any],
    unset: Callable[[RequestInput], Any] = lambda _: None,
    *,
    compare: bool = True,
) -> Any:
    """A field that holds the value of one annotation; `unset` makes it where that is None."""

    def read(given: RequestInput) -> Any:
        value = annotation.value(given.values)
        return unset(given) if value is None else value

    return derived_field(read, annotation, compare=compare)


def unset_or(unset: T, read: Callable[[str], T]) -> Callable[[str], T]:
    """A reader for which an empty text acts as unset."""
    return lambda text: read(text) if text else unset


def list_types(engines: Iterable[EngineSpec]) -> str:
    """The engines' types as docs/annotations.md shows them."""
    return ", ".join(f"`{engine.type}`" for engine in engines)


def text_annotation(option: TextOption) -> Annotation[str]:
    """The annotation of an engine's option that is a text."""

    def read(text: str) -> str:
        if not re.fullmatch(option.pattern, text):
            raise ValueError(f"must be {option.wanted}")
        return parsers.printable(text)

    users = list_types(engine for engine in ENGINES if option in engine.texts)
    return Annotation(
        key=option.key,
        default="",
        help=f"{option.help} For {users}.",
        read=unset_or("", read),
        longest=option.longest,
    )


def number_annotation(option: NumberOption) -> Annotation[int]:
    """The annotation of an engine's option that is a whole number."""
    return Annotation(
        key=option.key,
        default=str(option.default),
        help=option.help,
        read=unset_or(option.default, parsers.whole(option.low, option.high)),
    )


def is_enabled(values: Mapping[str, str], others: Mapping[str, str] = MappingProxyType({})) -> bool:
    """Whether these annotations ask for backups at all; `others` count where they say nothing."""
    # A pass asks this of every pod there is.
    text = values.get(_ENABLED)
    return (others.get(_ENABLED) if text is None else text) == TRUE


def _engine(text: str) -> EngineSpec:
    engine = find(text)
    if engine is None:
        raise ValueError(f"must be one of: {', '.join(item.type for item in ENGINES)}")
    return engine


ENABLED = Annotation(
    key="enabled",
    default="",
    help="The workload is backed up when exactly `true`.",
    read=TRUE.__eq__,
)
_ENABLED = ENABLED.name
TYPE = Annotation(
    key="type",
    default="required",
    help=f"The database engine: {list_types(ENGINES)}.",
    read=_engine,
    reason=Reason.TYPE_INVALID,
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
    read=TRUE.__eq__,
)
ENCRYPTION_RECIPIENT = Annotation(
    key="encryption-recipient",
    default="the operator's",
    help="age recipients, separated by commas. Ignored where encryption is enforced.",
    read=unset_or("", check_recipients),
    reason=Reason.RECIPIENT_INVALID,
    longest=16384,
    hidden=True,
)
CREDENTIALS_SECRET = Annotation(
    key="credentials-secret",
    default="",
    help="A Secret of the workload's namespace with the login to use.",
    read=unset_or("", parsers.object_name),
)
DATABASE = Annotation(
    key="database",
    default="the container's",
    help="Name of the database to dump.",
    read=unset_or("", parsers.printable),
)
GROUP = Annotation(
    key="group",
    default="the operator's label",
    help="A name that all owners have which are one database together.",
    read=unset_or("", parsers.object_name),
)
READ_FROM = Annotation(
    key="read-from",
    default=str(ServerRole.PRIMARY),
    help=f"Which server is read: {', '.join(f'`{role}`' for role in ServerRole)}. For "
    f"{list_types(engine for engine in ENGINES if engine.has_replicas)}.",
    read=unset_or(None, parsers.one_of(ServerRole)),
)
CONTAINER = Annotation(
    key="container",
    default="found by its variables",
    help="The pod's container that the database runs in.",
    read=unset_or("", parsers.label),
)
SERVICE = Annotation(
    key="service",
    default="found by its selector",
    help="The Service to connect to.",
    read=unset_or("", parsers.label),
)
NUMBERS: Mapping[NumberOption, Annotation[int]] = {
    option: number_annotation(option) for engine in ENGINES for option in engine.numbers
}
TEXTS: Mapping[TextOption, Annotation[str]] = {
    option: text_annotation(option) for engine in ENGINES for option in engine.texts
}
