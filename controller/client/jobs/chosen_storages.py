"""Which of a workload's storages a verb goes to."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import click

from controller.client.cluster.workload_names import Workload
from controller.client.terminal.errors import CommandError, Exit
from controller.client.terminal.output import note
from controller.manifests.storages.of_cronjob import (
    is_only_read,
    of_storage,
    storages_of,
    why_not_used,
)
from controller.model.objects import Json
from controller.settings.settings import Settings
from controller.workloads.storages.dump_container import dump_container, storages_in
from dumpers.contract.storages.named_storage import MAIN

_storage = partial(click.option, "--storage", default="", metavar="NAME")
changed_option = _storage(help="In this storage only, not in all of WORKLOAD's.")
read_option = _storage(help="Read this storage, and not the first one of WORKLOAD's.")
any_option = _storage(help="Read this storage, and not main, or the first one of WORKLOAD's.")


def in_chosen(cronjob: Json, name: str, settings: Settings) -> Json:
    """A dump CronJob as if it wrote to the storage `name` alone; as it is where that is empty.

    Raises CommandError where that storage is not for its workload.
    """
    if not name:
        return cronjob
    if why := why_not_used(cronjob, name, settings):
        raise CommandError(why, Exit.REFUSED)
    return of_storage(cronjob, name, settings)


def to_change(cronjob: Json, name: str, settings: Settings) -> tuple[str, ...]:
    """The storages of a dump CronJob in which something is changed, or `name` alone.

    Those that are only read are named on stderr; CommandError where no other is left, or where
    `name` is not for its workload.
    """
    if name and (why := why_not_used(cronjob, name, settings)):
        raise CommandError(why, Exit.REFUSED)
    return writable((name,) if name else storages_of(cronjob), settings)


def writable(storages: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """Those of these storages that are not only read, which are named on stderr.

    CommandError where none is left.
    """
    only_read = [name for name in storages if is_only_read(name, settings)]
    if len(only_read) == len(storages):
        raise CommandError(f"{', '.join(only_read)}: only read, nothing is changed", Exit.REFUSED)
    for name in only_read:
        note(f"{name} is only read: what it holds is not touched")
    return tuple(name for name in storages if name not in only_read)


def in_defined(base: Json, name: str, settings: Settings) -> Json:
    """A dump CronJob that stands for no workload as if it wrote to the storage `name` alone.

    Where that is empty it stays as it is, with `main`. Raises CommandError where the settings do
    not define the storage, or none is named and there is no `main`: which one is meant is not
    guessed, as what lies in another one would seem not to be there.
    """
    if not name and settings.has_main:
        return base
    names = defined_names(settings)
    if not name:
        raise CommandError(
            f"there is no storage {MAIN}: name one by --storage: {', '.join(names)}", Exit.USAGE
        )
    if name not in names:
        raise CommandError(f"the storage {name} is not there", Exit.REFUSED)
    return of_storage(base, name, settings)


def to_prune(base: Json, name: str, settings: Settings) -> Json:
    """As `in_defined`, where backups are deleted; CommandError where the storage is only read."""
    if name:
        writable((name,), settings)
    return in_defined(base, name, settings)


def elsewhere(workloads: Iterable[Workload], name: str) -> dict[str, str]:
    """Where the backups of those workloads go that do not write to the storage `name`, by key.

    One whose CronJob does not say it, or that has none, is not among them.
    """
    containers = ((item.key, dump_container(item.cronjob or {})) for item in workloads)
    written = {key: storages_in(found) for key, found in containers if found}
    return {key: ", ".join(names) for key, names in written.items() if name not in names}


def every_storage(cronjob: Json, settings: Settings) -> tuple[str, ...]:
    """The storages of a dump CronJob, then those that may hold copies of its backups."""
    own = storages_of(cronjob)
    others = (name for name in defined_names(settings) if name not in own)
    return (*own, *(name for name in others if not why_not_used(cronjob, name, settings)))


def defined_names(settings: Settings) -> tuple[str, ...]:
    """The names of all storages, at least one: `main` first, where there is one."""
    further = sorted({*settings.storages} - {MAIN})
    return (MAIN, *further) if settings.has_main or not further else tuple(further)


@contextmanager
def naming_the_rest(storages: Sequence[str]) -> Iterator[list[str]]:
    """Name the storages in which nothing was begun, where something ends the work before that.

    Yields the list to which the caller adds each one when it begins there.
    """
    begun: list[str] = []
    try:
        yield begun
    except BaseException:
        # A key that was pressed, too.
        if begun and (rest := [name for name in storages if name not in begun]):
            note(f"nothing was begun in {', '.join(rest)}: say it once more for them")
        raise
