"""Which class a workload has: the one that it names, else the default of its labels or namespace.

A default by labels goes before one by the namespace alone, as it says more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from controller.model.status import Reason, RejectedError
from controller.settings.classes.backup_class import BackupClass
from controller.settings.settings import Settings
from controller.workloads.classes.asked import CLASS


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a workload is, and its labels: those of the owner, over which a pod's win."""

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The class of a workload, and why it is this one."""

    backup_class: BackupClass
    why: str


def choose_class(values: Mapping[str, str], place: Place, settings: Settings) -> Choice | None:
    """Find the class of a workload; None for none. RejectedError says why it cannot be told."""
    if CLASS.value(values):
        return Choice(
            backup_class=_named(values, place, settings),
            why=f"the annotation {CLASS.key} names it",
        )
    fitting = [
        item
        for item in settings.classes.values()
        if item.is_default_for(place.namespace, place.labels)
    ]
    # Named by labels, or else by the namespace alone.
    fitting = [item for item in fitting if _labels(item)] or fitting
    if len(fitting) > 1:
        raise RejectedError(
            Reason.CLASS_AMBIGUOUS,
            f"it has no annotation {CLASS.name}, and several classes are the default for it: "
            f"{_listed(fitting)}",
        )
    if fitting:
        labels = ", ".join(f"{key}={text}" for key, text in sorted(_labels(fitting[0]).items()))
        by = f"with the labels {labels}" if labels else f"of namespace {place.namespace}"
        return Choice(backup_class=fitting[0], why=f"it is the default of workloads {by}")
    if settings.class_required:
        raise RejectedError(
            Reason.CLASS_MISSING,
            f"the operator wants every workload to have a class: set the annotation {CLASS.name}; "
            f"namespace {place.namespace} may use {_usable(place, settings)}",
        )
    return None


def _named(values: Mapping[str, str], place: Place, settings: Settings) -> BackupClass:
    found = settings.classes.get(CLASS.text(values))
    if found and found.is_for(place.namespace):
        return found
    why = "that class is not for" if found else "there is no such class for"
    usable = _usable(place, settings)
    raise CLASS.invalid(values, f"{why} namespace {place.namespace}, which may use {usable}")


def _labels(item: BackupClass) -> Mapping[str, str]:
    return item.default.labels if item.default else {}


def _usable(place: Place, settings: Settings) -> str:
    usable = [item for item in settings.classes.values() if item.is_for(place.namespace)]
    return _listed(usable) or "none"


def _listed(classes: Iterable[BackupClass]) -> str:
    return ", ".join(sorted(item.name for item in classes))
