"""Messages to a real server on loopback that hangs, fails and recovers; no URL is ever shown."""

import json
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue
from threading import Event

import pytest
from tenacity import wait_fixed, wait_none

from controller.cli.common import load_settings
from controller.kube.client import CallCounts
from controller.report.metrics.metrics import Metrics
from controller.report.notifications.apprise_urls import AppriseUrls
from controller.report.notifications.delivery import (
    Deliver,
    DeliveryCounts,
    DeliveryError,
    Outcome,
    read_key,
)
from controller.report.notifications.messages import Message
from controller.report.notifications.notifier import Notifier, start_notifier
from controller.report.notifications.outbox import Outbox
from controller.report.notifications.webhook import Webhook
from tests.fakes import stub_s3
from tests.fakes.kube_memory import MemoryApi
from tests.fakes.stub_s3 import Answer, StubStore
from tests.fakes.worlds import cluster, one_pass, settings, small
from tests.paths import REPOSITORY
from tests.unit.controller.report.notifications.made import message, run

SECRET = "hook-Kaufmann-4711"
LOGIN = "Bearer token-Kaufmann-0815"
# What is asserted is the outcome, never how fast this machine is.
PATIENCE = 60


@pytest.fixture(autouse=True)
def debug(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Hear everything, of libraries, too; and no part of what is secret, whatever a test does."""
    caplog.set_level(logging.DEBUG)
    for name in ("controller", "apprise"):
        caplog.set_level(logging.DEBUG, name)
    yield
    ours = [item for item in caplog.records if item.name.startswith(("controller", "apprise"))]
    for record in ours:
        text = f"{record.getMessage()} {record.__dict__}"
        assert SECRET not in text
        assert LOGIN not in text


@pytest.fixture
def server() -> Iterator[StubStore]:
    with stub_s3.start() as started:
        yield started


@dataclass
class Counted(DeliveryCounts):
    """Counts that a test can wait for."""

    ended: "Queue[Outcome]" = field(default_factory=Queue)

    def __post_init__(self) -> None:
        super().__init__()

    def count(self, target: str, outcome: Outcome) -> None:
        super().count(target, outcome)
        self.ended.put(outcome)


def answers(server: StubStore, *statuses: int) -> None:
    """Let the server answer by these, then by 200."""
    left = iter(statuses)
    server.answer = lambda _: Answer(status=next(left, 200))


def webhook(folder: Path, url: str, *, timeout: float = PATIENCE) -> Webhook:
    (folder / "webhook-url").write_text(f"{url}\n")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Webhook(folder=folder, settings=settings(), clock=lambda: now, timeout=timeout)


def urls(folder: Path, *lines: str) -> AppriseUrls:
    (folder / "apprise-urls").write_text("\n".join(lines))
    return AppriseUrls(folder=folder)


def outbox(deliver: Deliver, counts: Counted, capacity: int = 100, patience: float = 60) -> Outbox:
    made = Outbox(
        target="t",
        deliver=deliver,
        counts=counts,
        capacity=capacity,
        patience=patience,
        wait=wait_none(),
    )
    made.start()
    return made


def test_a_webhook_that_fails_at_first_gets_the_message_once(
    server: StubStore, tmp_path: Path
) -> None:
    answers(server, 500, 503, 429)
    (tmp_path / "webhook-authorization").write_text(LOGIN)
    counts = Counted()
    box = outbox(webhook(tmp_path, f"{server.url}/{SECRET}"), counts)
    box.put(message(3))
    assert counts.ended.get(timeout=PATIENCE) is Outcome.SENT
    assert [item.path for item in server.asked] == [f"/{SECRET}"] * 4
    last = server.asked[-1]
    assert (last.method, last.headers["authorization"]) == ("POST", LOGIN)
    assert last.headers["content-type"] == "application/json"
    assert json.loads(last.body)["count"] == 3
    box.close(0)


def test_apprise_gets_a_message_to_every_url_once_each(server: StubStore, tmp_path: Path) -> None:
    answers(server, 200, 500, 500)
    counts = Counted()
    place = server.url.removeprefix("http")
    box = outbox(
        urls(tmp_path, f"json{place}/one/{SECRET}", "# none", f"json{place}/two/{SECRET}"), counts
    )
    box.put(message(2))
    assert counts.ended.get(timeout=PATIENCE) is Outcome.SENT
    # The first has it; only the second is tried again.
    paths = [item.path.split("/")[1] for item in server.asked]
    assert paths == ["one", "two", "two", "two"]
    found = json.loads(server.asked[-1].body)
    assert (found["title"], found["type"]) == ("ksnapshot: 2 backups failed (store)", "failure")
    assert found["message"] == message(2).text
    box.close(0)


def test_apprise_tries_a_url_a_few_times_as_some_of_its_recipients_may_have_the_message(
    server: StubStore, tmp_path: Path
) -> None:
    answers(server, *[401] * 20)
    place = server.url.removeprefix("http")
    (tmp_path / "apprise-urls").write_text(f"json{place}/{SECRET}")
    counts = Counted()
    notifier = start_notifier(MemoryApi(), settings(NOTIFICATIONS_FOLDER=str(tmp_path)), counts)
    _, box = notifier.outboxes
    box.wait = wait_none()
    box.put(message(1))
    box.put(message(2))
    ended = [counts.ended.get(timeout=PATIENCE) for _ in range(2)]
    assert ended == [Outcome.FAILED] * 2
    assert [item.path for item in server.asked] == [f"/{SECRET}"] * 6
    notifier.close(0)


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410])
def test_what_a_webhook_refuses_for_good_is_not_tried_again(
    server: StubStore, tmp_path: Path, status: int
) -> None:
    answers(server, status, status)
    with pytest.raises(DeliveryError) as caught:
        webhook(tmp_path, f"{server.url}/{SECRET}")(message())
    assert (str(caught.value), caught.value.may_heal) == (f"the webhook answers {status}", False)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("url", "login", "may_heal"),
    [
        ("http://127.0.0.1:1/{}", LOGIN, True),
        ("https://127.0.0.1:1/{}", LOGIN, True),
        ("http://[{}", LOGIN, False),
        ("http://{}:port/", LOGIN, False),
        ("gopher://{}", LOGIN, False),
        ("{}", LOGIN, False),
        ("http://127.0.0.1:1/{}", f"{LOGIN}\r\nHost: {SECRET}", False),
        ("http://127.0.0.1:1/{}", f"{LOGIN}\N{SNOWMAN}", False),
    ],
)
def test_no_error_shows_a_url_or_a_login(
    tmp_path: Path, url: str, login: str, *, may_heal: bool
) -> None:
    (tmp_path / "webhook-authorization").write_text(login)
    target = webhook(tmp_path, url.format(SECRET))
    counts = Counted()
    with pytest.raises(DeliveryError) as caught:
        target(message())
    error = caught.value
    assert error.may_heal is may_heal
    assert error.__suppress_context__ or error.__context__ is None
    assert SECRET not in str(error)
    assert LOGIN not in str(error)
    box = outbox(target, counts, patience=0)
    box.put(message())
    assert counts.ended.get(timeout=PATIENCE) is Outcome.FAILED
    box.close(0)


@pytest.mark.parametrize(
    ("line", "may_heal", "why"),
    [
        (f"nonsense://{SECRET}", False, "URL 1 of 1 in apprise-urls is none that apprise knows"),
        (f"slack://{SECRET}", False, "URL 1 of 1 in apprise-urls is none that apprise knows"),
        (f"http://{SECRET}", False, "URL 1 of 1 in apprise-urls is none that apprise knows"),
        (f"json://127.0.0.1:1/{SECRET}", True, "apprise could not send to URL 1 of 1"),
    ],
)
def test_apprise_says_which_line_it_was_and_shows_none(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], line: str, *, may_heal: bool, why: str
) -> None:
    with pytest.raises(DeliveryError) as caught:
        urls(tmp_path, line)(message())
    assert (str(caught.value), caught.value.may_heal) == (why, may_heal)
    assert SECRET not in "".join(capfd.readouterr())


def test_a_target_that_is_not_set_up_is_none(tmp_path: Path) -> None:
    target = webhook(tmp_path, "http://127.0.0.1:1")
    (tmp_path / "webhook-url").unlink()
    assert target(message()) is False
    assert urls(tmp_path, "", "# none")(message()) is False
    (tmp_path / "webhook-url").write_bytes(b"\xff" + SECRET.encode())
    with pytest.raises(DeliveryError, match=r"cannot be read \(UnicodeDecodeError\)"):
        read_key(tmp_path, "webhook-url")


def test_a_target_that_hangs_costs_only_the_oldest_messages(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, go_on, taken = Event(), Event(), list[Message]()

    def hang(item: Message) -> bool:
        taken.append(item)
        begun.set()
        assert go_on.wait(PATIENCE)
        return True

    counts = Counted()
    box = outbox(hang, counts, capacity=3)
    box.put(message(1))
    assert begun.wait(PATIENCE)
    # Nobody waits, though nothing is sent.
    for count in range(2, 8):
        box.put(message(count))
    assert [counts.ended.get_nowait() for _ in range(3)] == [Outcome.DROPPED] * 3
    go_on.set()
    assert [counts.ended.get(timeout=PATIENCE) for _ in range(4)] == [Outcome.SENT] * 4
    assert [item.count for item in taken] == [1, 5, 6, 7]
    assert counts.counted() == {("t", "sent"): 4, ("t", "dropped"): 3}
    box.close(0)
    dropped = [item for item in caplog.records if item.message == "notification dropped"]
    assert len(dropped) == 3


def test_a_webhook_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        target = webhook(tmp_path, f"http://127.0.0.1:{port}/{SECRET}", timeout=0.05)
        counts = Counted()
        box = outbox(target, counts, patience=0)
        box.put(message())
        assert counts.ended.get(timeout=PATIENCE) is Outcome.FAILED
        box.close(0)


def test_a_fault_of_ours_shows_its_kind_alone(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Message) -> bool:
        raise LookupError(SECRET)

    counts = Counted()
    box = outbox(broken, counts)
    box.put(message())
    assert counts.ended.get(timeout=PATIENCE) is Outcome.FAILED
    (record,) = [item for item in caplog.records if item.message == "notification not sent"]
    assert "LookupError" in str(record.__dict__)
    box.close(0)


def test_what_waits_when_the_controller_ends_is_dropped_and_said_so() -> None:
    counts = Counted()
    box = Outbox(target="t", deliver=lambda _: True, counts=counts)
    notifier = Notifier(settings=settings(), outboxes=(box,), clock=lambda: 0)
    notifier.tell([run("StorageFailed", workload="demo/a")])
    notifier.tell([run("StorageFailed", workload="demo/b")])
    notifier.close(0)
    assert counts.counted() == {("t", "dropped"): 2}


def test_what_waits_when_the_controller_ends_is_sent_while_it_waits_for_that() -> None:
    taken = list[str]()

    def deliver(item: Message) -> bool:
        taken.append(item.affected[0].workload)
        return True

    counts = Counted()
    box = outbox(deliver, counts)
    notifier = Notifier(settings=settings(), outboxes=(box,), clock=lambda: 0)
    # The second one is gathered only, as the quiet time of the first is not over.
    notifier.tell([run("StorageFailed", workload="demo/a")])
    notifier.tell([run("StorageFailed", workload="demo/b")])
    notifier.close(PATIENCE)
    assert taken == ["demo/a", "demo/b"]
    assert counts.counted() == {("t", "sent"): 2}


def test_what_pauses_when_the_controller_ends_is_tried_once_more_at_once() -> None:
    counts, tried = Counted(), Queue[Message]()

    def refuse(item: Message) -> bool:
        tried.put(item)
        raise DeliveryError("no", may_heal=True)

    box = Outbox(target="t", deliver=refuse, counts=counts, wait=wait_fixed(3600), patience=7200)
    box.start()
    for count in (1, 2):
        box.put(message(count))
    tried.get(timeout=PATIENCE)
    box.close(PATIENCE)
    assert [tried.get_nowait().count for _ in range(tried.qsize())] == [1, 2]
    assert counts.counted() == {("t", "failed"): 2}


def test_what_hangs_when_the_controller_ends_is_dropped_with_a_line_each(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, go_on = Event(), Event()

    def hang(_: Message) -> bool:
        begun.set()
        assert go_on.wait(PATIENCE)
        return False

    counts = Counted()
    box = outbox(hang, counts)
    for count in (1, 2):
        box.put(message(count))
    assert begun.wait(PATIENCE)
    box.close(0)
    assert counts.counted() == {("t", "dropped"): 2}
    assert [item.message for item in caplog.records].count("notification dropped") == 2
    go_on.set()


def test_only_what_was_asked_for_is_sent() -> None:
    counts = Counted()
    box = Outbox(target="t", deliver=lambda _: True, counts=counts)
    about = settings(NOTIFICATIONS_ABOUT="recovery, overdue")
    notifier = Notifier(settings=about, outboxes=(box,))
    notifier.tell([run("StorageFailed")])
    notifier.close(0)
    assert counts.counted() == {}


_ENDS = """
import sys
from tests.fakes.kube_memory import MemoryApi
from tests.fakes.worlds import settings
from tests.unit.controller.report.notifications.made import run
from controller.report.notifications.delivery import DeliveryCounts
from controller.report.notifications.notifier import start_notifier

notifier = start_notifier(
    MemoryApi(), settings(NOTIFICATIONS_FOLDER=sys.argv[1]), DeliveryCounts()
)
notifier.tell([run("StorageFailed")])
sys.stdin.readline()
notifier.close()
print("ended", flush=True)
"""


def test_targets_that_hang_do_not_keep_the_process(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"://127.0.0.1:{silent.getsockname()[1]}/{SECRET}"
        # Far longer than a test may take, so that nothing but the end of the process ends it.
        (tmp_path / "apprise-urls").write_text(f"json{place}?cto=3600&rto=3600")
        (tmp_path / "webhook-url").write_text(f"http{place}")
        process = subprocess.Popen(
            [sys.executable, "-c", _ENDS, str(tmp_path)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            # Both are in their request.
            held = [silent.accept()[0] for _ in range(2)]
            out, err = process.communicate("go\n", timeout=PATIENCE)
            for connection in held:
                connection.close()
    assert (process.returncode, out) == (0, "ended\n")
    assert SECRET not in err


def test_urls_are_neither_in_the_settings_nor_read_before_they_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "webhook-url").write_text(f"http://127.0.0.1:1/{SECRET}")
    monkeypatch.setenv("WATCH_NAMESPACES", "demo")
    monkeypatch.setenv("NOTIFICATIONS_FOLDER", str(tmp_path))
    notifier = start_notifier(MemoryApi(), load_settings(), DeliveryCounts())
    assert [box.target for box in notifier.outboxes] == ["webhook", "apprise"]
    assert SECRET not in repr(notifier)
    notifier.close(0)
    assert start_notifier(MemoryApi(), settings(), DeliveryCounts()).outboxes == ()


@pytest.mark.parametrize(
    ("key", "event"),
    [
        ("webhook-url", "notifications begin"),
        ("apprise-urls", "notifications begin"),
        ("webhook_url", "notifications go nowhere"),
    ],
)
def test_a_start_says_whether_anybody_can_be_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, key: str, event: str
) -> None:
    (tmp_path / key).write_text(f"json://127.0.0.1:1/{SECRET}")
    how = settings(NOTIFICATIONS_FOLDER=str(tmp_path))
    start_notifier(MemoryApi(), how, DeliveryCounts()).close(0)
    assert [item.message for item in caplog.records] == [event]


def test_the_counts_are_metrics() -> None:
    counts = DeliveryCounts()
    counts.count("webhook", Outcome.SENT)
    metrics = Metrics(settings(), CallCounts(), counts.counted)
    metrics.update(one_pass(cluster(*small())), {}, 0.0)
    line = b'ksnapshot_notifications_total{outcome="sent",target="webhook"} 1.0'
    assert line in metrics.exposition().text
