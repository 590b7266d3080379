"""The API client's judgement of answers; its behaviour on a wire is tested with a real server."""

import contextlib
import gc
import io
import json
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from kubernetes.config import ConfigException, kube_config

from controller.kube.client import (
    ATTEMPTS,
    CRONJOBS,
    DEPLOYMENTS,
    PODS,
    SECRETS,
    CallCounts,
    ConflictError,
    Document,
    ForbiddenError,
    KubeError,
    NotFoundError,
    NotLeadingError,
    RefusedError,
    Resource,
    UnavailableError,
    WriteLimit,
    no_limit,
)
from controller.kube.http_client import ApiServer, connect


def status(reason: str, **details: Any) -> dict[str, Any]:
    return {"kind": "Status", "reason": reason, "message": "hidden", "details": details}


class Answers:
    """Stands in the client's place and gives prepared answers in order."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.accepted: list[str] = []
        self.limits: list[Any] = []
        self.configuration = SimpleNamespace(host="https://cluster")
        self.rest_client = SimpleNamespace(pool_manager=self)

    def update_params_for_auth(self, headers: Any, query: Any, schemes: Any) -> None:
        headers["authorization"] = "Bearer hidden"

    def urlopen(
        self, method: str, url: str, headers: dict[str, str], **options: Any
    ) -> urllib3.HTTPResponse:
        self.asked.append(url)
        self.limits.append(options["timeout"].total)
        self.accepted.append(headers["Accept"])
        code, body = self.answers.pop(0)
        if isinstance(body, Exception):
            raise body
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Retry-After": "0"}
        raw = io.BytesIO(text)
        return urllib3.HTTPResponse(raw, status=code, headers=headers, preload_content=False)


def server(
    *answers: tuple[int, Any], write_limit: WriteLimit = no_limit, attempts: int = ATTEMPTS
) -> tuple[ApiServer, Answers]:
    client = Answers(*answers)
    counts = CallCounts()
    made = ApiServer(client, 5, Event(), counts, write_limit=write_limit, attempts=attempts)
    return made, client


def named(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}}


POD = {"kind": "Pod", "metadata": {"name": "a"}}
SECRET = {"kind": "Secret", "metadata": {"name": "a"}}


@pytest.mark.parametrize(
    ("code", "body", "error"),
    [
        (404, status("NotFound", name="a"), NotFoundError),
        (404, status("NotFound", name="b"), UnavailableError),
        (404, status("NotFound"), UnavailableError),
        (404, b"404 page not found", UnavailableError),
        (404, b"", UnavailableError),
        (403, status("Forbidden"), ForbiddenError),
        (403, b"<html>", ForbiddenError),
        (409, status("Conflict"), ConflictError),
        (422, status("Invalid", causes=[{"field": "spec", "message": "no"}]), RefusedError),
        (401, status("Unauthorized"), UnavailableError),
        (429, status("TooManyRequests"), UnavailableError),
        (500, b"", UnavailableError),
        (302, b"", UnavailableError),
        (200, b"{", UnavailableError),
        (200, b"[]", UnavailableError),
        (200, b"[" * 100_000, UnavailableError),
        (200, {"kind": "Pod", "metadata": []}, UnavailableError),
        (404, {"kind": "Status", "reason": "NotFound", "details": []}, UnavailableError),
        (422, status("Invalid", causes=["x"]), RefusedError),
        (422, status("Invalid", causes=7), RefusedError),
        (200, {"kind": "PodList"}, UnavailableError),
        (200, urllib3.exceptions.ProtocolError("hidden"), UnavailableError),
        (200, ConnectionResetError("hidden"), UnavailableError),
    ],
)
def test_an_answer_that_is_not_the_object_is_the_right_error(
    code: int, body: Any, error: type[KubeError]
) -> None:
    api, _ = server(*[(code, body)] * 3)
    with pytest.raises(error) as caught:
        api.get(PODS, "demo", "a")
    assert type(caught.value) is error
    assert "hidden" not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"


@pytest.mark.parametrize("code", [403, 404, 503])
def test_an_error_that_was_dealt_with_keeps_nothing_of_its_callers(code: int) -> None:
    api, _ = server(*[(code, status("NotFound", name="a"))] * 3)

    def look() -> weakref.ref[Event]:
        of_the_pass = Event()
        with contextlib.suppress(KubeError):
            api.get(PODS, "demo", "a")
        return weakref.ref(of_the_pass)

    gc.disable()
    try:
        assert look()() is None
    finally:
        gc.enable()


def _write_all(api: ApiServer) -> Iterator[Callable[[], object]]:
    yield lambda: api.create(SECRETS, "demo", SECRET)
    yield lambda: api.replace(SECRETS, "demo", SECRET)
    yield lambda: api.delete(SECRETS, "demo", "a", uid="1", version="1")


def test_who_leads_no_more_reads_but_sends_no_write() -> None:
    api, client = server((200, POD), write_limit=lambda: 0.0)
    assert api.get(PODS, "demo", "a") == POD
    for write in _write_all(api):
        with pytest.raises(NotLeadingError):
            write()
    assert len(client.asked) == 1


def test_a_write_takes_no_longer_than_the_lead_lasts_and_a_read_as_long_as_ever() -> None:
    limits = [2.0, 60.0, 1.0]
    answers = [(200, SECRET)] * 3
    api, client = server(*answers, (200, POD), write_limit=lambda: limits.pop(0))
    for write in _write_all(api):
        write()
    api.get(PODS, "demo", "a")
    assert client.limits == [2, 5, 1, 5]


def test_a_further_try_of_a_write_is_not_sent_once_the_lead_is_lost() -> None:
    limits = [5.0, 0.0]
    api, client = server((503, b""), (200, SECRET), write_limit=lambda: limits.pop(0))
    with pytest.raises(NotLeadingError):
        api.replace(SECRETS, "demo", SECRET)
    assert len(client.asked) == 1


def test_what_may_heal_is_tried_again() -> None:
    api, client = server((503, b""), (429, b""), (200, POD))
    assert api.get(PODS, "demo", "a") == POD
    assert client.asked == ["https://cluster/api/v1/namespaces/demo/pods/a"] * 3


def test_where_a_loop_tries_again_a_call_is_made_once() -> None:
    api, client = server((429, b""), (200, POD), attempts=1)
    with pytest.raises(UnavailableError):
        api.get(PODS, "demo", "db-0")
    assert len(client.asked) == 1


def test_a_list_is_whole_and_tells_what_its_items_are() -> None:
    api, client = server(
        (200, {"kind": "PodList", "metadata": {"continue": "x"}, "items": [named("a")]}),
        (200, {"kind": "PodList", "metadata": {}, "items": [named("b")]}),
    )
    kinds = {"apiVersion": "v1", "kind": "Pod"}
    assert api.list(PODS, "demo", "l=v") == [kinds | named("a"), kinds | named("b")]
    assert client.asked[1].endswith("/pods?limit=500&labelSelector=l%3Dv&continue=x")


def test_a_list_of_all_namespaces_names_none() -> None:
    api, client = server((200, {"kind": "PodList", "metadata": {}, "items": []}))
    assert api.list(PODS, "") == []
    assert client.asked == ["https://cluster/api/v1/pods?limit=500"]


def test_of_a_list_is_kept_what_is_wanted_before_its_next_page_is_read() -> None:
    pages = [
        (
            200,
            {"kind": "PodList", "metadata": {"continue": "x"}, "items": [named("a"), named("b")]},
        ),
        (200, {"kind": "PodList", "metadata": {}, "items": [named("c")]}),
    ]
    api, client = server(*pages)
    seen: list[tuple[str, int]] = []

    def keep(item: Document) -> Document | None:
        seen.append((item["metadata"]["name"], len(client.asked)))
        return None if item["metadata"]["name"] == "b" else {"kept": item["kind"]}

    assert api.list(PODS, "demo", keep=keep) == [{"kept": "Pod"}] * 2
    assert seen == [("a", 1), ("b", 1), ("c", 2)]


def test_metadata_alone_are_told_apart_from_whole_objects_and_look_like_them() -> None:
    item = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata"} | named("a")
    api, client = server((200, {"kind": "PartialObjectMetadataList", "items": [item]}))
    listed = api.list(DEPLOYMENTS, "demo", fields="a!=b", metadata_only=True)
    assert listed == [{"apiVersion": "apps/v1", "kind": "Deployment"} | named("a")]
    assert client.asked == [
        "https://cluster/apis/apps/v1/namespaces/demo/deployments?limit=500&fieldSelector=a%21%3Db"
    ]
    assert "as=PartialObjectMetadataList" in client.accepted[0]
    for kind in ("DeploymentList", "PartialObjectMetadata", "Status"):
        api, _ = server((200, {"kind": kind, "items": [item]}))
        with pytest.raises(UnavailableError):
            api.list(DEPLOYMENTS, "demo", metadata_only=True)


def test_what_is_only_read_is_cut_down_to_what_is_looked_at() -> None:
    meta = {"name": "a", "labels": {"app": "db"}, "managedFields": [{}], "selfLink": "/"}
    env = [{"name": "X", "value": "1"}]
    spec = {"hostname": "n", "containers": [{"name": "c", "env": env, "livenessProbe": {}}]}
    pod = {
        "kind": "Pod",
        "metadata": meta,
        "spec": spec,
        "status": {"phase": "Running", "podIP": ""},
    }
    kept = {
        "metadata": {"name": "a", "labels": {"app": "db"}},
        "spec": {"containers": [{"name": "c", "env": env}]},
        "status": {"phase": "Running"},
    }
    api, _ = server((200, pod), (200, {"kind": "PodList", "items": [pod]}))
    assert api.get(PODS, "demo", "a") == {"kind": "Pod"} | kept
    assert api.list(PODS, "demo") == [{"apiVersion": "v1", "kind": "Pod"} | kept]


def test_what_is_written_back_is_whole_but_for_the_managed_fields() -> None:
    meta = {"name": "a", "managedFields": [{}], "selfLink": "/", "new": [1]}
    cronjob = {"kind": "CronJob", "metadata": meta, "spec": {"new": None}, "more": 1.5}
    kept = cronjob | {"metadata": {"name": "a", "selfLink": "/", "new": [1]}}
    api, _ = server((200, cronjob), (200, {"kind": "CronJobList", "items": [cronjob]}))
    assert api.get(CRONJOBS, "demo", "a") == kept
    assert api.list(CRONJOBS, "demo") == [kept | {"apiVersion": "batch/v1"}]


def test_a_list_whose_second_page_fails_is_no_list() -> None:
    page = {"kind": "PodList", "metadata": {"continue": "x"}, "items": [{}]}
    api, _ = server((200, page), *[(500, b"")] * 3)
    with pytest.raises(UnavailableError):
        api.list(PODS, "demo")


def test_an_expired_list_starts_anew_and_not_for_ever() -> None:
    page = {"kind": "PodList", "metadata": {"continue": "x"}, "items": [{}]}
    whole = {"kind": "PodList", "metadata": {}, "items": [{}, {}]}
    api, _ = server((200, page), (410, status("Expired")), (200, whole))
    assert len(api.list(PODS, "demo")) == 2
    api, _ = server(*[(410, status("Expired"))] * 3)
    with pytest.raises(UnavailableError):
        api.list(PODS, "demo")


def test_an_object_that_is_gone_already_is_deleted() -> None:
    api, _ = server((404, status("NotFound", name="a")))
    api.delete(SECRETS, "demo", "a", uid="u", version="1")


def test_after_a_stop_nothing_is_asked_any_more() -> None:
    stopping = Event()
    stopping.set()
    client = Answers()
    with pytest.raises(UnavailableError):
        ApiServer(client, 5, stopping, CallCounts()).get(PODS, "demo", "a")
    assert client.asked == []


@pytest.mark.parametrize("resource", [PODS, SECRETS])
@pytest.mark.parametrize("items", [[None], ["a"], [{"metadata": []}], {}, 7])
def test_a_list_of_something_else_is_no_list(resource: Resource, items: Any) -> None:
    api, _ = server(*[(200, {"kind": f"{resource.kind}List", "items": items})] * 3)
    with pytest.raises(UnavailableError):
        api.list(resource, "demo")


def test_a_login_that_fails_is_no_answer() -> None:
    api, client = server()

    def fail(*_: Any) -> None:
        raise ConfigException("hidden")

    client.update_params_for_auth = fail  # type: ignore[method-assign, assignment]
    with pytest.raises(UnavailableError):
        api.get(PODS, "demo", "a")


def test_a_forbidden_write_tells_what_forbids_it() -> None:
    api, _ = server((403, status("Forbidden") | {"message": "exceeded quota: cron"}))
    with pytest.raises(ForbiddenError, match="exceeded quota"):
        api.create(CRONJOBS, "demo", {})
    # A policy about Secrets may repeat what they hold.
    api, _ = server((403, status("Forbidden") | {"message": "'hidden' is weak"}))
    with pytest.raises(ForbiddenError, match=r"Forbidden$"):
        api.create(SECRETS, "demo", {})


def test_a_read_since_a_version_settles_by_another_that_nothing_is_there() -> None:
    gone = status("NotFound") | {"details": {"name": "a"}}
    api, client = server((200, SECRET), (404, gone), (200, SECRET), (404, gone), (404, gone))
    assert api.get(SECRETS, "demo", "a", since="7") == SECRET
    assert client.asked[0].endswith("/secrets/a?resourceVersion=7")
    assert api.get(SECRETS, "demo", "a", since="7") == SECRET
    assert client.asked[2].endswith("/secrets/a")
    with pytest.raises(NotFoundError):
        api.get(SECRETS, "demo", "a", since="7")


@pytest.mark.parametrize("text", ["", "[]", "a: [", "clusters: 7\ncurrent-context: a", "\xff"])
def test_a_broken_kubeconfig_is_told(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config"
    file.write_bytes(text.encode("latin-1"))
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    with pytest.raises(UnavailableError, match="MODE=local"):
        connect(in_cluster=False, timeout=1, stopping=Event())
