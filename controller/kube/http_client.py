"""The Kubernetes API by HTTP: the only module that imports its client.

Plain JSON, a deadline on every call, bounded retries.
"""

import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from threading import Event
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
import urllib3
import yaml
from kubernetes import client, config

from controller.kube.client import (
    ATTEMPTS,
    CallCounts,
    Document,
    Keep,
    KubeError,
    NotFoundError,
    NotLeadingError,
    Resource,
    UnavailableError,
    WriteLimit,
    no_limit,
)
from controller.kube.decoding import (
    JSON,
    Decode,
    decode_document,
    object_decoder,
    page_format,
    read_body,
)
from controller.kube.error_answers import ExpiredError, error_of
from controller.kube.retries import retries

_PAGE = 500
_RESTARTS = 3
# As many as may be asked at once; the client's own number goes by the processors.
_CONNECTIONS = 16

T = TypeVar("T")


class ApiServer:
    """The API server of a real cluster.

    `timeout` of one request is in seconds; `stopping` ends waiting; `counts` sees each request.
    `write_limit` is asked before each write is sent, also before each further try, of which there
    are `attempts` in all.
    """

    def __init__(
        self,
        connection: client.ApiClient,
        timeout: float,
        stopping: Event,
        counts: CallCounts,
        *,
        write_limit: WriteLimit = no_limit,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._client = connection
        self._counts = counts
        self._timeout = timeout
        self._write_limit = write_limit
        self._stopping = stopping
        self._attempts = retries(timeout, stopping, attempts)

    def list(
        self,
        resource: Resource,
        namespace: str,
        selector: str = "",
        *,
        fields: str = "",
        metadata_only: bool = False,
        keep: Keep | None = None,
    ) -> list[Document]:
        """See Kube; starts the list anew when its continue token has expired."""
        options = {"limit": str(_PAGE), "labelSelector": selector, "fieldSelector": fields}
        query = {key: text for key, text in options.items() if text}
        for _ in range(_RESTARTS):
            try:
                pages = self._pages(resource, namespace, query, metadata_only=metadata_only)
                return [*pages] if keep is None else [*filter(None, map(keep, pages))]
            except ExpiredError:
                continue
        raise UnavailableError(f"list {resource.plural} in {namespace}: it kept expiring")

    def get(self, resource: Resource, namespace: str, name: str, *, since: str = "") -> Document:
        """See Kube."""
        if since:
            query = urlencode({"resourceVersion": since})
            try:
                return self._object("GET", resource, namespace, name, query=query)
            except NotFoundError:
                # The object may have been made anew since then.
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
        """See Kube; returns as well if the object is gone already."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid, "resourceVersion": version},
        }
        try:
            self._call("DELETE", resource, namespace, name, decode=decode_document, body=options)
        except NotFoundError:
            return

    def _pages(
        self, resource: Resource, namespace: str, query: Mapping[str, str], *, metadata_only: bool
    ) -> Iterator[Document]:
        """Yield the objects of all pages of a list."""
        kind, accept, decode = page_format(resource, metadata_only=metadata_only)
        type_meta = {"apiVersion": resource.version, "kind": resource.kind}
        token = ""
        while True:
            page_query = {**query, "continue": token} if token else query
            page = self._call(
                "GET",
                resource,
                namespace,
                "",
                decode=decode,
                accept=accept,
                query=urlencode(page_query),
            )
            if page.kind != kind:
                raise UnavailableError(
                    f"list {resource.plural} in {namespace}: the answer is no list"
                )
            for item in page.items or ():
                # A list's items do not say what they are, or only that they are metadata.
                item.update(type_meta)
                yield item
            token = str((page.metadata or {}).get("continue") or "")
            if not token:
                return
            # The next page must not come to lie beside this one: full objects make up 20 MiB.
            del page

    def _object(
        self, method: str, resource: Resource, namespace: str, name: str, **options: Any
    ) -> Document:
        """Make a call whose answer is one object of that kind."""
        decode = object_decoder(resource.shape)
        found = self._call(method, resource, namespace, name, decode=decode, **options)
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
        decode: Decode[T],
        accept: str = JSON,
        query: str = "",
        body: Mapping[str, Any] | None = None,
    ) -> T:
        """Make one call with its retries; each write carries what makes a second one harmless."""
        place = f"/namespaces/{namespace}" if namespace and resource.namespaced else ""
        path = f"{resource.root}{place}/{resource.plural}" + (f"/{name}" if name else "")
        data = None if body is None else msgspec.json.encode(body)

        def attempt() -> T:
            status, headers, answer = self._counts.count(
                method, name, lambda: self._request(method, path, query, accept, data)
            )
            if status >= HTTPStatus.MULTIPLE_CHOICES:
                raise error_of(f"{method} {path}", name, status, headers, answer)
            try:
                return decode(answer)
            except (ValueError, RecursionError):
                # From None: the parser's error may show the text.
                raise UnavailableError(f"{method} {path}: the answer cannot be decoded") from None

        try:
            return self._attempts(attempt)
        except KubeError as error:
            # tenacity's state holds the error, whose traceback holds that state. Such a circle
            # keeps every caller's frame, with all objects of a pass, until the collector runs.
            raise error.with_traceback(None) from None

    def _request(
        self, method: str, path: str, query: str, accept: str, body: bytes | None
    ) -> tuple[int, Mapping[str, str], bytearray]:
        """Make one request; return status, headers and body of its answer."""
        if self._stopping.is_set():
            raise UnavailableError(f"{method} {path}: the controller is stopping")
        headers = {"Accept": accept, "Content-Type": JSON}
        try:
            # Also renews the pod's token, which expires.
            self._client.update_params_for_auth(headers, [], ["BearerToken"])
            # As late as can be: all that happened before may have taken long.
            limit = self._timeout if method == "GET" else min(self._timeout, self._write_limit())
            if limit <= 0:
                raise NotLeadingError(f"{method} {path}: not sent, as another controller may lead")
            response = self._client.rest_client.pool_manager.urlopen(
                method,
                f"{self._client.configuration.host}{path}{'?' + query if query else ''}",
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(total=limit),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            answer = read_body(response, time.monotonic() + limit)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # Only the kind of fault: the texts repeat hosts, headers, bodies.
            raise UnavailableError(f"{method} {path}: {type(error).__name__}") from None
        except (config.ConfigException, ValueError) as error:
            raise UnavailableError(f"{method} {path}: no login: {type(error).__name__}") from None
        return response.status, response.headers, answer


def connect(
    *,
    in_cluster: bool,
    timeout: float,
    stopping: Event,
    kubeconfig: str = "",
    context: str = "",
    counts: CallCounts | None = None,
    write_limit: WriteLimit = no_limit,
    attempts: int = ATTEMPTS,
) -> ApiServer:
    """Connect by the pod's own ServiceAccount if `in_cluster`, else by a kubeconfig.

    An empty `kubeconfig` or `context` is that of kubectl; the rest is as in ApiServer.
    Raises UnavailableError where there is no such login.
    """
    mode = "cluster" if in_cluster else "local"
    settings = client.Configuration()
    settings.connection_pool_maxsize = _CONNECTIONS
    try:
        if in_cluster:
            config.load_incluster_config(client_configuration=settings)
        else:
            config.load_kube_config(
                kubeconfig or None, context or None, client_configuration=settings
            )
    except config.ConfigException as error:
        raise UnavailableError(f"MODE={mode}: {error}") from error
    except (yaml.YAMLError, OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        # The client trips over a broken kubeconfig in many ways, whose texts may show its keys.
        what = f"the kubeconfig cannot be read ({type(error).__name__})"
        raise UnavailableError(f"MODE={mode}: {what}") from None
    connection = client.ApiClient(settings)
    calls = counts or CallCounts()
    return ApiServer(
        connection, timeout, stopping, calls, write_limit=write_limit, attempts=attempts
    )
