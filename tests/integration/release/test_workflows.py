"""The workflows, as far as they can be judged without running them where they run."""

import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from dumpers.engines.registry import ENGINES
from tests import libyaml
from tests.demo import images
from tests.paths import REPOSITORY
from tests.testbed.toolchain.tools import tool

_FOLDER = REPOSITORY / ".github" / "workflows"
WORKFLOWS = sorted(_FOLDER.glob("*.yml"))
_MAKE = (REPOSITORY / "Makefile").read_text()

# `on` is a key that YAML takes for true.
Json = dict[Any, Any]

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def _read(path: Path) -> Json:
    document: Json = libyaml.read(path.read_text())
    return document


def _release() -> Json:
    return _read(_FOLDER / "release.yml")


def test_there_are_workflows() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml"]


def test_actionlint_has_nothing_to_say() -> None:
    done = subprocess.run(
        [tool("actionlint"), "-no-color", *WORKFLOWS],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_zizmor_has_nothing_to_say() -> None:
    program = Path(sysconfig.get_path("scripts")) / "zizmor"
    done = subprocess.run(
        [program, "--offline", "--no-progress", "--persona=pedantic", _FOLDER.parent],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "No findings to report" in done.stdout


@each_workflow
def test_every_action_is_pinned_by_its_commit_and_says_its_version(path: Path) -> None:
    uses = re.findall(r"uses: (\S+)(.*)$", path.read_text(), re.MULTILINE)
    foreign = [(action, rest) for action, rest in uses if not action.startswith("./")]
    assert foreign
    for action, rest in foreign:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action)
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", rest), action


def test_one_action_has_one_commit_everywhere() -> None:
    text = "".join(path.read_text() for path in WORKFLOWS)
    pinned = set(re.findall(r"uses: ([\w.-]+/[\w.-]+)@(\S+)", text))
    assert len({action for action, _ in pinned}) == len(pinned)


@each_workflow
def test_nothing_is_allowed_but_what_a_job_asks_for(path: Path) -> None:
    document = _read(path)
    assert document["permissions"] == {}
    for name, job in document["jobs"].items():
        assert job["permissions"], name
        assert isinstance(job["permissions"], dict), name


def test_only_jobs_of_a_release_may_write() -> None:
    for job in _read(_FOLDER / "ci.yml")["jobs"].values():
        assert job["permissions"] == {"contents": "read"}
    # A release is made of a tag, by nothing else.
    assert _release()[True] == {"push": {"tags": ["v*"]}}


@each_workflow
def test_every_target_of_make_is_there(path: Path) -> None:
    asked = {
        target
        for job in _read(path)["jobs"].values()
        for step in job.get("steps", [])
        for line in re.findall(r"^make (.+)$", step.get("run", ""), re.MULTILINE)
        for target in line.split()
    }
    assert asked
    assert asked <= set(re.findall(r"^([a-z-]+):.*## ", _MAKE, re.MULTILINE))


def test_every_image_is_built_under_every_name_that_the_controller_asks_for() -> None:
    matrix = _release()["jobs"]["images"]["strategy"]["matrix"]["include"]
    built = {
        name: item["engine"] for item in matrix for name in (item["name"], item.get("also")) if name
    }
    asked = {
        image.repository.rpartition("/")[2]: engine.type
        for engine in ENGINES
        for image in engine.images
    }
    assert built == {images.CONTROLLER: "", **asked}
    for item in matrix:
        assert (REPOSITORY / item["dockerfile"]).is_file()


def _resolve(folder: Path, says: str) -> subprocess.CompletedProcess[str]:
    """Run the step that looks up the bases, with a docker that says this."""
    (step,) = [item for item in _release()["jobs"]["files"]["steps"] if item.get("id") == "bases"]
    docker = folder / "docker"
    docker.write_text(f"#!/bin/sh\n{says}\n")
    docker.chmod(0o755)
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=REPOSITORY,
        env={"PATH": f"{folder}:/usr/bin:/bin", "GITHUB_OUTPUT": str(folder / "output")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_bases_of_a_release_are_by_digest(tmp_path: Path) -> None:
    digest = f"sha256:{'0a' * 32}"
    assert _resolve(tmp_path, f'echo "$@" >> {tmp_path}/asked; echo {digest}').returncode == 0
    said = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    for file in ("controller", "dumper"):
        text = (REPOSITORY / "images" / file / "Dockerfile").read_text()
        names = dict(re.findall(r"^ARG (BASE|MYSQL)=(\S+)$", text, re.MULTILINE))
        assert {said[argument] for argument in names} == {f"{n}@{digest}" for n in names.values()}
        # Whatever is not one of ours comes from an argument.
        stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE))
        froms = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))
        assert froms - stages <= {"${BASE}", "${MYSQL}", "engine-${ENGINE}"}
    assert said["BASE_DIGEST"] == said["MYSQL_DIGEST"] == digest
    build = _release()["jobs"]["images"]["steps"]
    (given,) = [item["with"] for item in build if item.get("id") == "build"]
    assert "BASE=${{ needs.files.outputs.base }}\n" in given["build-args"]
    assert "MYSQL=${{ needs.files.outputs.mysql }}\n" in given["build-args"]
    assert "image.base.digest=${{ needs.files.outputs.base-digest }}\n" in given["labels"]


@pytest.mark.parametrize("says", ["exit 1", "echo", "echo latest", "echo sha256:0a"])
def test_without_a_digest_there_is_no_release(tmp_path: Path, says: str) -> None:
    assert _resolve(tmp_path, says).returncode != 0


def test_everything_waits_for_the_tests() -> None:
    jobs = _release()["jobs"]
    first = jobs["ci"]["uses"]
    assert (REPOSITORY / first).is_file()
    for name in set(jobs) - {"ci"}:
        assert "ci" in _before(name, jobs), name


def _before(name: str, jobs: Json) -> set[str]:
    """The jobs that a job waits for, and those that these wait for."""
    needs = jobs[name].get("needs", [])
    direct = {needs} if isinstance(needs, str) else set(needs)
    return direct.union(*(_before(other, jobs) for other in direct))
