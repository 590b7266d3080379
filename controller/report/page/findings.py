"""What the last pass found of all workloads, kept for a page that somebody may ask for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from controller.model.objects import Json
from controller.report.status_board import board_rows
from controller.report.status_subjects import RowKey, Rows, Subjects, Unseen
from controller.report.written_status import StatusMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """References to what a pass holds in any case: nothing is made of it before it is asked for.

    `known` are the rows of boards, and those of the status of workloads that the pass could not
    see; `status` are all of the status. `running` holds by CronJob uid since when a run goes on, in
    RFC 3339. `prune` is how the last prune ended, None where none is known.
    """

    now: datetime
    subjects: Subjects = field(repr=False)
    known: Rows = field(repr=False)
    status: Rows = field(repr=False)
    running: Mapping[str, str] = field(default_factory=dict, repr=False)
    prune: Json | None = field(default=None, repr=False)

    def rows(self) -> Rows:
        """Make the rows of all workloads, as boards show them.

        That of a workload that the pass could not see, and no board shows, lacks its runs.
        """
        return board_rows(self.subjects, self.known, self.now, self.status)


def findings_of(
    memory: StatusMemory, subjects: Subjects, unseen: Unseen, now: datetime
) -> Findings:
    """Keep what a pass found at `now`; `memory` is that of the boards that were just written."""
    status = memory.status.rows or {}
    known: dict[RowKey, Json] = {}
    for board in memory.boards.values():
        known.update(board.rows or {})
    every = unseen.with_rows(subjects, {**status, **known})
    for key, subject in every.items():
        if subject is None and key not in known:
            known[key] = status[key]
    return Findings(now=now, subjects=every, known=known, status=status, prune=memory.status.prune)
