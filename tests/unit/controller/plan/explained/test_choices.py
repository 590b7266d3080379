"""At the debug level a pass says why it did what it did, and shows no secret."""

import base64
import json
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.model.names import PREFIX
from controller.plan.explained.decision import Verdict
from tests.fakes.kube_memory import MemoryApi
from tests.fakes.worlds import (
    CONTROL,
    DB,
    Document,
    asks,
    cluster,
    container,
    namespace,
    one_pass,
    owner,
    pod,
    secret,
    service,
    settings,
    small,
)

PASSWORD = "hunter2-Kaufmann"
SUPERUSER = (
    "POSTGRESQL_POSTGRES_PASSWORD",
    "POSTGRES_POSTGRES_PASSWORD",
    "POSTGRESQL_ADMIN_PASSWORD",
)
_KEY = "ksnapshot_fields"


@pytest.fixture(autouse=True)
def debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "controller")


def decisions(caplog: pytest.LogCaptureFixture) -> dict[str, tuple[str, str]]:
    """Verdict and reason by what they are about."""
    found: dict[str, tuple[str, str]] = {}
    for record in caplog.records:
        line: dict[str, Any] = getattr(record, _KEY, {})
        if record.message == "decision":
            assert line["about"] not in found
            found[line["about"]] = (str(line["verdict"]), line["why"])
    return found


def decided(caplog: pytest.LogCaptureFixture, *items: Document) -> dict[str, tuple[str, str]]:
    one_pass(cluster(*items))
    return decisions(caplog)


def test_what_is_plain_is_told_in_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    assert decided(caplog, *small()) == {
        "Pod/db-0": ("chosen", "it says enabled, and it runs"),
        "Service/db": ("chosen", "selects 1 of its 1 pods, serves port 5432"),
        "container postgres": ("chosen", "sets POSTGRES_DB, POSTGRES_PASSWORD, POSTGRES_USER"),
        "login POSTGRES_PASSWORD": (
            "chosen",
            "POSTGRES_PASSWORD is set, from password of Secret/db",
        ),
        "login POSTGRESQL_POSTGRES_PASSWORD": (
            "not chosen",
            f"none of {', '.join(SUPERUSER)} is set",
        ),
        f"CronJob/{DB}": ("create", "nothing of that name is there; wanted, Annotated"),
        f"Secret/{DB}-credentials": (
            "create",
            "nothing of that name is there; wanted, Annotated",
        ),
    }


@pytest.mark.parametrize(
    ("item", "about", "why"),
    [
        (pod(owner(), 1, says=asks(enabled="True")), "Pod/db-1", "enabled is not exactly true"),
        (pod(owner(), 1, phase="Pending"), "Pod/db-1", "its phase is Pending"),
        (
            service("metrics", port=9187),
            "Service/metrics",
            "selects 1 of its 1 pods, does not serve port 5432",
        ),
        (
            service("other", app="other"),
            "Service/other",
            "selects 0 of its 1 pods, serves port 5432",
        ),
        (
            service("db-headless", clusterIP="None"),
            "Service/db-headless",
            "selects 1 of its 1 pods, serves port 5432, is headless",
        ),
        (
            service("db-ro", selector={"app": "db", "role": "replica"}),
            "Service/db-ro",
            "is of the replica, selects 0 of its 1 pods, leads to replicas, serves port 5432",
        ),
    ],
)
def test_what_was_not_chosen_says_why(
    caplog: pytest.LogCaptureFixture, item: Document, about: str, why: str
) -> None:
    assert decided(caplog, *small(), item)[about] == (str(Verdict.NOT_CHOSEN), why)


def test_what_asks_for_nothing_has_no_line(caplog: pytest.LogCaptureFixture) -> None:
    web = owner("web")
    found = decided(caplog, *small(), web, pod(web, says={}), service("web", app="web", port=80))
    assert [about for about in found if "web" in about] == []


def test_annotations_that_name_things_decide(caplog: pytest.LogCaptureFixture) -> None:
    named = small(asks(service="db", container="postgres", credentials_secret="login"))
    found = decided(caplog, *named, secret("login", password=PASSWORD, other="x"))
    assert found["Service/db"] == ("chosen", "the annotation service names it")
    assert found["Secret/login"] == (
        "chosen",
        "the annotation credentials-secret names it; of its keys these matter: password",
    )
    verdict, why = found["login POSTGRES_PASSWORD"]
    assert (verdict, why.partition(";")[0]) == ("not chosen", "one before it is taken")


@pytest.mark.parametrize(
    ("says", "about", "reason"),
    [
        (asks(schedule="daily"), "StatefulSet/db", "ScheduleInvalid"),
        (asks(service="nowhere"), "Service", "the annotation"),
        (asks(container="nowhere"), "container", "the annotation"),
        (asks(credentials_secret="nowhere"), "Secret/nowhere", "the annotation"),
    ],
)
def test_a_workload_that_is_rejected_shows_where_it_ended(
    caplog: pytest.LogCaptureFixture, says: dict[str, str], about: str, reason: str
) -> None:
    found = decided(caplog, *small(says))
    verdict, why = found[about]
    assert verdict in {Verdict.REJECTED, Verdict.NOT_CHOSEN}
    assert why.startswith(reason)
    assert found["CronJob"][0] == Verdict.REJECTED


