"""Which backup is meant: `latest`, an id or the beginning of one, `at:` and a time. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

from dumpers.contract.restore.request import AT, LATEST
from dumpers.repository.catalogue import Entry, State, rfc3339
from dumpers.runtime.errors import ConfigurationError

_SHOWN = 5
# Clocks of nodes that are cared for differ by less.
_CLOCKS_APART = timedelta(minutes=15)
# Of a run in these states a backup may come to be there, or may be there.
_OPEN = {State.RUNNING, State.UNKNOWN}


class NoSuchBackupError(ConfigurationError):
    """The backup that is meant is not in this storage: as none, or as one that is no good."""


def choose(entries: Sequence[Entry], wanted: str, *, now: datetime) -> Entry:
    """The backup that is meant, which can be restored.

    `entries` are newest first. `latest` is the newest that can be restored, and is dated in the
    future only if there is no other; `at:<RFC 3339>` the newest of those that began at this time or
    before it, never a later one. ConfigurationError names near misses and what there is; it is a
    NoSuchBackupError where none fits.
    """
    if wanted == LATEST:
        known = [entry for entry in entries if is_latest(entry, now)]
        return _newest(known or entries, entries, "there is no backup that can be restored")
    if wanted.startswith(AT):
        moment = parse_moment(wanted)
        before = [entry for entry in entries if entry.started <= moment]
        return _newest(
            before,
            entries,
            f"no backup that can be restored began at {rfc3339(moment)} or before it",
        )
    return check_restorable(choose_by_id(entries, wanted))


def is_latest(entry: Entry, now: datetime) -> bool:
    """Whether a backup may be the latest: not if a clock that was ahead has dated it."""
    return entry.is_restorable and entry.started <= now + _CLOCKS_APART


def parse_moment(wanted: str) -> datetime:
    """The time behind `at:`, in UTC; ConfigurationError where it is none, or has no zone."""
    text = wanted.removeprefix(AT)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigurationError(
            f"{text[:40]!r} is no time with a zone: write it as 2026-01-31T04:05:06Z"
        )
    return moment.astimezone(UTC)


def choose_by_id(entries: Sequence[Entry], wanted: str) -> Entry:
    """The run with this id, or whose id or folder begins so, in whatever state it is.

    NoSuchBackupError where none fits, ConfigurationError where several do.
    """
    found = [entry for entry in entries if entry.id == wanted]
    if not found and wanted:
        found = [entry for entry in entries if _fits(entry, wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError(
            f"{wanted!r} fits {len(found)} backups: {_list(found)}: write more of the id"
        )
    near = get_close_matches(wanted, [entry.id for entry in entries], n=3, cutoff=0.6)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    raise NoSuchBackupError(f"there is no backup {wanted[:80]!r}{meant}{_there_is(entries)}")


def check_restorable(entry: Entry) -> Entry:
    """Return the entry; ConfigurationError where it is no backup that can be restored."""
    if entry.is_restorable:
        return entry
    error = ConfigurationError if entry.state in _OPEN else NoSuchBackupError
    raise error(
        f"{entry.id} of {rfc3339(entry.started)} cannot be restored, it is {entry.state}"
        f"{f' ({entry.why})' if entry.why else ''}: choose another one"
    )


def _newest(candidates: Sequence[Entry], entries: Sequence[Entry], otherwise: str) -> Entry:
    found = next((entry for entry in candidates if entry.is_restorable), None)
    if found is None:
        raise NoSuchBackupError(f"{otherwise}{_there_is(entries)}")
    return found


def _fits(entry: Entry, wanted: str) -> bool:
    folder = entry.record.rstrip("/").rpartition("/")[2]
    return entry.id.startswith(wanted) or folder.startswith(wanted)


def _there_is(entries: Sequence[Entry]) -> str:
    if not entries:
        return ": there are no records of backups at all"
    return f": there are {len(entries)}, the newest of them {_list(entries)}"


def _list(entries: Sequence[Entry]) -> str:
    return ", ".join(map(_show, entries[:_SHOWN]))


def _show(entry: Entry) -> str:
    # A search for an id reads no records but those of what it finds.
    state = "" if entry.state is State.UNKNOWN else f", {entry.state}"
    return f"{entry.id} ({rfc3339(entry.started)}{state})"
