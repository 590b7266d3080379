import json
import os
import stat
import threading
from pathlib import Path

import pytest

from controller.kube import kubectl_errors
from controller.kube.client import (
    CRONJOBS,
    JOBS,
    NAMESPACES,
    SECRETS,
    ConflictError,
    ForbiddenError,
    KubeError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from controller.kube.kubectl import Kubectl, path_of


@pytest.mark.parametrize(
    ("said", "kind", "shown"),
    [
        ('Error from server (NotFound): jobs.batch "x" not found', NotFoundError, "jobs.batch"),
        # Of a whole API that is away: no proof that an object is.
        (
            "Error from server (NotFound): the server could not find the requested resource",
            UnavailableError,
            "could not find",
        ),
        ('Error from server (Forbidden): jobs is forbidden: User "a"', ForbiddenError, "User"),
        ('Error from server (AlreadyExists): jobs "x" already exists', ConflictError, "exists"),
        ("Error from server (Conflict): Operation cannot be fulfilled", ConflictError, "cannot"),
        ("Error from server (BadRequest): no such field", RefusedError, "no such field"),
        ('The Job "x" is invalid: \n* spec.a: Required value', RefusedError, "* spec.a: Required"),
        ("Error from server (Timeout): the server was slow", UnavailableError, "slow"),
        ("error: You must be logged in to the server (Unauthorized)", UnavailableError, "log in"),
        (
            "The connection to the server localhost:8080 was refused",
            UnavailableError,
            "no current context",
        ),
        ('error: context "nope" does not exist', UnavailableError, "no such context"),
        (
            "Unable to connect to the server: getting credentials: exec: executable aws not found",
            UnavailableError,
            "the login program of your kubeconfig failed",
        ),
        ("", UnavailableError, "said nothing"),
        (
            'Warning: x\nE1128 11:49:06.1 1 a.go:2] x\nError from server (NotFound): "x" not found',
            NotFoundError,
            'GET /x: "x" not found',
        ),
    ],
)
def test_what_kubectl_says_becomes_an_error(said: str, kind: type[KubeError], shown: str) -> None:
    error = kubectl_errors.error_of("GET /x", said)
    assert type(error) is kind
    assert shown in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "said",
    [
        'The Secret "x" is invalid: data[a]: Invalid value: "hush"',
        'Error from server (Forbidden): admission webhook "w" denied: hush',
    ],
)
def test_words_about_a_secret_are_hidden(said: str) -> None:
    assert "hush" not in str(kubectl_errors.error_of("POST /secrets", said, hide=True))


def test_paths_of_the_api() -> None:
    assert path_of(JOBS, "a", "b") == "/apis/batch/v1/namespaces/a/jobs/b"
    assert path_of(JOBS, "", labelSelector="x=y", fieldSelector="") == (
        "/apis/batch/v1/jobs?labelSelector=x%3Dy"
    )
    assert path_of(NAMESPACES, "ignored", "a") == "/api/v1/namespaces/a"
    assert path_of(JOBS, "a", "b", sub="status").endswith("/jobs/b/status")


# Stands in for kubectl: notes its arguments and stdin, then answers.
_PROGRAM = """\
#!/bin/sh
printf '%s\\n' "$@" > "{folder}/arguments"
{body}
"""


def program(folder: Path, body: str) -> Kubectl:
    file = folder / "kubectl"
    file.write_text(_PROGRAM.format(folder=folder, body=body))
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return Kubectl(program=str(file), context="here", kubeconfig="there", timeout=5)


def test_bodies_travel_by_stdin_and_options_are_passed_on(tmp_path: Path) -> None:
    kubectl = program(tmp_path, f'cat > "{tmp_path}/stdin"; echo "{{}}"')
    body = {"metadata": {"name": "x"}, "data": {"key": "hush"}}
    assert kubectl.create(SECRETS, "a", body) == {}
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert {"--context=here", "--kubeconfig=there", "--request-timeout=5s"} <= set(arguments)
    assert "/api/v1/namespaces/a/secrets" in arguments
    assert not any("hush" in argument for argument in arguments)
    assert json.loads((tmp_path / "stdin").read_text()) == body
    kubectl.delete(JOBS, "a", "x", uid="u-1")
    options = json.loads((tmp_path / "stdin").read_text())
    assert options["preconditions"] == {"uid": "u-1"}
    assert options["propagationPolicy"] == "Background"


