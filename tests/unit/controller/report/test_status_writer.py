"""When the status ConfigMap and the boards are written, and what keeps them from it."""

import logging
from typing import Any

import pytest

from controller.kube.client import ConflictError, ForbiddenError, UnavailableError
from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from tests.fakes.kube_memory import MemoryApi, unavailable
from tests.fakes.worlds import CONTROL, NOW, cluster, one_pass, service, settings, small
from tests.unit.controller.report.shown import NAME, config_map, document, row, rows, summary

TWO = settings("demo", "other")


def two() -> MemoryApi:
    return cluster(*small(), *small(space="other"))


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Why something was not written."""
    return [
        vars(record)["ksnapshot_fields"]["why"]
        for record in caplog.records
        if record.getMessage() == "status not written" and record.levelno == logging.WARNING
    ]


def test_the_config_maps_are_marked_as_ours_and_never_as_0_6_0_would_delete_them() -> None:
    api = cluster(*small())
    one_pass(api)
    for place in (CONTROL, "demo"):
        meta = config_map(api, place)["metadata"]
        assert meta["labels"] == {
            "app.kubernetes.io/part-of": "ksnapshot",
            "app.kubernetes.io/component": "status",
        }
        assert meta["annotations"] == {names.INSTANCE: "ksnapshot"}


def test_they_are_named_after_the_deployment() -> None:
    api = cluster(*small())
    one_pass(api, settings(DEPLOYMENT_NAME="prod-ksnapshot"))
    kinds = [key for key in api.items if key[0] == "ConfigMap"]
    assert kinds == [
        ("ConfigMap", CONTROL, "prod-ksnapshot-status"),
        ("ConfigMap", "demo", "prod-ksnapshot-status"),
    ]


def test_steady_passes_neither_read_nor_write_them_and_a_restart_reads_each_once() -> None:
    api, memory = two(), PassState()
    one_pass(api, TWO, memory)
    assert api.shown == [("create", CONTROL), ("create", "demo"), ("create", "other")]
    api.shown.clear()
    api.reads.clear()
    for minutes in range(1, 400, 20):
        one_pass(api, TWO, memory, minutes)
    assert not [read for read in api.reads if read[2] == NAME]
    one_pass(api, TWO, PassState(), 420)
    assert len([read for read in api.reads if read[2] == NAME]) == 3
    assert api.shown == []


def test_a_rejected_workload_is_shown_until_one_pass_after_it_was_mended() -> None:
    api, memory = cluster(*small()), PassState()
    api.remove("Service", "demo", "db")
    one_pass(api, memory=memory)
    shown = row(api)
    assert {name: shown[name] for name in ("workload", "kind", "type", "cronjob")} == {
        "workload": "demo/db",
        "kind": "StatefulSet",
        "type": "postgresql",
        "cronjob": "",
    }
    assert (shown["state"], shown["reason"]) == ("unknown", "ServiceMissing")
    assert shown["message"]
    assert shown["since"] == "2026-01-01T00:00:00Z"
    assert set(shown) == {
        *("workload", "kind", "type", "cronjob", "state", "reason", "message", "since")
    }
    api.put(service())
    api.shown.clear()
    one_pass(api, memory=memory, minutes=1)
    assert document(api) == {
        "version": 1,
        "written": "2026-01-01T00:01:00Z",
        "workloads": [],
        "omitted": 0,
    }
    assert api.shown == [("update", CONTROL), ("update", "demo")]


def test_since_is_kept_over_restarts_and_by_a_message_that_changes_alone() -> None:
    api = cluster(*small(), service("more"))
    one_pass(api)
    first = row(api)
    assert first["reason"] == "ServiceAmbiguous"
    api.put(service("third"))
    one_pass(api, minutes=5)
    second = row(api)
    assert second["message"] != first["message"]
    assert second["since"] == row(api, "demo")["since"] == first["since"]
    assert document(api)["written"] == "2026-01-01T00:05:00Z"
    for name in ("db", "more", "third"):
        api.remove("Service", "demo", name)
    one_pass(api, minutes=6)
    assert (row(api)["reason"], row(api)["since"]) == ("ServiceMissing", "2026-01-01T00:06:00Z")


def test_since_counts_while_nothing_can_be_written() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    api.unwritable["ConfigMap", CONTROL] = unavailable("write")
    api.remove("Service", "demo", "db")
    one_pass(api, memory=memory, minutes=1)
    one_pass(api, memory=memory, minutes=2)
    api.unwritable.clear()
    one_pass(api, memory=memory, minutes=3)
    assert (document(api)["written"], row(api)["since"]) == (
        "2026-01-01T00:03:00Z",
        "2026-01-01T00:01:00Z",
    )


def test_a_foreign_config_map_is_left_alone_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api, memory = cluster(*small()), PassState()
    meta = {"name": NAME, "namespace": "demo"}
    api.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "b"}})
    for minutes in range(5):
        assert one_pass(api, memory=memory, minutes=minutes).succeeded
    assert config_map(api, "demo")["data"] == {"a": "b"}
    assert api.shown == [("create", CONTROL)]
    (why,) = warnings(caplog)
    assert "demo/ksnapshot-status is not ours" in why
    api.remove("ConfigMap", "demo", NAME)
    one_pass(api, memory=memory, minutes=6)
    assert row(api, "demo")["workload"] == "demo/db"


def test_a_board_of_another_install_is_foreign() -> None:
    api = cluster(*small())
    one_pass(api, settings(INSTANCE_NAME="other"))
    before = dict(config_map(api, "demo"))
    one_pass(api, minutes=1)
    assert config_map(api, "demo") == before


@pytest.mark.parametrize(
    "error", [ForbiddenError("403"), UnavailableError("500"), ConflictError("409")]
)
def test_a_namespace_that_forbids_its_board_keeps_nothing_else_from_anything(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    api, memory = two(), PassState()
    api.unwritable["ConfigMap", "demo"] = error
    for minutes in range(4):
        assert one_pass(api, TWO, memory, minutes).succeeded
    assert ("ConfigMap", "demo", NAME) not in api.items
    assert row(api, "other")["state"] == "wanted"
    assert len(warnings(caplog)) == 1
    api.remove("Service", "demo", "db")
    for minutes in range(4, 8):
        one_pass(api, TWO, memory, minutes)
    assert len(warnings(caplog)) == 2, "once for each change"
    assert row(api)["workload"] == "demo/db"
    api.unwritable.clear()
    one_pass(api, TWO, memory, 9)
    assert row(api, "demo")["since"] == "2026-01-01T00:04:00Z"
    assert len(warnings(caplog)) == 2


def test_what_failed_last_is_tried_last_and_costs_no_more_than_one_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]

    class Slow(MemoryApi):
        tried: list[str] = []  # noqa: RUF012  of one test

        def create(self, resource: Any, namespace: str, body: Any) -> dict[str, Any]:
            if resource.kind == "ConfigMap":
                self.tried.append(namespace)
                if namespace in {"a", "b", "c"}:
                    clock[0] += 20
                    raise UnavailableError("it hangs")
            return super().create(resource, namespace, body)

    monkeypatch.setattr("controller.report.status_writer.time.monotonic", lambda: clock[0])
    watched = settings("a", "b", "c", "d", API_TIMEOUT_SECONDS="30")
    spaces = [item for name in "abcd" for item in small(space=name)[:1]]
    api, memory = Slow(cluster(*spaces).items.values()), PassState()
    one_pass(api, watched, memory)
    assert api.tried == [CONTROL, "a", "b"]
    api.tried.clear()
    one_pass(api, watched, memory, 1)
    assert api.tried == ["c", "d", "a"]
    api.tried.clear()
    for minutes in range(2, 8):
        one_pass(api, watched, memory, minutes)
    assert len(api.tried) == 12, "two in each pass"
    assert min(map(api.tried.count, "abc")) > 1, "each in its turn"


def test_what_somebody_changed_meanwhile_is_kept_beside_our_own() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    found = config_map(api, "demo")
    found["metadata"]["labels"] = {"team": "shop"}
    found["metadata"]["annotations"]["note"] = "theirs"
    found["data"] = {"workloads.json": "nonsense"}
    api.put(found)
    api.remove("Service", "demo", "db")
    one_pass(api, memory=memory, minutes=1)
    after = config_map(api, "demo")
    assert after["metadata"]["labels"]["team"] == "shop"
    assert after["metadata"]["labels"][names.COMPONENT_LABEL] == "status"
    assert after["metadata"]["annotations"]["note"] == "theirs"
    assert row(api, "demo")["reason"] == "ServiceMissing"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        '{"version":2,"written":"2026-01-01T00:00:00Z","workloads":[],"omitted":0}',
        '{"version":1,"written":"yesterday","workloads":[],"omitted":0}',
        '{"version":1,"written":"2026-01-01T00:00:00Z","workloads":[{"workload":7}]}',
        '{"version":1,"written":"2026-01-01T00:00:00Z","workloads":{}}',
    ],
)
def test_a_document_that_somebody_broke_is_written_anew(text: str) -> None:
    api = cluster(*small()[:3])
    one_pass(api)
    for place in (CONTROL, "demo"):
        found = config_map(api, place)
        found["data"] = {"workloads.json": text}
        api.put(found)
    one_pass(api, minutes=7)
    assert row(api)["since"] == row(api, "demo")["since"] == "2026-01-01T00:07:00Z"
    assert "ServiceMissing" in summary(api, "demo")


def test_without_boards_there_is_the_status_alone() -> None:
    api = cluster(*small()[:3])
    one_pass(api, settings(BOARDS="false"))
    assert [key for key in api.items if key[0] == "ConfigMap"] == [("ConfigMap", CONTROL, NAME)]
    assert row(api)["reason"] == "ServiceMissing"


def test_a_control_namespace_that_is_watched_has_no_board() -> None:
    api = cluster(*small(space=CONTROL)[1:], *small())
    one_pass(api, settings("demo", CONTROL))
    assert document(api)["workloads"] == []
    assert "summary.txt" not in config_map(api)["data"]
    assert row(api, "demo")["workload"] == "demo/db"


def test_a_namespace_without_workloads_says_so() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, TWO, memory)
    assert ("ConfigMap", "other", NAME) not in api.items, "it does not exist"
    for item in small(space="other")[:1]:
        api.put(item)
    one_pass(api, TWO, memory, 1)
    assert rows(api, "other") == []
    assert "no workload here asks for backups" in summary(api, "other")


def test_a_namespace_that_was_made_anew_gets_its_board_again() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    for key in [key for key in api.items if key[1] == "demo" or key[2] == "demo"]:
        api.items.pop(key)
    one_pass(api, memory=memory, minutes=1)
    assert ("ConfigMap", "demo", NAME) not in api.items
    for item in small():
        api.put(item)
    one_pass(api, memory=memory, minutes=2)
    assert row(api, "demo")["state"] == "wanted"


def test_a_pass_that_was_stopped_shows_nothing() -> None:
    api, memory = cluster(*small()), PassState()
    run(api, settings(), memory, now=NOW, stopping=lambda: True)
    assert api.shown == []


def test_a_fault_of_ours_fails_no_pass_and_keeps_the_other_boards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def data(namespace: str, *_: object) -> dict[str, str]:
        if namespace == "demo":
            raise ZeroDivisionError
        return {"workloads.json": namespace}

    api = two()
    monkeypatch.setattr("controller.report.status_writer.board_data", data)
    assert one_pass(api, TWO).succeeded
    assert api.shown == [("create", CONTROL), ("create", "other")]


@pytest.mark.parametrize(("kind", "count"), [("Pod", 3), ("StatefulSet", 2)])
def test_what_cannot_be_read_hides_no_workload(kind: str, count: int) -> None:
    api, memory = cluster(*small()[:count]), PassState()
    one_pass(api, memory=memory)
    before = config_map(api)["data"], config_map(api, "demo")["data"]
    api.fail(kind, "demo", unavailable(kind))
    one_pass(api, memory=memory, minutes=1)
    one_pass(api, minutes=2)
    assert (config_map(api)["data"], config_map(api, "demo")["data"]) == before
    api.failing.clear()
    one_pass(api, memory=memory, minutes=3)
    assert (config_map(api)["data"], config_map(api, "demo")["data"]) == before
    for item in small()[1:count]:
        api.remove(item["kind"], "demo", item["metadata"]["name"])
    one_pass(api, memory=memory, minutes=4)
    assert (rows(api), rows(api, "demo")) == ([], [])


def test_while_cronjobs_cannot_be_listed_everything_stays_as_it_was() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    api.remove("Service", "demo", "db")
    one_pass(api, memory=memory, minutes=1)
    before = config_map(api)["data"], config_map(api, "demo")["data"]
    api.fail("CronJob", CONTROL, unavailable("list"))
    one_pass(api, memory=memory, minutes=2)
    one_pass(api, minutes=3)
    api.failing.clear()
    one_pass(api, memory=memory, minutes=4)
    assert (config_map(api)["data"], config_map(api, "demo")["data"]) == before


def test_a_namespace_that_could_not_be_planned_keeps_its_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, memory = cluster(*small()[:3]), PassState()
    one_pass(api, memory=memory)
    before = config_map(api)["data"], config_map(api, "demo")["data"]
    with monkeypatch.context() as broken:
        broken.setattr("controller.plan.planner.plan", lambda *_: 1 / 0)
        one_pass(api, memory=memory, minutes=1)
    assert (config_map(api)["data"], config_map(api, "demo")["data"]) == before
