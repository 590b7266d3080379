import json
import re
import signal
import socket
import subprocess
import sys
from threading import Event

import click
import pytest
from click.testing import CliRunner

from controller.cli import run
from controller.cli.main import VERBS, main
from controller.kube.client import Kube
from controller.kube.kubectl import Kubectl
from tests.fakes.kube_memory import MemoryApi
from tests.paths import REPOSITORY


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Kube]:
    """The clusters that a command connected to, each of which is empty."""
    made: list[Kube] = []

    def connect(_: object, stopping: Event, **_options: object) -> Kube:
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


@pytest.mark.parametrize(
    ("options", "env", "is_debug", "is_json"),
    [
        ((), {}, False, True),
        ((), {"LOG_LEVEL": "debug", "LOG_FORMAT": "text"}, True, False),
        (("--log-level", "info"), {"LOG_LEVEL": "debug"}, False, True),
        (("--log-level=debug", "--log-format=text"), {}, True, False),
    ],
)
@pytest.mark.usefixtures("connections", "logging_as_it_was")
def test_level_and_format_of_the_log_are_settings_that_options_overrule(
    options: tuple[str, ...], env: dict[str, str], *, is_debug: bool, is_json: bool
) -> None:
    asked = ["run", "--once", *options]
    result = CliRunner().invoke(main, asked, env={"WATCH_NAMESPACES": "demo"} | env)
    lines = [line for line in result.stderr.splitlines() if "pass finished" in line]
    assert len(lines) == 1
    assert lines[0].startswith("{") == is_json
    assert ("status written" in result.stderr) == is_debug


@pytest.mark.parametrize(("variable", "option"), [("LOG_LEVEL", "level"), ("LOG_FORMAT", "format")])
def test_a_wrong_level_or_format_is_named(
    connections: list[Kube], variable: str, option: str
) -> None:
    env = {"WATCH_NAMESPACES": "demo"}
    told = CliRunner().invoke(main, ["run", "--once"], env=env | {variable: "loud"})
    assert told.exit_code == 1
    assert f"error: {variable} is 'loud': it must be one of:" in told.output
    asked = CliRunner().invoke(main, ["run", "--once", f"--log-{option}=loud"], env=env)
    assert asked.exit_code == 2
    assert "loud" in asked.output
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


@pytest.mark.parametrize("name", VERBS)
def test_the_list_of_verbs_says_what_each_verb_says_of_itself(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command
    assert command.name == name
    assert (command.help or "").splitlines()[0] == VERBS[name].help


@pytest.mark.parametrize("verbs", [["--help"], [name for name in VERBS if not VERBS[name].needs]])
def test_the_users_verbs_load_nothing_that_is_compiled(verbs: list[str]) -> None:
    code = f"""
import sys
for name in ("kubernetes", "msgspec", "pyrage", "isal", "botocore", "urllib3", "yaml"):
    sys.modules[name] = None
from controller.cli.main import main
for verb in {verbs!r}:
    main([verb, "--help"] if verb[0] != "-" else [verb], standalone_mode=False)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "shown"),
    [
        (["statsu"], 2, "there is no verb 'statsu'; did you mean status?"),
        (["xyz"], 2, "there is no verb 'xyz'"),
        (["status", "--nope"], 2, "No such option '--nope'"),
        (["--nope"], 2, "No such option '--nope'"),
        (["status", "-n", "a", "-A"], 2, "exclude each other"),
        (["logs"], 2, "name a workload, or a Job"),
        (["backup"], 2, "Missing argument 'WORKLOAD'"),
    ],
)
def test_a_wrong_use_is_one_line(arguments: list[str], code: int, shown: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code
    assert result.stderr.startswith("error: ")
    assert shown in result.stderr
    assert result.stderr.count("\n") == 1
    assert not result.stdout


def test_a_fault_of_ours_is_one_line_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("hush")

    monkeypatch.setattr(Kubectl, "find", broken)
    result = CliRunner().invoke(main, ["status"])
    assert result.exit_code == 1
    assert "internal error (ZeroDivisionError at test_main.py:" in result.stderr
    assert "hush" not in result.stderr
    asked = CliRunner().invoke(main, ["status"], env={"KSNAPSHOT_DEBUG": "1"})
    assert isinstance(asked.exception, ZeroDivisionError)


def test_verbs_are_completed_without_loading_them() -> None:
    env = {"COMP_WORDS": "ksnapshot st", "COMP_CWORD": "1", "_KSNAPSHOT_COMPLETE": "bash_complete"}
    result = CliRunner().invoke(main, [], prog_name="ksnapshot", env=env)
    assert result.output.split() == ["plain,status"]