def test_a_patch_is_an_argument_so_secrets_are_not_patched(tmp_path: Path) -> None:
    kubectl = program(tmp_path, 'echo "{}"')
    kubectl.patch(CRONJOBS, "a", "x", {"spec": {"suspend": True}})
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert "cronjobs.v1.batch" in arguments
    with pytest.raises(ValueError, match="Secret"):
        kubectl.patch(SECRETS, "a", "x", {"data": {"key": "hush"}})


@pytest.mark.parametrize("answer", ["", "[]", "not json", '{"cut": '])
def test_an_answer_that_is_no_object_is_none(tmp_path: Path, answer: str) -> None:
    with pytest.raises(UnavailableError, match="no JSON object"):
        program(tmp_path, f"printf '%s' '{answer}'").get_raw("/api")


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ('{"kind": "JobList", "items": [{"a": 1}]}', [{"a": 1}]),
        ('{"kind": "JobList", "metadata": {"continue": ""}, "items": []}', []),
        # As Go writes a list that was never filled.
        ('{"kind": "JobList", "items": null}', []),
        # Of something that stands before the API server, and half of one.
        ('{"message": "please log in"}', None),
        ('{"kind": "Status", "items": null}', None),
        ('{"kind": "JobList", "items": {}}', None),
        ('{"kind": "JobList", "metadata": {"continue": "x"}, "items": [{"a": 1}]}', None),
    ],
)
def test_what_is_no_whole_list_is_never_an_empty_one(
    tmp_path: Path, answer: str, found: list[object] | None
) -> None:
    kubectl = program(tmp_path, f"printf '%s' '{answer}'")
    if found is not None:
        assert kubectl.list(JOBS, "a") == found
        return
    with pytest.raises(UnavailableError, match=r"GET .*/namespaces/a/jobs: the answer is no whole"):
        kubectl.list(JOBS, "a")


def test_a_missing_program_is_told_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(UnavailableError, match="install kubectl"):
        Kubectl.find()
    with pytest.raises(UnavailableError, match="cannot be run"):
        Kubectl(program="/nonexistent/kubectl").get_raw("/api")


def test_a_log_comes_line_by_line_and_its_break_is_an_error(tmp_path: Path) -> None:
    whole = program(tmp_path, "printf 'one\\ntwo\\r\\nthree'")
    assert list(whole.logs("a", "pod", "job", follow=True)) == ["one", "two", "three"]
    path = (tmp_path / "arguments").read_text()
    assert "/api/v1/namespaces/a/pods/pod/log?container=job&follow=true" in path
    broken = program(tmp_path, "echo one; echo 'Error from server: broke' >&2; exit 1")
    lines = iter(broken.logs("a", "pod", "job"))
    assert next(lines) == "one"
    with pytest.raises(KubeError, match="broke"):
        next(lines)


def test_a_log_can_be_closed_from_another_thread(tmp_path: Path) -> None:
    stream = program(tmp_path, "echo one; exec sleep 600").logs("a", "pod", "job", follow=True)
    lines = iter(stream)
    assert next(lines) == "one"
    threading.Thread(target=stream.close).start()
    assert list(lines) == []


def test_nobody_is_known_where_the_server_cannot_say(tmp_path: Path) -> None:
    said = '{"status": {"userInfo": {"username": "jane"}}}'
    assert program(tmp_path, f"cat > /dev/null; echo '{said}'").whoami() == "jane"
    assert not program(tmp_path, "cat > /dev/null; echo gone >&2; exit 1").whoami()


def test_the_namespace_of_the_context(tmp_path: Path) -> None:
    named = '{"contexts": [{"context": {"namespace": "ops"}}]}'
    assert program(tmp_path, f"echo '{named}'").context_namespace() == "ops"
    assert program(tmp_path, """echo '{"contexts": [{}]}'""").context_namespace() == "default"
    assert not program(tmp_path, "exit 1").context_namespace()
