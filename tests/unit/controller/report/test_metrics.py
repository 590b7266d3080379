import gzip
import http.client
import json
import socket
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.kube.client import CallCounts
from controller.loop.pass_state import PassState
from controller.model import names
from controller.plan.changes import PassResult
from controller.report.http_server import Health, serve
from controller.report.metrics import families
from controller.report.metrics.families import FAMILIES, WORKLOAD_FAMILIES
from controller.report.metrics.metrics import Metrics
from controller.report.metrics.run_counts import new_runs
from controller.report.metrics.workload_figures import workload_figures
from controller.report.status_subjects import Rows
from controller.runs.due import due_at
from dumpers.contract.restore.result import RestoreResult
from dumpers.runtime.version import VERSION
from tests.fakes.kube_memory import MemoryApi
from tests.fakes.worlds import CONTROL, DB, cluster, job, one_pass, reference, settings, small

_LABELS = f'cronjob="{DB}",namespace="demo",workload="db"'
_ENDED = 1767236409.0  # 2026-01-01T03:00:09Z


def _metrics() -> Metrics:
    return Metrics(settings(), CallCounts())


def _samples(metrics: Metrics) -> dict[str, float]:
    """Each series, as Prometheus reads it, with its value."""
    text = metrics.exposition().text.decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{text}"' for name, text in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


