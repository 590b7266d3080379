"""The Kubernetes API: the only module that imports its client.

Plain JSON, cut down to the wanted shape while it is parsed, a deadline on every call, bounded
retries.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from http import HTTPStatus
from threading import Event
from typing import Any, Generic, TypeAlias, TypeVar, cast
from urllib.parse import urlencode

import msgspec
import urllib3
import yaml
from kubernetes import client, config
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)
from tenacity.nap import sleep_using_event

from controller.kube import projections
from controller.kube.client import (
    ConflictError,
    Document,
    ForbiddenError,
    KubeError,
    NotFoundError,
    RefusedError,
    Resource,
    UnavailableError,
)

_PAGE = 500
_ATTEMPTS = 3
_RESTARTS = 3
_LONGEST_WAIT = 10.0
_CHUNK = 1 << 16
# As many as may be asked at once; the client's own number goes by the processors.
_CONNECTIONS = 16
_JSON = "application/json"
_METADATA = "PartialObjectMetadataList"

T = TypeVar("T")
_parse = msgspec.json.Decoder(Document).decode
# Makes an answer of its text; ValueError or RecursionError where it is none.
_Read: TypeAlias = Callable[[bytearray], T]


class _ExpiredError(KubeError):
    """The list's continue token is too old (410)."""


class _Page(msgspec.Struct, Generic[T]):
    """A part of a list as it is answered."""

    kind: str = ""
    metadata: dict[str, Any] | None = None
    items: list[T] | None = None


