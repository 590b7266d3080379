"""The Kubernetes API: the only module that imports its client.

Raw JSON, a deadline on every call, bounded retries.
"""

import json
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from threading import Event
from typing import Any, TypeGuard
from urllib.parse import urlencode

import urllib3
import yaml
from kubernetes import client, config
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)
from tenacity.nap import sleep_using_event

from controller.api import (
    ConflictError,
    Document,
    ForbiddenError,
    KubeError,
    NotFoundError,
    RefusedError,
    Resource,
    UnavailableError,
)
from controller.config import Mode

_PAGE = 500
_ATTEMPTS = 3
_RESTARTS = 3
_LONGEST_WAIT = 10.0
_CHUNK = 1 << 16
_JSON = "application/json"


class _ExpiredError(KubeError):
    """The list's continue token is too old (410)."""


class ApiServer:
    """The real API server. `stopping` ends waiting between tries."""

    def __init__(self, connection: client.ApiClient, timeout: float, stopping: Event) -> None:
        self._client = connection
        self._timeout = timeout
        self._stopping = stopping

    def list(self, resource: Resource, namespace: str, selector: str = "") -> list[Document]:
        """See Kube; an expired continue token starts the list anew."""
        for _ in range(_RESTARTS):
            try:
                return list(self._pages(resource, namespace, selector))
            except _ExpiredError:
                continue
        raise UnavailableError(f"list {resource.plural} in {namespace}: it kept expiring")

    def get(self, resource: Resource, namespace: str, name: str) -> Document:
        """See Kube."""
        return self._object("GET", resource, namespace, name)

    def create(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> Document:
        """See Kube."""
        return self._object("POST", resource, namespace, "", body=body)

    def replace(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> Document:
        """See Kube."""
        return self._object("PUT", resource, namespace, body["metadata"]["name"], body=body)

    def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str, version: str
    ) -> None:
        """See Kube; an object that is gone already is fine."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid, "resourceVersion": version},
        }
        try:
            self._call("DELETE", resource, namespace, name, body=options)
        except NotFoundError:
            return

    def _pages(self, resource: Resource, namespace: str, selector: str) -> Iterator[Document]:
        query = {"limit": str(_PAGE)} | ({"labelSelector": selector} if selector else {})
        more = ""
        while True:
            page = self._call(
                "GET", resource, namespace, "", query=query | ({"continue": more} if more else {})
            )
            items = page.get("items")
            listed = isinstance(items, list | None) and all(map(_is_object, items or ()))
            if page.get("kind") != f"{resource.kind}List" or not listed:
                raise UnavailableError(f"list {resource.plural} in {namespace}: it is no list")
            # A list's items do not say what they are, single objects do.
            whole = {"apiVersion": resource.version, "kind": resource.kind}
            yield from (whole | item for item in items or ())
            more = str((page.get("metadata") or {}).get("continue") or "")
            if not more:
                return

    def _object(self, method: str, resource: Resource, *rest: str, **options: Any) -> Document:
        found = self._call(method, resource, *rest, **options)
        if found.get("kind") != resource.kind:
            raise UnavailableError(f"{method} {resource.plural}: the answer is no {resource.kind}")
        return found

    def _call(
        self,
        method: str,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Document:
        """One call with its retries. Each write carries what makes a second one harmless."""
        place = f"/namespaces/{namespace}" if resource.namespaced else ""
        path = f"{resource.root}{place}/{resource.plural}" + (f"/{name}" if name else "")
        attempts = Retrying(
            stop=stop_any(
                stop_after_attempt(_ATTEMPTS),
                # A call that hung once has used up its time.
                stop_after_delay(self._timeout),
                stop_when_event_set(self._stopping),
            ),
            retry=retry_if_exception(lambda error: isinstance(error, UnavailableError)),
            wait=_wait,
            sleep=sleep_using_event(self._stopping),
            reraise=True,
        )
        return attempts(self._once, method, path, name, query or {}, body)

    def _once(
        self,
        method: str,
        path: str,
        name: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
    ) -> Document:
        if self._stopping.is_set():
            raise UnavailableError(f"{method} {path}: the controller is stopping")
        headers = {"Accept": _JSON, "Content-Type": _JSON}
        try:
            # Also renews the pod's token, which expires.
            self._client.update_params_for_auth(headers, [], ["BearerToken"])
            response = self._client.rest_client.pool_manager.request(
                method,
                f"{self._client.configuration.host}{path}{'?' + urlencode(query) if query else ''}",
                body=json.dumps(body) if body is not None else None,
                headers=headers,
                timeout=urllib3.Timeout(total=self._timeout),
                retries=False,
                preload_content=False,
            )
            text = _body(response, time.monotonic() + self._timeout)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # Only the kind of fault: the texts repeat hosts, headers, bodies.
            raise UnavailableError(f"{method} {path}: {type(error).__name__}") from None
        except (config.ConfigException, ValueError) as error:
            raise UnavailableError(f"{method} {path}: no login: {type(error).__name__}") from None
        if response.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise _error(f"{method} {path}", name, response.status, response.headers, text)
        document = _document(text)
        if document is None:
            raise UnavailableError(f"{method} {path}: the answer is no object")
        return document


def connect(mode: Mode, timeout: float, stopping: Event) -> ApiServer:
    """The cluster that a kubeconfig or the pod's ServiceAccount leads to.

    Raises UnavailableError where there is neither.
    """
    settings = client.Configuration()
    try:
        if mode is Mode.CLUSTER:
            config.load_incluster_config(client_configuration=settings)
        else:
            config.load_kube_config(client_configuration=settings)
    except config.ConfigException as error:
        raise UnavailableError(f"MODE={mode}: {error}") from error
    except (yaml.YAMLError, OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        # The client trips over a broken kubeconfig in many ways, whose texts may show its keys.
        what = f"the kubeconfig cannot be read ({type(error).__name__})"
        raise UnavailableError(f"MODE={mode}: {what}") from None
    return ApiServer(client.ApiClient(settings), timeout, stopping)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, UnavailableError) else None
    if asked is not None:
        return min(asked, _LONGEST_WAIT)
    return float(wait_random_exponential(multiplier=0.2, max=2)(state))


def _body(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """The whole answer by the deadline: a socket's timeout alone lets a trickle go on for ever."""
    chunks = []
    for chunk in response.stream(_CHUNK):
        chunks.append(chunk)
        if time.monotonic() > deadline:
            response.close()
            raise TimeoutError
    response.release_conn()
    return b"".join(chunks)


def _document(text: bytes) -> Document | None:
    """An answer whose metadata, too, is what it should be; None for anything else."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if _is_object(document) else None


def _is_object(item: Any) -> TypeGuard[Document]:
    return isinstance(item, dict) and isinstance(item.get("metadata"), dict | None)


def _error(what: str, name: str, status: int, headers: Any, raw: bytes) -> KubeError:
    document = _document(raw) or {}
    said = document if document.get("kind") == "Status" else {}
    details = said.get("details")
    if not isinstance(details, dict):
        details = {}
    text = f"{what}: {status} {said.get('reason', '')}".rstrip()
    # Only the API server's own word on this very object counts: a proxy's 404, or that of an
    # API group that is away, says nothing.
    if status == HTTPStatus.NOT_FOUND and said.get("reason") == "NotFound":
        if name and details.get("name") == name:
            return NotFoundError(text)
    elif status == HTTPStatus.FORBIDDEN:
        # Of a write, the API server says which right, quota or policy stands in its way.
        why = "" if what.startswith("GET") else f": {said.get('message', '')}"[:500]
        return ForbiddenError(text + why)
    elif status == HTTPStatus.CONFLICT:
        return ConflictError(text)
    elif status == HTTPStatus.GONE:
        return _ExpiredError(text)
    elif status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
        return RefusedError(f"{text}: {_causes(details)}")
    return UnavailableError(text, _retry_after(headers, details))


def _causes(details: Mapping[str, Any]) -> str:
    """Which fields were refused and why; a Secret's values are never among its causes' texts."""
    causes = details.get("causes")
    shown = (
        f"{item.get('field', '')}: {item.get('message', '')}"
        for item in (causes if isinstance(causes, list) else ())
        if isinstance(item, dict)
    )
    return "; ".join(shown)[:500] or "no cause was given"


def _retry_after(headers: Any, details: Mapping[str, Any]) -> float | None:
    asked = (headers or {}).get("Retry-After") or details.get("retryAfterSeconds")
    try:
        return max(0.0, float(asked)) if asked else None
    except (TypeError, ValueError):
        return None