class _World:
    """One workload, and the passes over it."""

    def __init__(self) -> None:
        self.api: MemoryApi = cluster(*small())
        self.memory, self.metrics = PassState(), _metrics()

    def passed(self, minutes: float = 0) -> PassResult:
        result = one_pass(self.api, memory=self.memory, minutes=minutes)
        rows: Rows = self.memory.status.status.rows or {}
        self.metrics.update(result, rows, 1000.0 + minutes * 60)
        return result

    @property
    def cronjob(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.items["CronJob", "ksnapshot", DB]
        return found

    def series(self, name: str, more: str = "") -> float | None:
        labels = ",".join(sorted(filter(None, (*_LABELS.split(","), *more.split(",")))))
        return _samples(self.metrics).get(f"{name}{{{labels}}}")


def test_the_figures_of_a_pass() -> None:
    world = _World()
    assert world.metrics.exposition().text == b""
    world.passed()
    world.api.put(job(world.cronjob, ended="2026-01-01T03:00:09Z"))
    world.passed(1)
    found = _samples(world.metrics)
    assert found['ksnapshot_workloads{reason="Annotated",state="wanted"}'] == 1
    assert found["ksnapshot_last_successful_pass_timestamp_seconds"] == 1060
    assert found["ksnapshot_leader"] == 1
    assert world.series("ksnapshot_backup_last_success_timestamp_seconds") == _ENDED
    assert world.series("ksnapshot_backup_last_attempt_timestamp_seconds") == _ENDED
    status = 'cause="none",engine="postgresql",host="db.demo.svc.cluster.local",reason="Succeeded"'
    assert world.series("ksnapshot_backup_last_status", status) == 1
    assert world.series("ksnapshot_backup_consecutive_failures") == 0
    assert world.series("ksnapshot_backup_shrunk") == 0
    runs = 'outcome="succeeded",reason="Succeeded"'
    assert world.series("ksnapshot_backup_runs_total", runs) == 1


def test_a_failed_run_is_told_with_its_cause_and_counted_once() -> None:
    world = _World()
    world.passed()
    world.api.put(job(world.cronjob, ended="2026-01-01T03:00:09Z", how="Failed"))
    for minutes in range(1, 4):
        world.passed(minutes)
    status = 'cause="other",engine="postgresql",host="db.demo.svc.cluster.local",reason="Failed"'
    assert world.series("ksnapshot_backup_last_status", status) == 0
    assert world.series("ksnapshot_backup_consecutive_failures") == 1
    assert world.series("ksnapshot_backup_last_success_timestamp_seconds") is None
    assert world.series("ksnapshot_backup_runs_total", 'outcome="failed",reason="Failed"') == 1
    assert (
        world.series("ksnapshot_backup_runs_total", 'outcome="succeeded",reason="Succeeded"') == 0
    )


def test_a_run_that_goes_on_and_a_pause_are_told() -> None:
    world = _World()
    world.passed()
    running = job(world.cronjob)
    running["status"]["startTime"] = "2026-01-01T03:00:09Z"
    world.api.put(running)
    world.passed(1)
    assert world.series("ksnapshot_backup_running_since_timestamp_seconds") == _ENDED
    world.api.put(world.cronjob | {"spec": world.cronjob["spec"] | {"suspend": True}})
    world.passed(2)
    world.passed(3)
    assert world.series("ksnapshot_suspended_since_timestamp_seconds") == 1767225720
    assert world.series("ksnapshot_backup_due_timestamp_seconds") is None
    since = world.series(
        "ksnapshot_workload_state_since_timestamp_seconds", 'reason="Suspended",state="wanted"'
    )
    assert since == 1767225720


def test_series_are_gone_one_pass_after_their_workload() -> None:
    world = _World()
    world.passed()
    world.api.put(job(world.cronjob, ended="2026-01-01T03:00:09Z"))
    world.passed(1)
    del world.api.items["CronJob", "ksnapshot", DB]
    for kind, name in (("StatefulSet", "db"), ("Pod", "db-0")):
        del world.api.items[kind, "demo", name]
    world.passed(2)
    assert not [line for line in _samples(world.metrics) if DB in line]


def test_a_failed_pass_does_not_move_the_last_successful_one() -> None:
    world = _World()
    world.passed()
    world.api.fail("Pod", "demo")
    world.passed(10)
    found = _samples(world.metrics)
    assert found["ksnapshot_last_successful_pass_timestamp_seconds"] == 1000
    assert found['ksnapshot_workloads{reason="ReadForbidden",state="unknown"}'] == 1


def test_restores_are_counted_once_and_not_those_of_before() -> None:
    world = _World()
    world.passed()

    def put(name: str, ended: str = "", how: str = "Complete") -> None:
        made = job(world.cronjob, name, ended=ended, how=how)
        made["metadata"] |= {
            "ownerReferences": [],
            "labels": {names.COMPONENT_LABEL: "restore"},
            "annotations": {names.INSTANCE: "ksnapshot"},
        }
        world.api.put(made)

    put("restore-1", ended="2026-01-01T03:00:09Z")
    world.memory = PassState()
    world.passed(1)
    put("restore-2")
    world.passed(2)
    assert not [line for line in _samples(world.metrics) if "restore_runs" in line]
    put("restore-2", ended="2026-01-01T04:00:09Z", how="Failed")
    for minutes in range(3, 6):
        world.passed(minutes)
    found = _samples(world.metrics)
    assert found['ksnapshot_restore_runs_total{outcome="failed",reason="Failed"}'] == 1

    # Its reader was told to stop, and only its Job knows why.
    put("restore-3", ended="2026-01-01T05:00:09Z", how="Failed")
    late = world.api.items["Job", CONTROL, "restore-3"]
    late["status"]["conditions"][0]["reason"] = "DeadlineExceeded"
    told = RestoreResult(succeeded=False, exit_code=14, reason="Interrupted", message="SIGTERM")
    ended = {"exitCode": 14, "reason": "Error", "message": told.to_json()}
    meta = {"name": "restore-3-abcde", "namespace": CONTROL, "labels": {"job-name": "restore-3"}}
    world.api.put(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta | {"ownerReferences": [reference(late)]},
            "status": {"containerStatuses": [{"name": "job", "state": {"terminated": ended}}]},
        }
    )
    world.passed(7)
    found = _samples(world.metrics)
    assert found['ksnapshot_restore_runs_total{outcome="failed",reason="DeadlineExceeded"}'] == 1


_MANY = [{"finished": f"2026-01-{day:02}T03:00:00Z", "seconds": 60.0} for day in range(1, 31)]