class ApiServer:
    """The real API server. `stopping` ends waiting between tries."""

    def __init__(self, connection: client.ApiClient, timeout: float, stopping: Event) -> None:
        self._client = connection
        self._timeout = timeout
        self._stopping = stopping
        self._attempts = Retrying(
            stop=stop_any(
                stop_after_attempt(_ATTEMPTS),
                # A call that hung once has used up its time.
                stop_after_delay(timeout),
                stop_when_event_set(stopping),
            ),
            retry=retry_if_exception_type(UnavailableError),
            wait=_wait,
            sleep=sleep_using_event(stopping),
            reraise=True,
        )

    def list(
        self,
        resource: Resource,
        namespace: str,
        selector: str = "",
        *,
        fields: str = "",
        metadata_only: bool = False,
    ) -> list[Document]:
        """See Kube; an expired continue token starts the list anew."""
        asked = {"limit": str(_PAGE), "labelSelector": selector, "fieldSelector": fields}
        query = {key: text for key, text in asked.items() if text}
        for _ in range(_RESTARTS):
            try:
                return list(self._pages(resource, namespace, query, metadata_only=metadata_only))
            except _ExpiredError:
                continue
        raise UnavailableError(f"list {resource.plural} in {namespace}: it kept expiring")

    def get(self, resource: Resource, namespace: str, name: str, *, since: str = "") -> Document:
        """See Kube."""
        if since:
            query = urlencode({"resourceVersion": since})
            try:
                return self._object("GET", resource, namespace, name, query=query)
            except NotFoundError:
                # It may have been made anew since then.
                pass
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
            self._call("DELETE", resource, namespace, name, read=_whole, body=options)
        except NotFoundError:
            return

    def _pages(
        self, resource: Resource, namespace: str, query: Mapping[str, str], *, metadata_only: bool
    ) -> Iterator[Document]:
        kind, accept, read = f"{resource.kind}List", _JSON, _list_of(resource.shape)
        if metadata_only:
            kind, accept = _METADATA, f"{_JSON};as={_METADATA};v=v1;g=meta.k8s.io"
            read = _list_of(projections.Object)
        what = {"apiVersion": resource.version, "kind": resource.kind}
        more = ""
        while True:
            asked = {**query, "continue": more} if more else query
            page = self._call(
                "GET", resource, namespace, "", read=read, accept=accept, query=urlencode(asked)
            )
            if page.kind != kind:
                raise UnavailableError(f"list {resource.plural} in {namespace}: it is no list")
            for item in page.items or ():
                # A list's items do not say what they are, or only that they are metadata.
                item.update(what)
                yield item
            more = str((page.metadata or {}).get("continue") or "")
            if not more:
                return

    def _object(
        self, method: str, resource: Resource, namespace: str, name: str, **options: Any
    ) -> Document:
        read = _one_of(resource.shape)
        found = self._call(method, resource, namespace, name, read=read, **options)
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
        read: _Read[T],
        accept: str = _JSON,
        query: str = "",
        body: Mapping[str, Any] | None = None,
    ) -> T:
        """One call with its retries. Each write carries what makes a second one harmless."""
        place = f"/namespaces/{namespace}" if resource.namespaced else ""
        path = f"{resource.root}{place}/{resource.plural}" + (f"/{name}" if name else "")
        sent = None if body is None else msgspec.json.encode(body)

        def once() -> T:
            status, headers, text = self._once(method, path, query, accept, sent)
            if status >= HTTPStatus.MULTIPLE_CHOICES:
                raise _error(f"{method} {path}", name, status, headers, text)
            try:
                return read(text)
            except (ValueError, RecursionError):
                # From None: the parser's error may show the text.
                raise UnavailableError(f"{method} {path}: the answer is no object") from None

        return self._attempts(once)

    def _once(
        self, method: str, path: str, query: str, accept: str, body: bytes | None
    ) -> tuple[int, Mapping[str, str], bytearray]:
        """Status, headers and text of the answer to one request."""
        if self._stopping.is_set():
            raise UnavailableError(f"{method} {path}: the controller is stopping")
        headers = {"Accept": accept, "Content-Type": _JSON}
        try:
            # Also renews the pod's token, which expires.
            self._client.update_params_for_auth(headers, [], ["BearerToken"])
            response = self._client.rest_client.pool_manager.urlopen(
                method,
                f"{self._client.configuration.host}{path}{'?' + query if query else ''}",
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(total=self._timeout),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            text = _body(response, time.monotonic() + self._timeout)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # Only the kind of fault: the texts repeat hosts, headers, bodies.
            raise UnavailableError(f"{method} {path}: {type(error).__name__}") from None
        except (config.ConfigException, ValueError) as error:
            raise UnavailableError(f"{method} {path}: no login: {type(error).__name__}") from None
        return response.status, response.headers, text


def connect(*, in_cluster: bool, timeout: float, stopping: Event) -> ApiServer:
    """Connect by the pod's own ServiceAccount if `in_cluster`, else by the kubeconfig.

    `timeout` of one request is in seconds. Raises UnavailableError where there is no such login.
    """
    mode = "cluster" if in_cluster else "local"
    settings = client.Configuration()
    settings.connection_pool_maxsize = _CONNECTIONS
    try:
        if in_cluster:
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


def _body(response: urllib3.BaseHTTPResponse, deadline: float) -> bytearray:
    """The whole answer by the deadline: a socket's timeout alone lets a trickle go on for ever."""
    text = bytearray()
    for chunk in response.stream(_CHUNK):
        text += chunk
        if time.monotonic() > deadline:
            response.close()
            raise TimeoutError
    response.release_conn()
    return text


def _whole(text: bytearray) -> Document:
    """An answer with everything but who set which field, most of many an object's bytes."""
    return _stripped(_parse(text))


@cache
def _list_of(shape: type | None) -> _Read[_Page[Document]]:
    parse = msgspec.json.Decoder(cast("Any", _Page)[shape or Document]).decode
    if shape:
        return cast("_Read[_Page[Document]]", parse)

    def read(text: bytearray) -> _Page[Document]:
        page: _Page[Document] = parse(text)
        for item in page.items or ():
            _stripped(item)
        return page

    return read


@cache
def _one_of(shape: type | None) -> _Read[Document]:
    return msgspec.json.Decoder(shape).decode if shape else _whole


def _stripped(item: Document) -> Document:
    meta = item.get("metadata")
    if isinstance(meta, dict):
        meta.pop("managedFields", None)
    elif meta is not None:
        raise ValueError
    return item


def _error(what: str, name: str, status: int, headers: Any, raw: bytearray) -> KubeError:
    try:
        document = _parse(raw)
    except (ValueError, RecursionError):
        document = {}
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
        # Of a write, the API server says which right, quota or policy stands in its way; a policy
        # about Secrets may show what it refused.
        silent = what.startswith("GET") or "/secrets" in what
        why = "" if silent else f": {said.get('message', '')}"[:500]
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
