import http.client
import json
import socket

from controller.model import names
from controller.report.http_server import Health, serve
from controller.report.metrics import Metrics
from tests.fakes.worlds import DB, cluster, job, one_pass, settings, small


def test_the_figures_of_a_pass() -> None:
    api = cluster(*small())
    one_pass(api)
    cronjob = api.items["CronJob", "ksnapshot", DB]
    api.put(job(cronjob, ended="2026-01-01T03:00:09Z"))
    metrics = Metrics()
    assert metrics.text() == b""
    metrics.update(one_pass(api), now=1000.0)
    text = metrics.text().decode()
    assert 'ksnapshot_workloads{reason="Annotated",state="wanted"} 1.0' in text
    assert "ksnapshot_last_successful_pass_timestamp_seconds 1000.0" in text
    labels = f'{{cronjob="{DB}",namespace="demo",workload="db"}}'
    # 2026-01-01T03:00:09Z
    assert f"ksnapshot_last_successful_dump_timestamp_seconds{labels} 1.767236409e+09" in text
    assert f"ksnapshot_last_dump_succeeded{labels} 1.0" in text


def test_a_failed_pass_does_not_move_the_last_successful_one() -> None:
    api, metrics = cluster(*small()), Metrics()
    metrics.update(one_pass(api), now=1000.0)
    api.fail("Pod", "demo")
    metrics.update(one_pass(api), now=2000.0)
    assert b"last_successful_pass_timestamp_seconds 1000.0" in metrics.text()
    assert b'reason="ReadForbidden",state="unknown"' in metrics.text()


def test_an_annotation_that_somebody_broke_is_no_figure() -> None:
    api, metrics = cluster(*small()), Metrics()
    one_pass(api)
    values = api.items["CronJob", "ksnapshot", DB]["metadata"]["annotations"]
    for broken in ("nonsense", "[]", json.dumps({"finished": 7})):
        values[names.LAST_SUCCESS] = values[names.LAST_RESULT] = broken
        metrics.update(one_pass(api), now=1.0)
        assert b"last_successful_dump_timestamp_seconds{" not in metrics.text()


def test_healthz_fails_when_no_pass_ended_for_three_intervals_and_timeouts() -> None:
    clock = [0.0]
    health = Health(settings(), clock=lambda: clock[0])
    clock[0] = 3 * (60 + 30)
    assert health.alive()
    clock[0] += 1
    assert not health.alive()
    health.beat()
    assert health.alive()


def test_healthz_answers_on_ipv4_and_ipv6() -> None:
    server = serve(0, Health(settings()), bytes)
    port = server.server_address[1]
    addresses = ["127.0.0.1", *(["::1"] if socket.has_dualstack_ipv6() else [])]
    for address in addresses:
        connection = http.client.HTTPConnection(address, port, timeout=5)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()
    server.shutdown()
    server.server_close()
