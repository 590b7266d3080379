"""The page over HTTP: its headers, and to whom it answers."""

import base64
import hashlib
import http.client
import re
import socket
from collections.abc import Iterator

import pytest

from controller.report.page.server import serve_page
from controller.report.page.status_page import Answer, StatusPage
from controller.settings.listen import Listen
from tests.fakes.worlds import settings
from tests.unit.controller.report.page.test_status_page import one


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = serve_page(Listen(address="127.0.0.1", port=0), one().page)
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()


def ask(
    port: int, target: str = "/", method: str = "GET", host: str | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, target, skip_host=host is not None)
    if host:
        connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    return answer, answer.read()


def test_a_browser_may_do_nothing_but_show_it(port: int) -> None:
    answer, body = ask(port)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";")
    )
    (style,) = re.findall(rb"<style>(.*?)</style>", body, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Python" not in answer.headers["Server"]
    assert not re.search(rb"<script|<form|<iframe|<img|<link| style=|javascript:|https?://", body)
    assert b"prefers-color-scheme:dark" in style


def test_head_and_other_methods(port: int) -> None:
    got, body = ask(port)
    answer, nothing = ask(port, method="HEAD")
    assert (answer.status, nothing) == (200, b"")
    assert answer.headers["Content-Length"] == got.headers["Content-Length"] == str(len(body))
    for method in ("POST", "PUT", "DELETE"):
        assert ask(port, method=method)[0].status == 501
    assert ask(port, "/metrics")[0].status == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LocalHost:9999", 200),
        ("127.0.0.1:8081", 200),
        ("127.1.2.3", 200),
        ("[::1]:8081", 200),
        ("evil.example", 421),
        ("evil.example:8081", 421),
        ("localhost.evil.example", 421),
        ("10.1.2.3:8081", 421),
        ("", 421),
    ],
)
def test_on_loopback_it_answers_to_loopback_names_only(port: int, host: str, status: int) -> None:
    answer, body = ask(port, host=host)
    assert answer.status == status
    assert (b"demo/db" in body) is (status == 200)


def test_elsewhere_it_answers_to_any_name() -> None:
    page: StatusPage = one().page
    server = serve_page(Listen(address="0.0.0.0", port=0), page)
    try:
        assert ask(int(server.server_address[1]), host="backups.example")[0].status == 200
    finally:
        server.shutdown()
        server.server_close()


def test_a_fault_of_ours_is_logged_by_its_place_alone(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    class Broken(StatusPage):
        def answer(self, target: str) -> Answer:
            raise ValueError(target)

    server = serve_page(Listen(address="127.0.0.1", port=0), Broken(settings()))
    try:
        with pytest.raises(http.client.RemoteDisconnected):
            ask(int(server.server_address[1]), "/pl4nted")
    finally:
        server.shutdown()
        server.server_close()
    (line,) = [item for item in caplog.records if item.name.endswith("web_server")]
    told = str(line.__dict__)
    assert ("ValueError" in told, "pl4nted" in told) == (True, False)
    assert "pl4nted" not in capfd.readouterr().err


def test_a_port_that_is_taken_is_an_error(port: int) -> None:
    with pytest.raises(OSError, match="in use"):
        serve_page(Listen(address="127.0.0.1", port=port), one().page)


def test_all_of_ipv6_is_all_of_ipv4_too() -> None:
    # A machine without IPv6 has nothing to tell apart.
    address = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"
    server = serve_page(Listen(address=address, port=0), one().page)
    try:
        assert ask(int(server.server_address[1]))[0].status == 200
    finally:
        server.shutdown()
        server.server_close()
