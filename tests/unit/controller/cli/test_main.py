import json
import re
import signal
import socket
from threading import Event

import pytest
from click.testing import CliRunner

from controller.cli import run
from controller.cli.main import main
from controller.kube.client import Kube
from tests.fakes.kube_memory import MemoryApi
from tests.paths import REPOSITORY


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Kube]:
    """The clusters that a command connected to, each of which is empty."""
    made: list[Kube] = []

    def connect(_: object, stopping: Event) -> Kube:
        assert not stopping.is_set()
        made.append(MemoryApi())
        return made[-1]

    monkeypatch.setattr(run, "connect", connect)
    # The handlers of the tests' own process stay.
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return made


def test_without_a_verb_there_is_help_and_no_operator(connections: list[Kube]) -> None:
    result = CliRunner().invoke(main, [], env={"WATCH_NAMESPACES": "demo"})
    assert result.exit_code == 0
    assert "Usage:" in result.output
    assert "run " in result.output
    assert not connections


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_taken_port_is_an_error_with_the_port_and_its_setting(
    connections: list[Kube], address: str
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as taken:
        taken.bind((address, 0))
        taken.listen()
        port = taken.getsockname()[1]
        env = {"WATCH_NAMESPACES": "demo", "HTTP_PORT": str(port)}
        result = CliRunner().invoke(main, ["run"], env=env)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    for part in ("error: ", str(port), "HTTP_PORT", "controller.httpPort"):
        assert part in result.output
    assert "Traceback" not in result.output
    assert len(connections) == 1


def test_the_image_runs_the_operator_where_no_arguments_are_given() -> None:
    text = (REPOSITORY / "images" / "controller" / "Dockerfile").read_text()
    words = [
        word
        for name in ("ENTRYPOINT", "CMD")
        for found in re.findall(rf"^{name} (\[.*\])$", text, re.MULTILINE)
        for word in json.loads(found)
    ]
    assert words[1:] == ["-m", "controller", "run"]
