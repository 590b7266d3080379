"""Finds the workload that a person means: `production/database`, and the like."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from controller.client.terminal.errors import CommandError, Exit
from controller.manifests.ownership import DUMP, component_of, is_ours, owner_of
from controller.model import names
from controller.model.objects import Json, name_of
from controller.settings.settings import Settings

_NEAR = 3
# How kubectl abbreviates the kinds of owners.
_KINDS = {
    "sts": "statefulset",
    "deploy": "deployment",
    "statefulsets": "statefulset",
    "deployments": "deployment",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A workload that the controller knows: by a CronJob, by its status, or by both.

    `cronjob` is None where none was made; `reported` is the workload's entry in the controller's
    status, None where there is none, as of those that are well. `kind` is empty where 0.6.0 made
    the CronJob.
    """

    namespace: str
    name: str
    kind: str
    type: str
    cronjob: Json | None = field(default=None, repr=False)
    reported: Json | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return names.owner_key(self.namespace, self.name)

    @property
    def cronjob_name(self) -> str:
        """Name of its CronJob, empty without one."""
        return name_of(self.cronjob) if self.cronjob else ""


def list_workloads(
    cronjobs: Iterable[Json], reported: Iterable[Json], settings: Settings
) -> list[Workload]:
    """List the workloads of this install, sorted by name.

    `reported` are the entries of the controller's status.
    """
    by_cronjob: dict[str, Json] = {}
    others: list[Json] = []
    for entry in reported:
        if entry.get("cronjob"):
            by_cronjob[str(entry["cronjob"])] = entry
        else:
            others.append(entry)
    found = []
    for cronjob in cronjobs:
        namespace, owner = owner_of(cronjob)
        if owner.name and is_ours(cronjob, settings) and component_of(cronjob) == DUMP:
            name = name_of(cronjob)
            found.append(
                Workload(
                    namespace=namespace,
                    name=owner.name,
                    kind=owner.kind,
                    type=names.type_in(name),
                    cronjob=cronjob,
                    reported=by_cronjob.pop(name, None),
                )
            )
    found += [_reported_only(entry) for entry in (*others, *by_cronjob.values())]
    return sorted(found, key=lambda workload: (workload.key, workload.type, workload.cronjob_name))


def find_workload(text: str, namespace: str, workloads: Sequence[Workload]) -> Workload:
    """Find the workload that `text` means; `namespace` is that of `-n`, empty without it.

    Takes `namespace/name`, `kind/name`, `namespace/kind/name`, `name` and a CronJob's name. Raises
    CommandError where none is meant (with near misses), or several are (with all of them).
    """
    found = [item for item in workloads if _fits(item, text, namespace)]
    if len(found) == 1:
        return found[0]
    if not found:
        where = f" in namespace {namespace}" if namespace else ""
        raise CommandError(
            f"there is no workload {text!r}{where}{_suggestion(text, namespace, workloads)}",
            Exit.NOT_FOUND,
        )
    listed = ", ".join(map(_full_name, found))
    raise CommandError(
        f"{text!r} means several workloads: {listed}; name one of them in full",
        Exit.USAGE,
    )


def _reported_only(entry: Json) -> Workload:
    namespace, _, name = str(entry.get("workload", "")).partition("/")
    return Workload(
        namespace=namespace,
        name=name,
        kind=str(entry.get("kind") or ""),
        type=str(entry.get("type") or ""),
        reported=entry,
    )


def _fits(workload: Workload, text: str, namespace: str) -> bool:
    if namespace and workload.namespace != namespace:
        return False
    if text in {workload.name, workload.key, workload.cronjob_name}:
        return True
    if text == f"cronjob/{workload.cronjob_name}":
        return True
    head, _, name = text.rpartition("/")
    space, _, kind = head.rpartition("/")
    return name == workload.name and space in {"", workload.namespace} and _is_kind(kind, workload)


def _is_kind(word: str, workload: Workload) -> bool:
    """Whether a word is the kind of a workload; what 0.6.0 made records none, so any kind fits."""
    lowered = word.lower()
    kind = _KINDS.get(lowered, lowered)
    known = workload.kind.partition(".")[0].lower()
    return kind == known or (not known and kind in _KINDS.values())


def _suggestion(text: str, namespace: str, workloads: Sequence[Workload]) -> str:
    """`; did you mean …?` with what is nearest, by the name alone, too."""
    there = [item for item in workloads if not namespace or item.namespace == namespace]
    by_text: dict[str, str] = {}
    for item in there:
        for form in (item.key, item.name, item.cronjob_name):
            by_text.setdefault(form, item.key)
    near = [
        by_text[form]
        for wanted in (text, text.rpartition("/")[2])
        for form in difflib.get_close_matches(wanted, by_text, n=_NEAR)
    ]
    # The same name elsewhere is the most common slip.
    same = [item.key for item in workloads if item.name == text.rpartition("/")[2]]
    meant = list(dict.fromkeys([*same, *near]))[:_NEAR]
    if meant:
        return f"; did you mean {' or '.join(meant)}?"
    return "; see `ksnapshot status`" if there else ": nothing is backed up there"


def _full_name(workload: Workload) -> str:
    """The workload by a name that means no other one."""
    kind = f"{workload.kind.lower()} " if workload.kind else ""
    cronjob = f" (CronJob {workload.cronjob_name})" if workload.cronjob_name else ""
    return f"{kind}{workload.key}{cronjob}"
