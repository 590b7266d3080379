"""A proof on a terminal: a row for each workload, and what was not proved."""

from collections.abc import Sequence
from datetime import datetime

from controller.client.proof.page_words import UNKNOWN_WITHOUT, named
from controller.client.proof.summary import DAMAGED, GRADES, LOST, NONE, History, Summary
from controller.client.terminal.output import (
    Column,
    age,
    clock,
    duration,
    moment_of,
    note,
    write_table,
)
from controller.report.page.words import counted
from dumpers.contract.proof.envelope import SignedStatement

_COLUMNS = (
    Column(title="WORKLOAD", shrink=True),
    Column(title="CLUSTER", shrink=True),
    Column(title="BACKUPS", right=True),
    Column(title="DRILLED", right=True),
    Column(title="READ", right=True),
    Column(title="STORED", right=True),
    Column(title="UNPROVED", right=True),
    Column(title="DRILL FAILED", right=True),
    Column(title="DAMAGED", right=True),
    Column(title="FAILED", right=True),
    Column(title="NEWEST"),
    Column(title="LAST PROOF"),
    Column(title="LONGEST GAP", right=True),
    Column(title="LONGEST RESTORE", right=True),
)


def write_summary(summary: Summary, now: datetime) -> None:
    """Write a row for each workload: each backup counts by its strongest proof."""
    write_table(_COLUMNS, [_row(item, now) for item in summary.histories])


def note_without(without: Sequence[str] | None) -> None:
    """Say of which workloads there is no record; None where nobody knows."""
    if without is None:
        note(UNKNOWN_WITHOUT)
    elif without:
        note(f"no record of {counted(len(without), 'workload', 'workloads')}: {named(without)}")


def note_summary(signed: SignedStatement, summary: Summary) -> None:
    """Say what no row has."""
    told = summary.told
    note(f"from {clock(moment_of(told.get('since')))} to {clock(moment_of(told.get('until')))}")
    if oldest := summary.oldest_unread:
        history, backup = oldest
        note(
            "the oldest good backup neither read nor drilled in the period:"
            f" {backup.document.get('id')} of {history.name}, {clock(backup.started)}"
        )
    if not signed.signatures:
        note("not signed: to have proofs signed, the operator gives a key (proof.signingKeySecret)")
    for item in signed.signatures:
        note(
            f"it carries a signature, said to be by the key {item.key_id}, and not checked here:"
            " docs/proof.md says how, with what `-o json` writes"
        )


def _row(history: History, now: datetime) -> list[str]:
    good = history.good
    proofs = [item for backup in history.backups for item in backup.proofs() if item.get("good")]
    last = max(proofs, key=lambda item: str(item.get("when")), default=None)
    newest = good[-1].started if good else None
    return [
        history.name,
        history.cluster,
        str(len(good)),
        *(str(history.graded(grade) or "") for grade in (*GRADES, NONE)),
        str(history.drill_failed or ""),
        str(history.count(DAMAGED) or ""),
        str(history.count(*LOST) or ""),
        age(newest, now) or "none",
        f"{last.get('kind')} {age(moment_of(last.get('when')), now)}" if last else "none",
        duration(history.longest_gap),
        duration(history.restore_seconds),
    ]
