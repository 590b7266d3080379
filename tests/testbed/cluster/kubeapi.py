"""Plain JSON against a Kubernetes API server: what tests and the testbed need, and no client."""

import concurrent.futures
import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
import yaml

JsonObject = dict[str, Any]
_JSON = "application/json"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_ERROR = 400
_NOT_FOUND = 404
_THREADS = 16


class ApiError(RuntimeError):
    """The API server refused; `code` is its HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class UnreachableError(ConnectionError):
    """There was no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """How a client shows who it is: by token or by certificate."""

    token: str | None = None
    cert: Path | None = None
    key: Path | None = None


class Api:
    """Requests as one user; objects go in and come out as they are in JSON."""

    def __init__(self, url: str, ca: Path, identity: Identity) -> None:
        self.url = url
        self._token = identity.token
        self._pool = urllib3.PoolManager(
            maxsize=_THREADS,
            ca_certs=str(ca),
            cert_file=str(identity.cert) if identity.cert else None,
            key_file=str(identity.key) if identity.key else None,
            retries=False,
        )
        self._plurals = functools.cache(self._discover)

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = _JSON,
        query: Mapping[str, str] | None = None,
        seconds: float = 30,
    ) -> JsonObject:
        """The answer's JSON (under `text` what is none); ApiError from 400 on."""
        headers = {"Accept": _JSON, "Content-Type": content_type}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            answer = self._pool.request(
                method,
                f"{self.url}{path}{'?' + urlencode(query) if query else ''}",
                body=None if body is None else json.dumps(body),
                headers=headers,
                timeout=seconds,
            )
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(str(error)) from error
        text = answer.data.decode()
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = {"text": text}
        if answer.status >= _ERROR:
            raise ApiError(answer.status, str(parsed.get("message", text)))
        assert isinstance(parsed, dict)
        return parsed

    def path(self, api_version: str, kind: str, namespace: str | None, name: str = "") -> str:
        """Where the API serves this kind: `path("apps/v1", "Deployment", "shop", "db")`."""
        plural, namespaced = self._plurals(api_version)[kind]
        root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
        within = (
            f"/namespaces/{namespace or 'default'}" if namespaced and (namespace or name) else ""
        )
        return f"{root}{within}/{plural}" + (f"/{name}" if name else "")

    def create(self, item: JsonObject) -> JsonObject:
        """POST: fails where the object exists; its `status` is set too."""
        meta = item["metadata"]
        namespace = meta.get("namespace", "default")
        path = self.path(item["apiVersion"], item["kind"], namespace)
        made = self.request("POST", path, item)
        if "status" in item:
            made = self.set_status(made, item["status"])
        return made

    def create_all(self, items: Iterable[JsonObject]) -> list[JsonObject]:
        """Many objects, several at a time, in no certain order."""
        with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(self.create, items))

    def apply(self, item: JsonObject, *, manager: str = "testbed") -> JsonObject:
        """Server-side apply, forced."""
        query = {"fieldManager": manager, "force": "true"}
        return self.request("PATCH", self._of(item), item, content_type=_APPLY, query=query)

    def patch(self, item: JsonObject, change: JsonObject) -> JsonObject:
        """A merge patch of an object that has its kind and its name."""
        return self.request("PATCH", self._of(item), change, content_type=_MERGE)

    def set_status(self, item: JsonObject, status: JsonObject) -> JsonObject:
        """What a kubelet or a controller would report, through the `/status` subresource."""
        path = f"{self._of(item)}/status"
        return self.request("PATCH", path, {"status": status}, content_type=_MERGE)

    def get(
        self, api_version: str, kind: str, namespace: str | None, name: str
    ) -> JsonObject | None:
        """One object; None where there is none."""
        try:
            return self.request("GET", self.path(api_version, kind, namespace, name))
        except ApiError as error:
            if error.code == _NOT_FOUND:
                return None
            raise

    def list(
        self, api_version: str, kind: str, namespace: str | None = None, **query: str
    ) -> list[JsonObject]:
        """All objects of a kind, in one namespace or in all; `labelSelector` and the like."""
        path = self.path(api_version, kind, namespace)
        items: list[JsonObject] = self.request("GET", path, query=query)["items"]
        return items

    def delete(self, item: JsonObject) -> None:
        """Deletes an object and what it owns in the background; none is as good."""
        try:
            self.request("DELETE", self._of(item), query={"propagationPolicy": "Background"})
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise

    def _of(self, item: JsonObject) -> str:
        meta = item["metadata"]
        return self.path(item["apiVersion"], item["kind"], meta.get("namespace"), meta["name"])

    def _discover(self, api_version: str) -> dict[str, tuple[str, bool]]:
        root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
        return {
            resource["kind"]: (resource["name"], resource["namespaced"])
            for resource in self.request("GET", root)["resources"]
            if "/" not in resource["name"]
        }


def write_kubeconfig(path: Path, url: str, ca: Path, identity: Identity) -> Path:
    """A kubeconfig with one context; certificates are named, not copied."""
    user: JsonObject = {}
    if identity.token is not None:
        user["token"] = identity.token
    if identity.cert is not None:
        user |= {"client-certificate": str(identity.cert), "client-key": str(identity.key)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "testbed", "cluster": {"server": url, "certificate-authority": str(ca)}}
        ],
        "users": [{"name": "testbed", "user": user}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "testbed"}}],
        "current-context": "testbed",
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config))
    return path
