"""What a verification on a schedule found, and how it ended by that."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from dumpers.repository.catalogue import Entry, State, rfc3339
from dumpers.repository.keys import Proof
from dumpers.repository.sampling import age, is_found_damaged
from dumpers.runs.verify.verifier import NOT_GRANTED, Verdict
from dumpers.runtime.errors import BackupDamagedError, Failure

_NOTHING = "there was no backup that can be restored: nothing was read"
# Of backups, in a message.
_SHOWN = 5
_HOW_LONG = "that is said until each is deleted, or verified again by its id and found good"


@dataclass(slots=True)
class Outcome:
    """What was read so far, and what went wrong besides.

    `removed` are the records of backups that went while they were read. `unread` are backups that
    the store does not give, and why. `stopped` ended the run before all was read, `wrong_key` is
    that the keys do not open the newest backup.
    """

    verdicts: list[Verdict] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    unread: list[tuple[Entry, Failure]] = field(default_factory=list)
    stopped: list[Failure] = field(default_factory=list)
    wrong_key: list[Failure] = field(default_factory=list)

    @property
    def read(self) -> set[str]:
        """The records of the backups that were read."""
        return {verdict.entry.record for verdict in self.verdicts}

    @property
    def passed(self) -> set[str]:
        """The records of those whose turn it was, and that cannot be read."""
        return self.removed | {entry.record for entry, _ in self.unread}

    def judged(self, entries: Iterable[Entry]) -> list[Entry]:
        """The entries as they are behind the run, whether its verdicts could be recorded or not."""
        found = {verdict.entry.record: verdict for verdict in self.verdicts}
        return [
            _behind(entry, found[entry.record]) if entry.record in found else entry
            for entry in entries
            if entry.record not in self.removed
        ]

    def failure(self, entries: Sequence[Entry]) -> Failure | None:
        """How the run failed, by the entries behind it, the worst first: no stop hides damage."""
        failures = [*self._damage(entries), *self.stopped, *self._unread(), *self.wrong_key]
        if not failures:
            return None
        return replace(failures[0], message="; ".join(failure.message for failure in failures))

    def remark(self) -> str:
        """What is to be said of a run that went well; empty for nothing."""
        if not self.verdicts:
            return _NOTHING
        unrecorded = sum(not verdict.record for verdict in self.verdicts)
        if not unrecorded:
            return ""
        return (
            f"{unrecorded} verdicts are not recorded beside their backups: {NOT_GRANTED}, so that "
            "the next run reads the same backups again"
        )

    def _unread(self) -> list[Failure]:
        """Which backups could not be read."""
        if not self.unread:
            return []
        shown = [f"{entry.id} ({failure.message})" for entry, failure in self.unread]
        (_, first), *_ = self.unread
        are = "backup" if len(shown) == 1 else "backups"
        return [replace(first, message=f"{len(shown)} {are} could not be read: {_some(shown)}")]

    def _damage(self, entries: Sequence[Entry]) -> list[Failure]:
        """That backups are damaged, whoever found that and when: one result may get lost."""
        is_bare = not any(entry.is_restorable for entry in entries)
        here = [verdict for verdict in self.verdicts if verdict.damaged]
        found = {verdict.entry.record for verdict in here}
        before = [entry for entry in damaged(entries) if entry.record not in found]
        shown = [*map(_show, here), *map(_show_known, sorted(before, key=age, reverse=True))]
        if shown:
            bare = "there is no backup that can be restored: " if is_bare else ""
            are = "backup is" if len(shown) == 1 else "backups are"
            text = f"{bare}{len(shown)} {are} damaged: {_some(shown)}"
            return [_damaged(f"{text}: {_HOW_LONG}")]
        unread = [entry for entry in entries if entry.state is State.DAMAGED]
        if unread and is_bare:
            return [
                _damaged(
                    f"there is no backup that can be restored: {len(unread)} are damaged, the "
                    f"newest of them {_show_known(max(unread, key=age))}"
                )
            ]
        return []


def damaged(entries: Iterable[Entry]) -> list[Entry]:
    """Those that are damaged by a verdict."""
    return list(filter(is_found_damaged, entries))


def _behind(entry: Entry, verdict: Verdict) -> Entry:
    found = verdict.found
    state = entry.state if found.good else State.DAMAGED
    if found.good and entry.state is State.DAMAGED:
        state = State.NOTES if entry.notes else State.COMPLETE
    why = "" if found.good else f"it reads differently since {rfc3339(found.finished)}"
    return replace(entry, proof=Proof(when=found.finished, good=found.good), state=state, why=why)


def _damaged(text: str) -> Failure:
    kind = BackupDamagedError
    return Failure(exit_code=kind.exit_code, reason=kind.reason, message=text)


def _some(shown: Sequence[str]) -> str:
    more = f"; and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return f"{'; '.join(shown[:_SHOWN])}{more}"


def _show(verdict: Verdict) -> str:
    entry, first = verdict.entry, verdict.damaged[0]
    return (
        f"{entry.id} of {rfc3339(entry.started)}, {len(verdict.damaged)} of "
        f"{len(verdict.found.objects)} objects, the first of them {first.key} ({first.why})"
    )


def _show_known(entry: Entry) -> str:
    return f"{entry.id} of {rfc3339(entry.started)} ({entry.why})"
