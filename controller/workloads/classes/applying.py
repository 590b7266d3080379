"""A workload's annotations with the values of its class beneath them."""

from collections.abc import Mapping

from controller.model.names import PREFIX
from controller.model.status import Reason, Rejected, RejectedError
from controller.settings import parsers
from controller.settings.classes.backup_class import BackupClass
from controller.settings.settings import Settings
from controller.workloads.annotations import ENCRYPTION_ENABLED, Annotation
from controller.workloads.classes.asked import CLASS
from controller.workloads.classes.choice import Place, choose_class
from controller.workloads.classes.keys import IN_CLASSES

_SHOWN = 100
_LONGEST_MESSAGE = 1024
_NAMES = frozenset(record.name for record in IN_CLASSES.values())


def has_classes(values: Mapping[str, str], settings: Settings) -> bool:
    """Whether a class can matter to a workload with these annotations."""
    return bool(settings.classes) or settings.class_required or CLASS.name in values


def with_class(
    values: Mapping[str, str], place: Place, settings: Settings
) -> Mapping[str, str] | Rejected:
    """The annotations with those of the workload's class beneath them, and its name as `class`."""
    try:
        choice = choose_class(values, place, settings)
    except RejectedError as error:
        return error.rejected
    return values if choice is None else _applied(values, choice.backup_class)


def own_values(values: Mapping[str, str]) -> Mapping[str, str]:
    """Those of the annotations, by key, that a class may hold and the workload sets itself.

    An empty one acts as unset, but for that which turns encryption off.
    """
    texts = ((key, values.get(record.name)) for key, record in IN_CLASSES.items())
    return {
        key: text
        for key, text in texts
        if text or (text is not None and key == ENCRYPTION_ENABLED.key)
    }


def _applied(values: Mapping[str, str], item: BackupClass) -> Mapping[str, str] | Rejected:
    own = own_values(values)
    refused = [
        key
        for key, text in own.items()
        if key not in item.allow and not _is_same(IN_CLASSES[key], text, item.values.get(key))
    ]
    if refused:
        return _refusal(own, item, refused)
    beside = {name: text for name, text in values.items() if name not in _NAMES}
    beneath = {PREFIX + key: text for key, text in {**item.values, **own}.items()}
    return {**beside, **beneath, CLASS.name: item.name}


def _is_same(annotation: Annotation[object], own: str, of_class: str | None) -> bool:
    """Whether two texts mean the same: `keep-daily=7,keep-last=3` in any order."""
    if of_class is None or own == of_class:
        return own == of_class
    try:
        return annotation.read(own) == annotation.read(of_class)
    except ValueError:
        return False


def _refusal(own: Mapping[str, str], item: BackupClass, refused: list[str]) -> Rejected:
    """Name each annotation, with its value and what the class says."""
    parts = [_difference(IN_CLASSES[key], own[key], item.values.get(key)) for key in refused]
    allowed = ", ".join(key for key in IN_CLASSES if key in item.allow) or "none of these"
    them = "it" if len(refused) == 1 else "them"
    message = (
        f"the class {item.name} does not allow the annotation {', nor '.join(parts)}: remove "
        f"{them}; its workloads may set {allowed}"
    )
    return Rejected(Reason.NOT_ALLOWED_BY_CLASS, message[:_LONGEST_MESSAGE])


def _difference(annotation: Annotation[object], own: str, of_class: str | None) -> str:
    mine = parsers.describe_value(own, hidden=annotation.hidden, longest=_SHOWN) if own else "empty"
    if annotation.hidden:
        return f"{annotation.name}, which is {mine}"
    theirs = parsers.describe_value(of_class, longest=_SHOWN) if of_class else "nothing of it"
    return f"{annotation.name}, which is {mine} (the class says {theirs})"
