from dataclasses import replace

import pytest

from controller.model.status import Reason, State, WorkloadStatus
from controller.plan.changes import Action
from controller.report.notifications.news import news_of
from controller.report.transitions import ObjectWritten, Transition, WorkloadForgotten
from tests.unit.controller.report.notifications.made import (
    GOOD,
    MOMENT,
    SLACK,
    failed,
    overdue,
    run,
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
