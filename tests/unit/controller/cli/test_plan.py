import copy
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from controller.cli.main import main
from controller.cli.plan import render
from controller.model.status import ReadFailure
from controller.observe.view_yaml import ReplayError, load
from controller.settings.settings import Settings
from tests.fakes.recipients import RECIPIENTS
from tests.paths import GOLDEN

ENV = {"WATCH_NAMESPACES": "demo"}


def shown(case: str) -> str:
    file = str(GOLDEN / case / "view.yaml")
    result = CliRunner().invoke(main, ["plan", "--from-file", file], env=ENV)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_plan_says_what_and_why_and_hides_secret_values() -> None:
    text = shown("manifests/wanted-new")
    assert "demo/db  wanted (Annotated)" in text
    assert "+ create CronJob ksnapshot-postgresql-demo-db-" in text
    assert "data: (hidden)" in text
    assert "2 writes" in text
    for value in ("c2VjcmV0", "c2hvcA=="):
        assert value not in text
    assert "bmV3" not in shown("credentials/secret-rotated")


def test_what_could_not_be_read_fails_a_strict_plan() -> None:
    cases = (GOLDEN / "manifests/steady", GOLDEN / "absence/namespace-forbidden")
    results = [
        CliRunner().invoke(main, ["plan", "--from-file", str(case / "view.yaml"), *more], env=ENV)
        for case in cases
        for more in ([], ["--strict"])
    ]
    assert [result.exit_code for result in results] == [0, 0, 0, 1]


def test_the_class_of_a_workload_is_told() -> None:
    case = "classes/named"
    document = yaml.safe_load((GOLDEN / case / "view.yaml").read_text())
    file = str(GOLDEN / case / "view.yaml")
    result = CliRunner().invoke(main, ["plan", "--from-file", file], env=ENV | document["settings"])
    assert "demo/db  wanted (Annotated)\n    class gold\n" in result.output
    assert "    class " not in shown("manifests/steady")


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_every_fault_of_the_classes_is_told_before_anything_is_done(verb: str) -> None:
    classes = '{"gold": {"schedule": "daily"}, "silver": {"retention": "all"}}'
    result = CliRunner().invoke(main, [verb], env=ENV | {"CLASSES": classes})
    assert result.exit_code == 1
    assert [line.partition(": ")[2].partition(": ")[0] for line in result.output.splitlines()] == [
        "classes.gold.schedule",
        "classes.silver.retention",
        "classes.silver.schedule",
    ]


def test_a_kept_cronjob_tells_its_next_run() -> None:
    assert "next run 2026-01-01 03:00 UTC" in shown("manifests/steady")
    assert "0 writes" in shown("manifests/steady")


def test_a_kept_cronjob_tells_the_notes_on_its_last_backup(tmp_path: Path) -> None:
    text = (GOLDEN / "results/result-kept/view.yaml").read_text()
    told = text.replace(
        '"finished": "2026-01-01T03:00:09Z",',
        '"finished": "2026-01-01T03:00:09Z", "notes": ["globals"], "accepted": ["standby"],',
    )
    file = tmp_path / "view.yaml"
    file.write_text(told)
    result = CliRunner().invoke(main, ["plan", "--from-file", str(file)], env=ENV)
    notes = "last backup, 2026-01-01 03:00 UTC, with notes: globals, standby (accepted)"
    assert notes in result.output
    assert "last backup" not in shown("results/result-kept")


def test_a_failed_read_is_told_first() -> None:
    assert shown("isolation/list-pods-403").startswith("! GET: 403")


@pytest.mark.parametrize(
    "text", ["", "[]", "now: later", "{", "now: 2026-01-01T00:00:00Z\ncluster: []"]
)
def test_a_file_without_a_view_is_told(text: str, tmp_path: Path) -> None:
    with pytest.raises(ReplayError):
        load(text)
    file = tmp_path / "view.yaml"
    file.write_text(text)
    result = CliRunner().invoke(main, ["plan", "--from-file", str(file)], env=ENV)
    assert result.exit_code == 1
    assert "no view" in result.output


def test_all_faults_of_the_settings_are_told_at_once() -> None:
    env = {"WATCH_NAMESPACES": "", "MODE": "x", "HTTP_PORT": "y"}
    result = CliRunner().invoke(main, ["run"], env=env)
    assert result.exit_code == 1
    assert result.output.count("error: ") == 3


@pytest.mark.parametrize(
    "content",
    [
        b"a: &hidden [",
        b"\xff\xfe\xfdhidden",
        b"now: hidden",
        b"now: 2026-01-01T00:00:00Z\nnamespaces: {demo: {pods: hidden}}",
        b"now: 2026-01-01T00:00:00Z\nnamespaces: {demo: {pods: [hidden]}}",
        b"now: 2026-01-01T00:00:00Z\ncontrol: {cronjobs: [hidden]}",
    ],
)
def test_no_content_of_a_broken_file_is_told(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "view.yaml"
    file.write_bytes(content)
    result = CliRunner().invoke(main, ["plan", "--from-file", str(file)], env=ENV)
    assert "hidden" not in result.output
    assert "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit | None)


@pytest.mark.parametrize("key", ["AGE-SECRET-KEY-1HUNTER2", "QUdFLVNFQ1JFVC1HUNTER2", "1HUNTER2"])
def test_a_private_key_that_an_older_version_wrote_is_not_shown(key: str) -> None:
    view = load((GOLDEN / "manifests/adopted-from-0.6.0/view.yaml").read_text())
    assert not isinstance(view.control.cronjobs, ReadFailure)
    (cronjob,) = view.control.cronjobs
    leaking = copy.deepcopy(cronjob)
    pod = leaking["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    entry = {"name": "ENCRYPTION_RECIPIENT", "value": key}
    how = {"DEFAULT_ENCRYPTION_ENABLED": "true", "DEFAULT_ENCRYPTION_RECIPIENT": RECIPIENTS[0]}
    for env in (ENV, ENV | how):
        pod["containers"][0]["env"] = [*pod["containers"][0]["env"], entry]
        control = replace(view.control, cronjobs=(leaking,))
        lines = list(render(replace(view, control=control), Settings.from_env(env)))
        assert [line for line in lines if "ENCRYPTION_RECIPIENT" in line]
        assert "HUNTER2" not in "".join(lines)
