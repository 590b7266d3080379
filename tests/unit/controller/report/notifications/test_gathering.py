import json
from datetime import UTC, datetime

import pytest

from controller.model.fixes import DAMAGED_FIX, DOUBT_FIX, RUN_FIXES
from controller.report.notifications.gathering import QUIET_SECONDS, Gathering
from controller.report.notifications.messages import Message, webhook_body
from controller.report.notifications.news import News, news_of
from controller.report.transitions import Transition
from controller.runs.causes.failure_causes import FailureCause
from controller.settings.choices import Occasion
from tests.fakes.worlds import settings
from tests.unit.controller.report.notifications.made import (
    SLACK,
    drill,
    failed,
    message,
    overdue,
    proof_failed,
    run,
    verification,
)


def failures(count: int, reason: str = "StorageFailed", first: int = 0) -> list[News]:
    runs = (run(reason, workload=f"demo/db-{number:03}") for number in range(first, first + count))
    return [news for item in runs if (news := news_of(item, SLACK))]


def shown(messages: tuple[Message, ...]) -> list[tuple[str, str, int]]:
    return [(str(item.occasion), str(item.cause), item.count) for item in messages]


def test_a_store_that_is_down_for_five_hundred_is_one_message() -> None:
    (found,) = Gathering().gather(failures(500), 0)
    assert found.title == "ksnapshot: 500 backups failed (store)"
    assert [item.workload for item in found.affected] == [f"demo/db-{n:03}" for n in range(10)]
    lines = found.text.splitlines()
    assert lines[0] == "demo/db-000 (2026-01-01T00:00:00Z): StorageFailed: why"
    assert lines[10:] == ["and 490 more", "To do, StorageFailed: see the store: it is tried again"]


def test_each_occasion_and_cause_is_a_message_of_its_own() -> None:
    transitions: list[Transition] = [
        run("StorageFailed", workload="demo/a"),
        run("SourceFailed", workload="demo/b"),
        run("StorageRefused", workload="demo/c"),
        run(before=failed(), workload="demo/d"),
        overdue("StorageFailed", workload="demo/e"),
    ]
    news = [item for transition in transitions if (item := news_of(transition, SLACK))]
    assert shown(Gathering().gather(news, 0)) == [
        ("failure", "store", 2),
        ("failure", "database", 1),
        ("recovery", "store", 1),
        ("overdue", "store", 1),
    ]


def test_what_follows_in_the_quiet_time_is_one_more_message() -> None:
    gathering = Gathering()
    assert shown(gathering.gather(failures(1), 0)) == [("failure", "store", 1)]
    assert gathering.gather(failures(200, first=1), 60) == ()
    # Another cause waits for nothing.
    assert shown(gathering.gather(failures(3, "OOMKilled"), 120)) == [("failure", "settings", 3)]
    assert gathering.gather(failures(299, first=201), QUIET_SECONDS - 1) == ()
    assert shown(gathering.gather([], QUIET_SECONDS)) == [("failure", "store", 499)]
    assert gathering.gather(failures(1), QUIET_SECONDS + 1) == ()
    assert shown(gathering.rest()) == [("failure", "store", 1)]
    assert gathering.rest() == ()
    assert shown(gathering.gather(failures(2), 3 * QUIET_SECONDS)) == [("failure", "store", 2)]


def test_a_workload_that_is_in_it_twice_counts_once() -> None:
    (found,) = Gathering().gather([*failures(1), *failures(1, "StorageRefused")], 0)
    assert (found.count, found.affected[0].reason) == (1, "StorageRefused")


@pytest.mark.parametrize(
    ("occasion", "cause", "count", "title"),
    [
        (Occasion.FAILURE, FailureCause.STORE, 1, "1 backup failed (store)"),
        (Occasion.RECOVERY, FailureCause.DATABASE, 2, "2 backups are good again (database)"),
        (Occasion.RECOVERY, FailureCause.NONE, 1, "1 backup is good again"),
        (Occasion.OVERDUE, FailureCause.NONE, 3, "3 backups are overdue"),
    ],
)
def test_titles(occasion: Occasion, cause: FailureCause, count: int, title: str) -> None:
    assert message(count, occasion, cause).title == f"ksnapshot: {title}"


@pytest.mark.parametrize(
    ("transition", "title", "fix"),
    [
        (
            verification("StorageFailed"),
            "1 verification failed (store)",
            "see the store: it is tried again",
        ),
        (verification("BackupDamaged"), "1 workload has damaged backups", DAMAGED_FIX),
        (
            verification(before=proof_failed("StorageFailed")),
            "1 verification is good again (store)",
            "",
        ),
        (
            drill("DrillServerFailed"),
            "1 drill failed (cluster)",
            RUN_FIXES["DrillServerFailed"],
        ),
        (
            drill("DrillDiffers"),
            "1 workload has a backup that did not pass a drill",
            DOUBT_FIX,
        ),
        (drill(before=proof_failed("DrillDiffers")), "1 drill is good again (backup)", ""),
    ],
)
def test_messages_about_proofs(transition: Transition, title: str, fix: str) -> None:
    news = news_of(transition, SLACK)
    assert news
    (found,) = Gathering().gather([news], 0)
    assert found.title == f"ksnapshot: {title}"
    assert found.text.partition("To do, ")[2].partition(": ")[2] == fix


def test_a_drill_and_a_backup_that_fail_for_one_cause_are_two_messages() -> None:
    news = [*failures(2), *(item for item in [news_of(drill("StorageFailed"), SLACK)] if item)]
    found = Gathering().gather(news, 0)
    assert [(str(item.about), item.count) for item in found] == [("backup", 2), ("drill", 1)]


def test_the_document_of_a_webhook() -> None:
    how = settings(CLUSTER_NAME="prod", INSTANCE_NAME="mine")
    now = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
    assert json.loads(webhook_body(message(11), how, now)) == {
        "version": 1,
        "occasion": "failure",
        "about": "backup",
        "cause": "store",
        "time": "2026-01-01T00:05:00Z",
        "cluster": "prod",
        "namespace": "ksnapshot",
        "instance": "mine",
        "title": "ksnapshot: 11 backups failed (store)",
        "text": message(11).text,
        "count": 11,
        "workloads": [
            {
                "workload": f"demo/db-{number}",
                "cronjob": "c",
                "reason": "StorageFailed",
                "message": "why",
                "at": "2026-01-01T00:00:00Z",
            }
            for number in range(10)
        ],
    }
