"""The lists of several storages as one: where each run is, and where it should be. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dumpers.contract.storages.named_storage import MAIN

Document = Mapping[str, Any]
# The states of a run that goes on there, whose backup was pruned there, or which only a newer
# version can read. The enum of them would bring compiled packages to the command.
_RUNNING = "running"
NOT_MISSING = frozenset({_RUNNING, "pruned", "unknown"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What one storage lists: documents of docs/catalogue.md, in the order of its Job."""

    storage: str
    documents: Sequence[Document] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Runs, newest first for each CronJob, and what continues the list of each.

    A run is that of the first storage in which it can be restored, with the members `found_in`,
    `missing_in`, `copying_in` and `away`.
    """

    runs: list[dict[str, Any]]
    pages: list[dict[str, Any]]


def merge(lists: Sequence[Listed], *, away: Sequence[str], limit: int) -> Merged:
    """Merge the lists of storages that answered; `away` names those that did not.

    `limit` is how many runs of each CronJob are wanted. What is older than the end of any
    storage's page is left to the next page: that storage has not said yet which runs it has.
    """
    runs, pages = list[dict[str, Any]](), list[dict[str, Any]]()
    asked = [item.storage for item in lists]
    for place, listed in _by_place(lists).items():
        folders = sorted((name for name in listed.runs if name >= listed.end), reverse=True)
        kept = folders[:limit]
        runs += [merge_run(listed.runs[folder], asked=asked, away=away) for folder in kept]
        following = kept[-1] if len(folders) > limit else listed.end
        pages.append({"records": "/".join(place), "runs": len(kept), "next": following})
    return Merged(runs=runs, pages=pages)


def merge_run(
    entries: Mapping[str, Document], *, asked: Sequence[str], away: Sequence[str]
) -> dict[str, Any]:
    """One run by what storages say of it, at least one, in their order.

    `found_in` names the storages in which it can be restored. `missing_in` are those to which it
    was to write and that hold no good backup of it, where another one does; `copying_in` those to
    which it is being copied, `away` those to which it was to write and that did not answer.
    """
    found_in = [name for name, entry in entries.items() if entry.get("restorable")]
    nearest = entries[found_in[0]] if found_in else next(iter(entries.values()))
    wanted = {name for entry in entries.values() for name in entry.get("storages") or (MAIN,)}
    running = {name for name, entry in entries.items() if entry.get("state") == _RUNNING}
    copying = {name for name in running if entries[name].get("copying")}
    # Where a store was gone before it could be told, the run looks there as if it went on.
    given_up = {name for item in found_in for name in entries[item].get("missing") or ()}
    given_up &= running - copying
    missing_in = [
        name
        for name in asked
        if name in wanted
        and found_in
        and name not in found_in
        and (name in given_up or entries.get(name, {}).get("state") not in NOT_MISSING)
    ]
    return {
        **nearest,
        "found_in": found_in,
        "missing_in": missing_in,
        "copying_in": [name for name in entries if name in copying],
        "away": [name for name in away if name in wanted],
    }


def storages_cell(run: Document) -> str:
    """Where a merged run is, and where it is missing, for a table."""
    return ", ".join(
        (
            *run["found_in"],
            *(f"{name} missing" for name in run["missing_in"]),
            *(f"{name} copying" for name in run["copying_in"]),
            *(f"{name} away" for name in run["away"]),
        )
    )


@dataclass(slots=True, kw_only=True)
class _OfPlace:
    """The runs of one CronJob by their folders, each by the storages that list it, in their order.

    `end` is the newest cursor at which the page of any storage ended; empty where all have said
    all.
    """

    runs: dict[str, dict[str, Document]] = field(default_factory=lambda: defaultdict(dict))
    end: str = ""


def _by_place(lists: Sequence[Listed]) -> Mapping[tuple[str, str], _OfPlace]:
    """What is listed, by cluster and CronJob as the folders of the records name them."""
    found: dict[tuple[str, str], _OfPlace] = defaultdict(_OfPlace)
    for item in lists:
        for document in item.documents:
            if document["catalogue"] == "end":
                of_place = found[_place(document["records"])]
                of_place.end = max(of_place.end, str(document.get("next") or ""))
            else:
                records, _, folder = document["record"].rstrip("/").rpartition("/")
                found[_place(records)].runs[folder][item.storage] = document
    return found


def _place(folder: str) -> tuple[str, str]:
    """The last two parts: storages have different paths before them."""
    before, _, cronjob = folder.rstrip("/").rpartition("/")
    return before.rpartition("/")[2], cronjob