_CLASSES = {
    "gold": {"schedule": "@daily", "timezone": "Europe/Paris", "allow": ["timezone", "retries"]},
    "all": {"schedule": "@daily", "defaultFor": {"namespaces": ["demo"]}},
}


@pytest.mark.parametrize(
    ("own", "about", "why"),
    [
        (
            {},
            "class all",
            "it is the default of workloads of namespace demo; of the class: schedule",
        ),
        (
            {"class": "gold"},
            "class gold",
            "the annotation class names it; of the class: schedule, timezone",
        ),
        (
            {"class": "gold", "timezone": "UTC", "retries": "1", "host": "db.example"},
            "class gold",
            (
                "the annotation class names it; of the class: schedule; of the workload's own: "
                "timezone, retries"
            ),
        ),
    ],
)
def test_a_class_says_why_it_is_this_one_and_which_values_are_whose(
    caplog: pytest.LogCaptureFixture, own: dict[str, str], about: str, why: str
) -> None:
    values = asks(**own)
    del values[f"{PREFIX}schedule"]
    one_pass(cluster(*small(values)), settings(CLASSES=json.dumps(_CLASSES)))
    assert decisions(caplog)[about] == ("chosen", why)


def test_kept_changed_and_deleted_cronjobs_say_why(caplog: pytest.LogCaptureFixture) -> None:
    api, memory = cluster(*small()), PassState()
    how = settings(GONE_PASSES="2", GONE_GRACE_SECONDS="60")

    def next_pass(minutes: float) -> tuple[str, str]:
        caplog.clear()
        one_pass(api, how, memory, minutes)
        return decisions(caplog)[f"CronJob/{DB}"]

    assert next_pass(0)[0] == "create"
    assert next_pass(1) == ("kept", "wanted, Annotated")
    for item in small(asks(schedule="0 4 * * *")):
        api.put(item)
    verdict, why = next_pass(2)
    assert verdict == "update"
    assert why.startswith("differs in ")
    assert "spec.schedule" in why
    api.remove("StatefulSet", "demo", "db")
    api.remove("Pod", "demo", "db-0")
    verdict, why = next_pass(3)
    assert (verdict, "gone, OwnerNotFound" in why) == ("update", True)
    verdict, why = next_pass(3.5)
    assert verdict == "kept"
    assert "gone since 2026-01-01T00:03:00Z, deleted once 2 passes" in why
    verdict, why = next_pass(5)
    assert (verdict, "does not exist any more" in why) == ("delete", True)


def test_no_value_of_a_secret_and_none_of_a_variable_is_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    of = owner(template=asks())
    inside = {"POSTGRES_USER": "user-Kaufmann", "PGPASSWORD": PASSWORD}
    spoken = pod(of) | {"spec": {"containers": [container(**inside)]}}
    items = [namespace("demo"), of, spoken, service(), secret(password=PASSWORD)]
    api, memory = cluster(*items), PassState()
    one_pass(api, memory=memory)
    # Changed, so that the fields that differ are told, too.
    api.put(secret(password=PASSWORD + "2"))
    one_pass(api, memory=memory, minutes=10)
    one_pass(_broken(api), memory=memory, minutes=20)
    assert decisions_about(caplog, f"Secret/{DB}-credentials") == {"create", "update"}
    shown = "\n".join(f"{record.message} {record.__dict__}" for record in caplog.records)
    for text in (PASSWORD, "user-Kaufmann", base64.b64encode(PASSWORD.encode()).decode()[:12]):
        assert text not in shown


def decisions_about(caplog: pytest.LogCaptureFixture, about: str) -> set[str]:
    lines = [getattr(record, _KEY, {}) for record in caplog.records]
    return {str(line["verdict"]) for line in lines if line.get("about") == about}


def _broken(api: MemoryApi) -> MemoryApi:
    """The same cluster, whose mirrored Secret lost its keys and gained one that is no text."""
    held = api.items["Secret", CONTROL, f"{DB}-credentials"]
    api.put(held | {"data": {"POSTGRESQL_PASSWORD": "/w=="}})
    return api


@pytest.mark.parametrize(
    ("host", "verdict", "why"),
    [
        ("db.example.com", "chosen", "the annotation host names it"),
        ("127.1", "not chosen", "which is the machine itself"),
    ],
)
def test_a_host_that_an_annotation_names(
    caplog: pytest.LogCaptureFixture, host: str, verdict: str, why: str
) -> None:
    found = decided(caplog, *small(asks(host=host)))[f"host {host}"]
    assert found[0] == verdict
    assert why in found[1]
