"""The user's command against a real API server, through the real kubectl."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.model import names
from release import command as release
from tests.integration.controller.command import Command, Json, installed, write_status
from tests.integration.controller.world import database, running_job
from tests.testbed.cluster.apiserver import WRITES, ApiServer
from tests.testbed.toolchain.tools import tool

_WORKLOADS = 300
# Others ask, too: the API server itself.
_ADMIN = "testbed-admin"


@pytest.fixture(scope="module")
def command(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    with installed(apiserver, tmp_path_factory.mktemp("home"), workloads=_WORKLOADS) as made:
        yield made


def test_status_of_many_workloads_asks_four_times_and_the_control_namespace_only(
    command: Command,
) -> None:
    world = command.world
    space = world.watched[0]
    meta = {"name": "ksnapshot-status", "namespace": world.control}
    world.api.delete({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    older = command.run("status")
    assert older.returncode == 0, older.stderr
    assert "the controller writes no ConfigMap ksnapshot-status" in older.stderr
    lacking = {
        "workload": f"{space}/search",
        "kind": "StatefulSet",
        "type": "elasticsearch",
        "cronjob": "",
        "state": "unknown",
        "reason": "ServiceMissing",
        "message": "no Service selects its pods",
        "since": "2026-01-01T00:00:00Z",
    }
    write_status(command, [lacking])
    run = running_job(world, world.cronjobs()[names.cronjob_name("postgresql", f"{space}/copy-7")])
    mark = world.server.audit_mark()
    document = command.json("status")
    events = world.server.audit_events(mark, user=_ADMIN)
    assert sorted(event.resource for event in events) == [
        "configmaps",
        "cronjobs",
        "deployments",
        "jobs",
    ]
    assert {event.namespace for event in events} == {world.control}
    assert not [event for event in events if event.verb in WRITES]
    assert document["controller"]["name"] == "ksnapshot"
    rows = {row["workload"]: row for row in document["workloads"]}
    assert len(rows) == _WORKLOADS + 1
    assert rows[f"{space}/search"]["fix"].startswith("create a Service")
    assert rows[f"{space}/search"]["state"] == "unknown"
    assert rows[f"{space}/search"]["cronjob"] == ""
    assert [item["job"] for item in rows[f"{space}/copy-7"]["running"]] == [run["metadata"]["name"]]
    good = rows[f"{space}/copy-1"]
    assert (good["state"], good["reason"], good["problem"]) == ("wanted", "Annotated", False)
    assert good["last_success"]["stored_bytes"] == 1 << 30
    (whole,) = command.json("status", f"{space}/copy-1")["workloads"]
    assert len(whole.pop("history")) == 30
    assert whole == good
    assert good["next_run"].endswith(":01:00Z")
    bad = rows[f"{space}/copy-10"]
    assert bad["last_result"]["outcome"] == "failed"
    assert bad["last_success"]["finished"] == "2026-01-01T03:00:41Z"
    failed = command.json("status", "--failed")["workloads"]
    assert {row["workload"] for row in failed} == {
        f"{space}/copy-{number}" for number in range(0, _WORKLOADS - 1, 10)
    }
    world.api.delete(run)


def test_without_the_right_to_read_the_status_what_is_backed_up_is_shown(command: Command) -> None:
    person = command.viewer("half-blind", without="configmaps")
    done = command.run("status", identity=person)
    assert done.returncode == 0, done.stderr
    assert "the controller's status cannot be read" in done.stderr
    assert "configmaps" in done.stderr
    assert command.owner in done.stdout
    read = command.run("status", "--output", "json", identity=person)
    document = json.loads(read.stdout)
    assert document["status_known"] is False
    assert {row["state"] for row in document["workloads"]} == {None}
    assert len(document["workloads"]) == _WORKLOADS
    # What is not known is not said to be well, or not to be there.
    missed = command.run("status", "nothing-like-it", identity=person)
    assert missed.returncode == 3
    assert "the controller's status cannot be read" in missed.stderr
    assert missed.stderr.count("\n") == 1


def test_status_of_one_workload_tells_all_and_suggests_near_misses(command: Command) -> None:
    space = command.world.watched[0]
    done = command.run("status", f"{space}/copy-10")
    assert done.returncode == 0, done.stderr
    for part in ("password authentication failed", "SourceRefused", "1.0 GiB", "copy-10"):
        assert part in done.stdout
    assert "correct the login" in done.stdout
    missed = command.run("status", "copi-10", "-n", space)
    assert missed.returncode == 3
    assert f"did you mean {space}/copy-10" in missed.stderr
    assert missed.stderr.count("\n") == 1


def test_the_zipapp_runs_where_nothing_but_python_is_installed(
    command: Command, tmp_path: Path
) -> None:
    file = release.build(tmp_path / "ksnapshot")

    def alone(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-S", file, *arguments],
            env=command.environment(),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    for output in ("json", "yaml"):
        done = alone("status", command.owner, "--output", output)
        assert done.returncode == 0, done.stderr
        assert command.owner in done.stdout
    lacking = alone("plan")
    assert lacking.returncode == 1
    assert lacking.stderr.startswith("error: `plan` needs Python packages")
    assert "kubernetes" in lacking.stderr


def test_the_controller_is_found_by_the_context_and_elsewhere(command: Command) -> None:
    world = command.world
    seen = command.run("status", command.owner, KSNAPSHOT_NAMESPACE="")
    assert seen.returncode == 0, seen.stderr
    kubectl = [str(tool("kubectl")), "config", "set-context", "--current"]
    env = command.environment()
    subprocess.run([*kubectl, f"--namespace={world.control}"], env=env, check=True)
    mark = world.server.audit_mark()
    named = command.run("status", KUBECONFIG=env["KUBECONFIG"], KSNAPSHOT_NAMESPACE="")
    assert named.returncode == 0, named.stderr
    assert len(world.server.audit_events(mark, user=_ADMIN)) == 4
    nobody = command.run("status", KSNAPSHOT_NAMESPACE="default")
    assert nobody.returncode == 3
    assert nobody.stderr.startswith("error: there is no controller in namespace default")


def test_a_backup_is_the_job_that_kubectl_would_make(command: Command) -> None:
    world = command.world
    cronjob = command.cronjob()
    arguments = ["create", "job", "x", f"--from=cronjob/{cronjob['metadata']['name']}"]
    dry = [f"--namespace={world.control}", "--dry-run=server", "--output=json"]
    theirs = json.loads(
        subprocess.run(
            [tool("kubectl"), *arguments, *dry],
            env=command.environment(),
            check=True,
            capture_output=True,
        ).stdout
    )
    done = command.run("backup", command.owner)
    assert done.returncode == 0, done.stderr
    (ours,) = (job for job in command.jobs() if job["metadata"]["name"] in done.stdout)
    assert ours["metadata"]["name"].startswith("ksnapshot-backup-")
    for part in ("annotations", "ownerReferences"):
        assert ours["metadata"][part] == theirs["metadata"][part]
    assert _without_own_names(ours) == _without_own_names(theirs)
    again = command.run("backup", command.owner)
    assert again.returncode == 6
    assert "--even-if-running" in again.stderr
    both = command.run("backup", command.owner, "--even-if-running")
    assert both.returncode == 0, both.stderr
    many = command.run("cancel", command.owner)
    assert many.returncode == 2
    assert ours["metadata"]["name"] in many.stderr
    for name in (ours["metadata"]["name"], both.stdout.split()[1]):
        stopped = command.run("cancel", name)
        assert stopped.returncode == 0, stopped.stderr
        assert f"a backup of {command.owner}" in stopped.stdout
    assert not command.jobs()
    assert command.run("cancel", command.owner).returncode == 3


def _without_own_names(job: Json) -> Json:
    """The spec, without what the API server makes of name and uid."""
    spec: Json = json.loads(json.dumps(job["spec"]))
    del spec["selector"]
    for key in list(spec["template"]["metadata"]["labels"]):
        if key.endswith(("controller-uid", "job-name")):
            del spec["template"]["metadata"]["labels"][key]
    return spec


def test_without_rights_it_says_which_is_missing_in_one_line(command: Command) -> None:
    server = command.world.server
    nobody = command.run("status", identity=server.identity_of("nobody-at-all"))
    assert nobody.returncode == 4
    assert nobody.stderr.startswith("error: ")
    assert nobody.stderr.count("\n") == 1
    assert "deployments" in nobody.stderr
    viewer = command.viewer("looks-only")
    seen = command.run("status", identity=viewer)
    assert seen.returncode == 0, seen.stderr
    refused = command.run("backup", command.owner, identity=viewer)
    assert refused.returncode == 4
    assert 'cannot create resource "jobs"' in refused.stderr
    assert not command.jobs()


def test_plan_takes_the_settings_of_the_installed_controller(command: Command) -> None:
    done = command.run("plan")
    assert done.returncode == 0, done.stderr
    assert f"with the settings of the controller {command.world.control}/ksnapshot" in done.stderr
    assert f"{command.owner}  wanted (Annotated)" in done.stdout


def test_without_kubectl_or_context_it_says_so(command: Command, tmp_path: Path) -> None:
    lacking = command.run("status", KSNAPSHOT_KUBECTL="kubectl-that-is-not-there")
    assert lacking.returncode == 5
    assert "install kubectl" in lacking.stderr
    nowhere = command.run("status", KUBECONFIG=str(tmp_path / "none"))
    assert nowhere.returncode == 5
    assert "no current context" in nowhere.stderr
    expired = command.environment()
    kubeconfig = Path(expired["KUBECONFIG"])
    token = command.world.server.admin.token
    assert token
    other = tmp_path / "expired"
    other.write_text(kubeconfig.read_text().replace(token, "expired"))
    refused = command.run("status", KUBECONFIG=str(other))
    assert refused.returncode == 5
    assert "log in again" in refused.stderr


def test_databases_that_nothing_backs_up_are_found(command: Command) -> None:
    world = command.world
    space = world.watched[0]
    database(world.api, space, "forgotten", enabled="false")
    elsewhere = world.server.create_namespace(f"else-{space}")
    database(world.api, elsewhere, "unseen")
    found = {
        item["workload"]: item for item in command.json("status", "--unprotected")["unprotected"]
    }
    assert command.owner not in found
    assert found[f"{space}/forgotten"]["reason"] == "NotAnnotated"
    assert found[f"{space}/forgotten"]["kind"] == "StatefulSet"
    assert found[f"{elsewhere}/unseen"]["reason"] == "NamespaceUnwatched"
    viewer = command.viewer("sees-no-pods")
    shown = command.run("status", "--unprotected", identity=viewer)
    assert shown.returncode == 0, shown.stderr
    assert f"you may not list pods in: {space}" in shown.stderr
    assert "forgotten" not in shown.stdout