def _cronjob(runs: list[dict[str, Any]], **records: object) -> dict[str, Any]:
    """A CronJob with a history, newest first, and records."""
    plain = {"outcome": "succeeded", "reason": "Succeeded", "seconds": 1.0, "bytes": 100}
    annotations = {names.HISTORY: json.dumps([plain | run for run in runs])}
    annotations |= {getattr(names, key): json.dumps(value) for key, value in records.items()}
    meta = {"name": DB, "uid": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
    spec = {"schedule": "0 3 * * *", "timeZone": "Etc/UTC"}
    return {"metadata": meta | {"annotations": annotations}, "spec": spec}


def test_a_workload_has_at_most_eighteen_series() -> None:
    last = {"finished": "2026-01-31T03:00:00Z", "job": "x", "seconds": 9.5, "succeeded": True}
    last |= {"source_bytes": 10, "stored_bytes": 5, "notes": ["standby"]}
    last |= {"oldest_backup": "2026-01-01T03:00:00Z", "backups": 1}
    cronjob = _cronjob(_MANY[::-1], LAST_SUCCESS=last, LAST_RESULT=last)
    figures = workload_figures(cronjob, "2026-02-01T03:00:00Z", due_at(cronjob), 300, 21_600)
    # A workload is due or suspended; one that is backed up has no state, and there are four counts.
    missing = {family.name for family in WORKLOAD_FAMILIES} - {family.name for family in figures}
    others = {"verify", "drill", "storage"}
    assert len([name for name in missing if not others & set(name.split("_"))]) == 2
    assert len(figures) + 1 + 4 <= 18


def test_a_workload_that_verifies_by_a_schedule_has_six_series_more() -> None:
    last: dict[str, Any] = {"job": "x", "finished": "2026-01-04T06:10:00Z"}
    last |= {"last_success": "2026-01-04T06:10:00Z"}
    last |= {"succeeded": False, "reason": "BackupDamaged", "message": "", "damaged": 2}
    last |= {"oldest_unread": "2026-01-01T03:00:00Z"}
    cronjob = _cronjob([], LAST_VERIFY=last)
    figures = workload_figures(cronjob, "", None, 300, 21_600)
    assert not [family for family in figures if "verify" in family.name]
    cronjob["metadata"]["annotations"] |= {
        names.VERIFY_SCHEDULE: "0 6 * * 0",
        names.VERIFY_SINCE: "2026-01-01T00:00:00Z",
    }
    figures = workload_figures(cronjob, "", None, 300, 21_600)
    found = {family.name: figure for family, figure in figures.items() if "verify" in family.name}
    assert len(found) == 6
    assert found["ksnapshot_verify_last_status"] == (("BackupDamaged",), 0.0)
    assert found["ksnapshot_verify_damaged_backups"] == ((), 2.0)
    due = datetime(2026, 1, 12, 6, 5, tzinfo=UTC).timestamp()
    assert found["ksnapshot_verify_due_timestamp_seconds"] == ((), due)


def _drilled(schedule: str, **last: Any) -> dict[str, tuple[tuple[str, ...], float]]:
    """The figures of a workload's drills, by their names without their common beginning."""
    record = {"job": "x", "finished": "2026-01-04T07:10:00Z", "message": ""} | last
    cronjob = _cronjob([], **({"LAST_DRILL": record} if last else {}))
    if schedule:
        cronjob["metadata"]["annotations"] |= {
            names.DRILL_SCHEDULE: schedule,
            names.DRILL_SINCE: "2026-01-01T00:00:00Z",
        }
    figures = workload_figures(cronjob, "", None, 300, 21_600)
    start = "ksnapshot_drill_"
    return {
        family.name.removeprefix(start): figure
        for family, figure in figures.items()
        if family.name.startswith(start)
    }


_PASSED: dict[str, Any] = {"outcome": "passed", "reason": "Succeeded", "seconds": 61.0}
_PASSED |= {"last_success": "2026-01-04T07:10:00Z", "answered": "2026-01-04T07:10:00Z"}
_PASSED |= {"start_seconds": 5.0, "restore_seconds": 40.0, "compare_seconds": 16.0}
_PASSED |= {"age_seconds": 18600.0, "tables": 7}


def test_a_workload_that_is_drilled_by_a_schedule_has_thirteen_series_more() -> None:
    assert _drilled("") == {}
    found = _drilled("0 7 * * 0", **_PASSED)
    moment = datetime(2026, 1, 4, 7, 10, tzinfo=UTC).timestamp()
    assert found == {
        "due_timestamp_seconds": ((), datetime(2026, 1, 11, 13, 5, tzinfo=UTC).timestamp()),
        "last_success_timestamp_seconds": ((), moment),
        "last_attempt_timestamp_seconds": ((), moment),
        "last_status": (("Succeeded",), 1.0),
        "not_drillable": ((), 0.0),
        "in_doubt": ((), 0.0),
        "last_duration_seconds": ((), 61.0),
        "last_start_seconds": ((), 5.0),
        "last_restore_seconds": ((), 40.0),
        "last_compare_seconds": ((), 16.0),
        "last_data_age_seconds": ((), 18600.0),
        "last_compared_tables": ((), 7.0),
        "last_differing_tables": ((), 0.0),
    }
    assert len(found) == 13


@pytest.mark.parametrize(
    ("schedule", "last", "status", "flags"),
    [
        ("0 7 * * 0", {"outcome": "failed", "reason": "StorageFailed"}, 0.0, (0.0, 0.0)),
        ("", {"outcome": "failed", "reason": "StorageFailed"}, None, (0.0, 0.0)),
        ("", {"outcome": "failed", "reason": "DrillDiffers", "in_doubt": True}, 0.0, (0.0, 1.0)),
        ("0 7 * * 0", {"outcome": "not-drillable", "reason": "NotDrillable"}, None, (1.0, 0.0)),
    ],
)
def test_a_drill_that_did_not_pass_is_told_by_what_it_is(
    schedule: str, last: dict[str, Any], status: float | None, flags: tuple[float, float]
) -> None:
    found = _drilled(schedule, **last)
    shown = found.get("last_status")
    assert shown == (None if status is None else ((last["reason"],), status))
    assert (found["not_drillable"][1], found["in_doubt"][1]) == flags
    assert ("due_timestamp_seconds" in found) == bool(schedule)


def test_the_oldest_backup_is_as_whoever_looked_last_saw_it() -> None:
    success = {"finished": "2026-01-31T03:00:00Z", "oldest_backup": "2026-01-01T03:00:00Z"}
    proof = {"finished": "2026-01-31T05:00:00Z", "oldest_backup": "2026-01-02T03:00:00Z"}
    plain = {"job": "x", "seconds": 9.5, "succeeded": True, "backups": 7}
    cronjob = _cronjob([], LAST_SUCCESS=plain | success, LAST_PROOF=plain | proof)
    figure = workload_figures(cronjob, "", due_at(cronjob), 300, 21_600)[families.FIRST_RESTORABLE]
    assert figure == ((), datetime(2026, 1, 2, 3, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("runs", "notes", "new"),
    [
        ([], ["standby"], 0),
        ([{"notes": ["standby"]}], ["standby"], 0),
        ([{"notes": ["standby"]}, {}], ["standby"], 1),
        ([{"notes": ["standby"]}, {"notes": ["standby"]}, {}], ["standby"], 1),
        ([*[{"notes": ["standby"]}] * 8, {}], ["standby"], 0),
        ([{"notes": []}, {"notes": ["standby"]}], [], 0),
    ],
)
def test_notes_are_new_until_seven_runs_have_had_them(
    runs: list[dict[str, Any]], notes: list[str], new: int
) -> None:
    dated = [run | {"finished": f"2026-01-{20 - age}T03:00:00Z"} for age, run in enumerate(runs)]
    record = {"finished": "2026-01-20T03:00:00Z", "notes": notes, "succeeded": True}
    figures = workload_figures(_cronjob(dated, LAST_SUCCESS=record), "", None, 300, 21_600)
    by_name = {family.name: value for family, (_, value) in figures.items()}
    assert by_name["ksnapshot_backup_notes"] == len(notes)
    assert by_name["ksnapshot_backup_new_notes"] == new


def test_runs_that_a_history_gained_are_new_but_not_one_that_only_grew() -> None:
    before = _cronjob(_MANY[1::-1], LAST_RESULT={"job": "a"})
    after = _cronjob(_MANY[3::-1], LAST_RESULT={"job": "c"})
    assert [run.finished for run in new_runs(before, after)] == [
        "2026-01-04T03:00:00Z",
        "2026-01-03T03:00:00Z",
    ]
    grown = _cronjob(_MANY[2:0:-1], LAST_RESULT={"job": "a"})
    assert new_runs(before, grown) == []


def test_an_annotation_that_somebody_broke_is_no_figure() -> None:
    world = _World()
    world.passed()
    values = world.cronjob["metadata"]["annotations"]
    broken: tuple[Any, ...] = ("nonsense", "[]", {"finished": 7}, {"finished": "2026", "notes": 7})
    for text in broken:
        values[names.LAST_SUCCESS] = values[names.LAST_RESULT] = (
            text if isinstance(text, str) else json.dumps(text)
        )
        world.passed()
        found = _samples(world.metrics)
        assert not [line for line in found if "last_success_timestamp" in line]


def test_labels_are_escaped() -> None:
    metrics = _metrics()
    row = {"workload": 'demo/d"b\\', "cronjob": "", "state": "unknown", "reason": "x\ny"}
    row["since"] = "2026-01-01T00:00:00Z"
    metrics.update(PassResult(results=(), failures=(), seconds=1.0), {("", "", ""): row}, 1.0)
    text = metrics.exposition().text.decode()
    assert r'reason="x\ny"' in text
    assert r'workload="d\"b\\"' in text


def test_every_metric_of_a_pass_is_among_the_families() -> None:
    world = _World()
    world.passed()
    text = world.metrics.exposition().text.decode()
    told = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert told <= {family.name for family in FAMILIES}


def test_healthz_fails_when_no_pass_ended_for_three_intervals_and_timeouts() -> None:
    clock = [0.0]
    health = Health(settings(), clock=lambda: clock[0])
    clock[0] = 3 * (60 + 30)
    assert health.alive()
    clock[0] += 1
    assert not health.alive()
    health.beat()
    assert health.alive()


def test_readyz_waits_for_the_first_pass_or_for_another_one_that_leads() -> None:
    health = Health(settings())
    assert not health.ready()
    health.beat()
    assert not health.ready()
    health.end_pass()
    assert health.ready()
    health.stand_by(is_ready=False)
    assert not health.ready()
    health.stand_by(is_ready=True)
    assert health.ready()


def test_who_stands_by_is_alive() -> None:
    clock = [0.0]
    health = Health(settings(), clock=lambda: clock[0])
    clock[0] = 1000
    health.stand_by(is_ready=False)
    assert health.alive()


@pytest.mark.parametrize(
    ("path", "code"), [("/healthz", 200), ("/readyz", 503), ("/ready", 404), ("/", 404)]
)
def test_probes_answer(path: str, code: int) -> None:
    server = serve(0, Health(settings()), _metrics().exposition)
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
    connection.request("GET", path)
    assert connection.getresponse().status == code
    connection.close()
    server.shutdown()
    server.server_close()


def test_who_stands_by_tells_nothing_of_workloads_and_not_what_it_knew_before() -> None:
    world, leads = _World(), [False]
    world.metrics = Metrics(settings(), CallCounts(), leads=lambda: leads[0])
    standing_by = {"ksnapshot_leader": 0.0, f'ksnapshot_build_info{{version="{VERSION}"}}': 1.0}
    assert _samples(world.metrics) == standing_by
    leads[0] = True
    world.passed()
    assert _samples(world.metrics)["ksnapshot_leader"] == 1
    assert [line for line in _samples(world.metrics) if DB in line]
    leads[0] = False
    assert _samples(world.metrics) == standing_by
    world.metrics.forget()
    leads[0] = True
    assert _samples(world.metrics) == {}
    world.api.fail("Pod", "demo")
    world.passed(1)
    # The good pass was of another time.
    assert "ksnapshot_last_successful_pass_timestamp_seconds" not in _samples(world.metrics)
    assert [line for line in _samples(world.metrics) if DB in line]


def test_healthz_and_metrics_answer_on_ipv4_and_ipv6() -> None:
    world = _World()
    world.passed()
    server = serve(0, Health(settings()), world.metrics.exposition)
    port = server.server_address[1]
    addresses = ["127.0.0.1", *(["::1"] if socket.has_dualstack_ipv6() else [])]
    for address in addresses:
        connection = http.client.HTTPConnection(address, port, timeout=5)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()
    for accept, unpack in (("", bytes), ("gzip;q=1.0,*;q=0.1", gzip.decompress)):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/metrics", headers={"Accept-Encoding": accept})
        body = connection.getresponse().read()
        assert unpack(body) == world.metrics.exposition().text
        connection.close()
    server.shutdown()
    server.server_close()
