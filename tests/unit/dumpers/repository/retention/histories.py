"""Backups with what retention judges them by, and strategies for histories of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from dumpers.repository.catalogue import Entry, State
from dumpers.repository.retention.plan import Rules, Verdict, plan
from dumpers.repository.retention.policy import parse_policy
from dumpers.repository.retention.proof import Grade

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
FULL = 1_000_000


def backup(
    number: int, *, days: float = 0.0, size: int = FULL, notes: tuple[str, ...] = ()
) -> Entry:
    """A good backup so many days before NOW."""
    started = NOW - timedelta(days=days)
    return Entry(
        id=f"r{number}",
        record=f"manifests/c/cj/{number}/",
        started=started,
        finished=started + timedelta(minutes=5),
        state=State.NOTES if notes else State.COMPLETE,
        cluster="c",
        cronjob="cj",
        source_bytes=size,
        stored_bytes=size // 8 + 20,
        notes=notes,
    )


def proved(entries: Sequence[Entry]) -> Mapping[str, Grade]:
    """All of them proved by a drill."""
    return {entry.record: Grade.DRILLED for entry in entries}


def rules(
    policy: str,
    *,
    floor: str = "none",
    zone: str = "UTC",
    required: Grade = Grade.STORED,
    accepted: datetime | None = None,
) -> Rules:
    return Rules(
        policy=parse_policy(policy),
        floor=parse_policy(floor),
        zone=ZoneInfo(zone),
        required=required,
        accepted=accepted,
    )


def judge(
    entries: Sequence[Entry],
    wanted: Rules,
    *,
    proofs: Mapping[str, Grade] | None = None,
    now: datetime = NOW,
    shrunk_before: Sequence[str] = (),
) -> dict[str, Verdict]:
    """The verdicts by the ids of the backups; where nothing is said, all are proved."""
    verdicts = plan(
        entries,
        wanted,
        cluster="c",
        proofs=proved(entries) if proofs is None else proofs,
        now=now,
        shrunk_before=shrunk_before,
    )
    return {verdict.entry.id: verdict for verdict in verdicts}


def kept(verdicts: Mapping[str, Verdict]) -> set[str]:
    return {name for name, verdict in verdicts.items() if verdict.keep}


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    """Runs of all states, sizes and notes, of two CronJobs, in any order, some of the future."""
    entries = []
    for number in range(draw(st.integers(0, 25))):
        entry = backup(
            number,
            days=draw(st.integers(-50, 20_000)) / 24,
            size=draw(st.sampled_from([0, 1, 40, 60, 100, 150, 400, FULL])),
            notes=draw(st.sampled_from([(), (), ("drift",), ("drift", "standby")])),
        )
        changes: dict[str, Any] = {
            "state": draw(st.sampled_from([entry.state] * 9 + list(State))),
            "pinned": draw(st.sampled_from([False] * 9 + [True])),
            "cronjob": draw(st.sampled_from(["cj", "cj", "other"])),
            "cluster": draw(st.sampled_from(["c"] * 9 + ["elsewhere"])),
        }
        entries.append(replace(entry, **changes))
    return entries


def proofs_of(entries: Sequence[Entry]) -> st.SearchStrategy[Mapping[str, Grade]]:
    """Any proof for each of these."""
    grades = st.sampled_from([*Grade, Grade.DRILLED, Grade.DRILLED])
    return st.fixed_dictionaries({entry.record: grades for entry in entries})
