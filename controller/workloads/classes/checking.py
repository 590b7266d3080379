"""What is wrong with the operator's classes, found at start by the annotations' own rules."""

from collections.abc import Iterator
from itertools import combinations

from controller.model.status import RejectedError
from controller.settings import parsers
from controller.settings.classes.backup_class import BackupClass
from controller.settings.settings import Settings
from controller.workloads.annotations import (
    ENCRYPTION_ENABLED,
    ENCRYPTION_RECIPIENT,
    Annotation,
    RequestInput,
)
from controller.workloads.classes.keys import IN_CLASSES, refusal_of
from controller.workloads.encryption import is_overruled, recipient_of
from controller.workloads.timing.intervals import why_too_often
from controller.workloads.timing.spread import plain_schedule
from dumpers.engines.registry import ENGINES
from dumpers.runtime.errors import ConfigurationError

_SCHEDULE = "schedule"
_SCHEDULES = (_SCHEDULE, "verify-schedule", "drill-schedule")
_SHOWN = 60


def check_classes(settings: Settings) -> None:
    """Raise ConfigurationError with every fault of the classes, each with its path."""
    faults = [fault for item in settings.classes.values() for fault in _faults_of(item, settings)]
    faults += _rival_defaults(settings)
    if settings.class_required and not settings.classes:
        faults.append("classRequired: is true, but there is no class: add one to classes")
    if faults:
        raise ConfigurationError(*faults)


def _faults_of(item: BackupClass, settings: Settings) -> Iterator[str]:
    path = f"classes.{item.name}"
    wrong = {key: why for key, text in item.values.items() if (why := _fault(key, text))}
    yield from (f"{path}.{_key(key)}: {why}" for key, why in wrong.items())
    for key in sorted(item.allow):
        if why := refusal_of(key):
            yield f"{path}.allow: {_key(key)} {why}"
    if _SCHEDULE not in {*item.values, *item.allow}:
        yield f"{path}.{_SCHEDULE}: must be set, or be in {path}.allow: nobody could say when else"
    for key in _SCHEDULES:
        if key in item.values and key not in wrong:
            yield from _too_often(f"{path}.{key}", IN_CLASSES[key], item.values[key], settings)
    if not {ENCRYPTION_ENABLED.key, ENCRYPTION_RECIPIENT.key} & {*wrong}:
        yield from _encryption_faults(item, settings)
    yield from _default_faults(item, settings)


def _key(key: str) -> str:
    """The key of an annotation as it may be shown."""
    return key if key in IN_CLASSES else key[:_SHOWN].encode("unicode_escape").decode()


def _fault(key: str, text: str) -> str:
    """What is wrong with one value of a class; empty where nothing is."""
    if why := refusal_of(key):
        return why
    annotation = IN_CLASSES[key]
    try:
        annotation.value({annotation.name: text})
        if annotation is ENCRYPTION_ENABLED:
            # Of a workload anything else turns encryption off, which nobody means by `yes`.
            parsers.boolean(text)
    except RejectedError as error:
        return str(error).removeprefix(f"the annotation {annotation.name} ")
    except ValueError as error:
        return f"is {parsers.describe_value(text, longest=_SHOWN)}: {error}"
    return ""


def _too_often(
    path: str, annotation: Annotation[object], text: str, settings: Settings
) -> Iterator[str]:
    """Whether a valid schedule of a class runs more often than workloads may ask for.

    What the operator asks for of all is not limited. How close the runs of an `H` are may differ
    from workload to workload, and is then found for each.
    """
    schedule = annotation.value({annotation.name: text})
    of_all = {
        "verify-schedule": settings.verify_schedule,
        "drill-schedule": settings.drill_schedule,
    }
    if not schedule or schedule == of_all.get(annotation.key):
        return
    if why := why_too_often(plain_schedule(str(schedule), "", ""), settings.min_interval):
        yield f"{path}: is {text!r}, by which {why}"


def _encryption_faults(item: BackupClass, settings: Settings) -> Iterator[str]:
    """Whether the class contradicts enforced encryption, or encrypts to nobody."""
    values = {
        record.name: item.values[record.key]
        for record in (ENCRYPTION_ENABLED, ENCRYPTION_RECIPIENT)
        if record.key in item.values
    }
    given = RequestInput(values=values, engine=ENGINES[0], settings=settings)
    path = f"classes.{item.name}"
    if is_overruled(given):
        key = ENCRYPTION_RECIPIENT if ENCRYPTION_RECIPIENT.name in values else ENCRYPTION_ENABLED
        yield f"{path}.{key.key}: encryption.enforced is true, so that it would be ignored"
        return
    if ENCRYPTION_RECIPIENT.key in item.allow or ENCRYPTION_ENABLED.name not in values:
        return
    try:
        recipient_of(given)
    except RejectedError:
        yield (
            f"{path}.{ENCRYPTION_ENABLED.key}: is true, but neither {path}."
            f"{ENCRYPTION_RECIPIENT.key} nor encryption.recipient names a recipient"
        )


def _default_faults(item: BackupClass, settings: Settings) -> Iterator[str]:
    """Whether the class is the default where it may not be used."""
    default = item.default
    if default is None or not default.namespaces:
        return
    for name in settings.watch_namespaces:
        if default.is_for(name) and not item.is_for(name):
            yield (
                f"classes.{item.name}.defaultFor.namespaces: fits {name}, which is not in "
                f"classes.{item.name}.namespaces"
            )


def _rival_defaults(settings: Settings) -> Iterator[str]:
    """Pairs of classes of which it is sure that both would be the default of one workload."""
    defaults = [item for item in settings.classes.values() if item.default]
    for one, other in combinations(sorted(defaults, key=lambda item: item.name), 2):
        assert one.default is not None
        assert other.default is not None
        labels, others = one.default.labels.items(), other.default.labels.items()
        # A default by labels goes before one without; two by different labels may never meet.
        if bool(labels) != bool(others) or not (labels <= others or others <= labels):
            continue
        both = dict(labels | others)
        rival = [
            name
            for name in settings.watch_namespaces
            if one.is_default_for(name, both) and other.is_default_for(name, both)
        ]
        if rival:
            yield (
                f"classes.{other.name}.defaultFor: in namespace {rival[0]} classes.{one.name}."
                "defaultFor fits the same workloads: leave one of them out, or add labels"
            )
