from dataclasses import replace

import pytest

from controller.model.status import Reason, State, WorkloadStatus
from controller.plan.changes import Action
from controller.report.notifications.news import news_of
from controller.report.proof_ends import ProofBefore, VerificationFinished
from controller.report.transitions import ObjectWritten, Transition, WorkloadForgotten
from tests.unit.controller.report.notifications.made import (
    GOOD,
    MOMENT,
    SLACK,
    drill,
    failed,
    overdue,
    proof_failed,
    run,
    verification,
)


@pytest.mark.parametrize(
    ("transition", "expected"),
    [
        (run("StorageFailed"), ("failure", "store")),
        (run("StorageFailed", GOOD), ("failure", "store")),
        (run("StorageFailed", failed()), None),
        (run("StorageRefused", failed()), None),
        (run("SourceRefused", failed()), ("failure", "database")),
        (run("Unheard", failed()), ("failure", "other")),
        (run("Unheard", failed("Succeeded")), None),
        (run(), None),
        (run(before=GOOD), None),
        (run(before=failed()), ("recovery", "store")),
        (run(before=failed("OOMKilled")), ("recovery", "settings")),
        (run(before=GOOD, due=MOMENT - SLACK), ("recovery", "none")),
        (run(before=GOOD, due=MOMENT - SLACK + 1), None),
        (run("StorageFailed", failed(), due=0), None),
        (overdue(), ("overdue", "none")),
        (overdue("StorageFailed"), ("overdue", "store")),
    ],
)
def test_what_is_news(transition: Transition, expected: tuple[str, str] | None) -> None:
    news = news_of(transition, SLACK)
    assert (news and (str(news.occasion), str(news.cause))) == expected


_PROVED = ProofBefore(has_failed=False, reason="Succeeded", is_against=False, in_doubt=False)
_DOUBTED = ProofBefore(has_failed=False, reason="NotDrillable", is_against=False, in_doubt=True)


@pytest.mark.parametrize(
    ("transition", "expected"),
    [
        (verification(), None),
        (verification(before=_PROVED), None),
        (verification("StorageFailed"), ("failure", "store")),
        (verification("StorageFailed", _PROVED), ("failure", "store")),
        (verification("StorageRefused", proof_failed("StorageFailed")), None),
        (verification("BackupDamaged", proof_failed("StorageFailed")), ("failure", "backup")),
        (verification("BackupDamaged", proof_failed("BackupDamaged")), None),
        (verification(before=proof_failed("BackupDamaged")), ("recovery", "backup")),
        (verification(before=proof_failed("OOMKilled")), ("recovery", "settings")),
        (drill(), None),
        (drill(before=_PROVED), None),
        (drill("StorageFailed"), ("failure", "store")),
        (drill("DrillServerFailed", _PROVED), ("failure", "cluster")),
        (drill("DrillDiffers", proof_failed("DrillServerFailed")), ("failure", "backup")),
        (drill("BackupDamaged", proof_failed("DrillDiffers")), None),
        # It came to no verdict, and takes nothing back; each of these is told once.
        (
            drill("StorageFailed", proof_failed("DrillDiffers"), in_doubt=True),
            ("failure", "store"),
        ),
        (
            drill("StorageFailed", proof_failed("StorageFailed", in_doubt=True), in_doubt=True),
            None,
        ),
        # Who asked for it has seen how it ended.
        (drill("StorageFailed", is_told=False), None),
        # One that is not possible is neither a failure nor the end of one.
        (drill("NotDrillable"), None),
        (drill("NotDrillable", proof_failed("StorageFailed")), None),
        (drill(before=proof_failed("StorageFailed")), ("recovery", "store")),
        (drill(before=proof_failed("StorageFailed", in_doubt=True)), ("recovery", "backup")),
        (drill(before=_DOUBTED), ("recovery", "backup")),
        # An older backup passed.
        (drill(before=proof_failed("DrillDiffers"), in_doubt=True), None),
    ],
)
def test_what_is_news_of_proofs(transition: Transition, expected: tuple[str, str] | None) -> None:
    news = news_of(transition, SLACK)
    assert (news and (str(news.occasion), str(news.cause))) == expected
    about = "verification" if isinstance(transition, VerificationFinished) else "drill"
    assert news is None or news.about == about


def test_a_long_message_is_cut() -> None:
    news = news_of(replace(run("Unheard"), message="x" * 1000), SLACK)
    assert news
    assert len(news.affected.message) == 301


def test_other_changes_are_no_news() -> None:
    written: Transition = ObjectWritten(
        workload="demo/db", action=Action.CREATE, kind="CronJob", name="c"
    )
    status = WorkloadStatus(state=State.GONE, reason=Reason.DISABLED)
    gone = WorkloadForgotten(workload="demo/db", cronjob="c", before=status)
    assert (news_of(written, SLACK), news_of(gone, SLACK)) == (None, None)
