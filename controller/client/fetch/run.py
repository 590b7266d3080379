"""The order of a fetch: ask a Job, download, prove, write."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.client.fetch.asking import Asking
from controller.client.fetch.destinations import Sink, Stdout, is_there, proven_file
from controller.client.fetch.http import why_unreachable
from controller.client.fetch.names import (
    choose_for_stdout,
    choose_objects,
    file_name,
    label_of,
)
from controller.client.fetch.progress import FetchProgress, remarks_on
from controller.client.fetch.reading import check_wanted, reading
from controller.client.fetch.sources import Forwarded, Presigned, Source
from controller.client.fetch.wanted import FetchWanted
from controller.client.keys.age_tool import AgeTool
from controller.client.restore.options import OptionError
from controller.client.terminal.errors import failed
from controller.client.terminal.output import clock_of, duration, note, size
from controller.client.terminal.screen import Screen
from dumpers.contract.fetch.offer import Offer
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.interrupt import Interrupt


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetch:
    wanted: FetchWanted
    age: AgeTool
    source: Source
    interrupt: Interrupt
    progress: FetchProgress

    @property
    def offer(self) -> Offer:
        return self.source.offer


def open_source(asking: Asking, wanted: FetchWanted) -> Source:
    """Where the backup's objects can be had from here.

    The store's own address, unless nobody answers there; else through the cluster.
    """
    if wanted.through_cluster:
        return Forwarded(asking, wanted.backup)
    source = Presigned(asking, wanted.backup)
    if wanted.only_list or not source.offer.objects:
        return source
    first = source.offer.objects[0]
    why = why_unreachable(source.target(0), first.key, size=first.size)
    if not why:
        return source
    note(f"the store cannot be reached from here ({why}): going through the cluster")
    return Forwarded(asking, source.offer.backup)


def fetch_backup(source: Source, wanted: FetchWanted, age: AgeTool) -> None:
    """Fetch what is wanted of the offered backup, and say what was fetched.

    CommandError with the exit code of the failure; what was written by then is named, or gone.
    """
    offer = source.offer
    _announce(offer)
    places = choose_objects(offer, wanted.objects)
    files = _files(offer, places, wanted)
    if wanted.path is None:
        chosen = choose_for_stdout(offer, places, is_named=bool(wanted.objects))
        beside = [label_of(offer.objects[place]) for place in places if place != chosen]
        if beside:
            note(f"not fetched: {', '.join(beside)}; name it by --object")
        places = [chosen]
    try:
        check_wanted(offer, wanted)
    except KsnapshotError as error:
        raise failed(error, "nothing was fetched") from error
    screen = Screen()
    total = sum(offer.objects[place].size for place in places)
    fetch = _Fetch(
        wanted=wanted,
        age=age,
        source=source,
        interrupt=Interrupt(work="fetch"),
        progress=FetchProgress(screen, total),
    )
    try:
        with remarks_on(screen):
            if wanted.path is None:
                _to_stdout(fetch, places[0])
            else:
                _to_files(fetch, files)
    except KeyboardInterrupt:
        screen.line("stopped: no file that is not whole was left")
        raise
    finally:
        fetch.interrupt.cancel("the end of the fetch")
        screen.clear()
    _conclude(fetch, places)


def _to_stdout(fetch: _Fetch, place: int) -> None:
    target = Stdout()
    try:
        _copy(fetch, place, target)
        target.end()
    except KsnapshotError as error:
        raise failed(error, _of_no_use(target.written) if target.written else "") from error
    except BaseException:
        # Ctrl-C, a client that is gone, a cluster that does not renew.
        if target.written:
            note(_of_no_use(target.written))
        raise


def _of_no_use(written: int) -> str:
    return f"{size(written)} went to stdout and must not be used"


def _to_files(fetch: _Fetch, files: Sequence[tuple[int, Path]]) -> None:
    for number, (place, path) in enumerate(files):
        item = fetch.offer.objects[place]
        known = (
            (item.size, item.sha256)
            if fetch.wanted.stored
            else (item.source_size, item.source_sha256)
        )
        if is_there(path, size=known[0], sha256=known[1]):
            note(f"{path} is there already, and is as it must be")
            fetch.progress.count(item.size)
            continue
        try:
            with proven_file(path) as target:
                _copy(fetch, place, target)
        except KsnapshotError as error:
            written = f", {number} others are whole" if number else ""
            raise failed(error, f"nothing is left of {path}{written}") from error


def _copy(fetch: _Fetch, place: int, target: Sink) -> None:
    """Write an object to its proven end."""
    fetch.progress.begin(label_of(fetch.offer.objects[place]))
    with reading(
        fetch.source,
        place,
        fetch.wanted,
        fetch.age,
        interrupt=fetch.interrupt,
        count=fetch.progress.count,
    ) as reader:
        while block := reader.read():
            target.write(block)


def _files(offer: Offer, places: Sequence[int], wanted: FetchWanted) -> list[tuple[int, Path]]:
    """The objects with the files that they go to; none for stdout. OptionError if names meet."""
    if wanted.path is None:
        return []
    if len(places) == 1 and not wanted.is_folder:
        return [(places[0], wanted.path)]
    if wanted.path.exists() and not wanted.path.is_dir():
        raise OptionError(f"-o {wanted.path}: several objects need a folder, and this is none")
    files = [
        (place, wanted.path / file_name(offer.objects[place], offer, stored=wanted.stored))
        for place in places
    ]
    if len({path for _, path in files}) < len(files):
        raise OptionError("two objects of the backup have one name: choose one of them by --object")
    return files


def _announce(offer: Offer) -> None:
    note(f"backup {offer.backup} of {clock_of(offer.began)}")
    if offer.notes:
        note(f"notes on this backup: {', '.join(offer.notes)} (docs/operations.md)")
    if offer.is_legacy:
        note(
            "ksnapshot 0.6.0 left no checksums: only the size, the end of the encryption, the"
            " trailer of the compression and the dump tool's last words can be checked"
        )


def _conclude(fetch: _Fetch, places: Sequence[int]) -> None:
    offer = fetch.offer
    what = f"{len(places)} objects" if len(places) > 1 else label_of(offer.objects[places[0]])
    proof = "whole as far as can be checked" if offer.is_legacy else "size and sha256 as recorded"
    note(
        f"fetched {what}: {size(fetch.progress.done)} of the store in"
        f" {duration(fetch.progress.seconds)}, {proof}"
    )
