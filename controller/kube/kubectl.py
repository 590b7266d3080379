"""The user's cluster through the `kubectl` program, so that every login works.

Calls go to paths of the API (`kubectl get --raw`), so one call is one request: kubectl asks for no
discovery. Bodies travel by stdin, but for patches. Nothing here needs more than Python's own
library.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

from controller.kube.client import Document, KubeError, Resource, UnavailableError
from controller.kube.kubectl_errors import error_of
from controller.kube.log_stream import LogStream
from controller.model.kinds import SECRET

PROGRAM = "KSNAPSHOT_KUBECTL"
_SECONDS = 60
# Time for a login program that asks a person, beside the request's own.
_PATIENCE = 60
_REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def path_of(
    resource: Resource, namespace: str, name: str = "", *, sub: str = "", **query: str
) -> str:
    """The API's path of an object or a list; an empty `namespace` means all of them.

    Of `query` only what is not empty counts.
    """
    parts = [resource.root]
    if namespace and resource.namespaced:
        parts.append(f"namespaces/{namespace}")
    parts += [part for part in (resource.plural, name, sub) if part]
    asked = {key: text for key, text in query.items() if text}
    return "/".join(parts) + (f"?{urlencode(asked)}" if asked else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """A cluster as one user of kubectl sees it; every call raises KubeError and nothing else.

    `timeout` of one request is in seconds. An empty `context` or `kubeconfig` leaves the choice to
    kubectl.
    """

    program: str
    context: str = ""
    kubeconfig: str = ""
    timeout: int = _SECONDS

    @classmethod
    def find(cls, *, context: str = "", kubeconfig: str = "", timeout: int = _SECONDS) -> Self:
        """Find the program: KSNAPSHOT_KUBECTL, else `kubectl` in PATH."""
        wanted = os.environ.get(PROGRAM) or "kubectl"
        program = shutil.which(wanted)
        if program is None:
            raise UnavailableError(
                f"the program {wanted} was not found: install kubectl"
                f" (https://kubernetes.io/docs/tasks/tools), or name it by {PROGRAM}"
            )
        return cls(program=program, context=context, kubeconfig=kubeconfig, timeout=timeout)

    def get_raw(self, path: str) -> Document:
        """GET a path of the API."""
        return _document(path, self._run(f"GET {path}", ["get", "--raw", path]))

    def get(self, resource: Resource, namespace: str, name: str) -> Document:
        """Read one object; raises NotFoundError if the API server says that it does not exist."""
        return self.get_raw(path_of(resource, namespace, name))

    def list(
        self, resource: Resource, namespace: str, selector: str = "", *, fields: str = ""
    ) -> list[Document]:
        """Read all objects of a kind in one request; an empty `namespace` means all of them.

        Raises UnavailableError where the answer is no list, or only a part of one.
        """
        query = {"labelSelector": selector, "fieldSelector": fields}
        path = path_of(resource, namespace, **query)
        document = self.get_raw(path)
        items = document.get("items")
        if items is None and str(document.get("kind", "")).endswith("List"):
            return []
        if not isinstance(items, list) or (document.get("metadata") or {}).get("continue"):
            raise UnavailableError(f"GET {path}: the answer is no whole list")
        return items

    def create(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> Document:
        """Create an object and return it as stored; raises ConflictError if it exists already."""
        return self._send("create", "POST", path_of(resource, namespace), body)

    def replace(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> Document:
        """Replace an object and return it as stored.

        Raises ConflictError unless `body` has the newest resourceVersion.
        """
        path = path_of(resource, namespace, body["metadata"]["name"])
        return self._send("replace", "PUT", path, body)

    def patch(
        self, resource: Resource, namespace: str, name: str, change: Mapping[str, Any]
    ) -> Document:
        """Change an object by a JSON merge patch and return it as stored.

        A `resourceVersion` in the patch's metadata makes it raise ConflictError if the object
        changed since. The patch is an argument of kubectl, which everybody on this machine sees:
        ValueError for Secrets.
        """
        if resource.kind == SECRET:
            raise ValueError("a Secret is replaced, never patched")
        call = f"PATCH {path_of(resource, namespace, name)}"
        group = resource.version.partition("/")
        qualified = f"{resource.plural}.{group[2]}.{group[0]}" if group[2] else resource.plural
        arguments = ["patch", qualified, name, "--namespace", namespace, "--type=merge"]
        answer = self._run(call, [*arguments, f"--patch={json.dumps(change)}", "--output=json"])
        return _document(call, answer)

    def delete(self, resource: Resource, namespace: str, name: str, *, uid: str) -> None:
        """Delete exactly this object and, in the background, the objects that it owns.

        Raises NotFoundError if it is gone, ConflictError if another one has its name.
        """
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        }
        self._send("delete", "DELETE", path_of(resource, namespace, name), options)

    def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        follow: bool = False,
        since: str = "",
        timestamps: bool = False,
        tail: int = 0,
        previous: bool = False,
    ) -> LogStream:
        """Open a container's log; `since` is RFC 3339, whole seconds count.

        With `timestamps` each line begins with its time in RFC 3339 and a space. `tail` bounds the
        lines from before, 0 does not; `previous` is the log of the container before its restart.
        """
        query = {
            "container": container,
            "follow": "true" if follow else "",
            "sinceTime": since,
            "timestamps": "true" if timestamps else "",
            "tailLines": str(tail) if tail else "",
            "previous": "true" if previous else "",
        }
        asked = urlencode({key: text for key, text in query.items() if text})
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log?{asked}"
        return LogStream(f"log of {namespace}/{pod}", [*self.command, "get", "--raw", path])

    def whoami(self) -> str:
        """The user's name as the API server knows it; empty where it cannot be asked."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = self._send("create", "POST", _REVIEWS, body)
        except KubeError:
            # Servers before 1.28 do not know it.
            return ""
        return str(((answer.get("status") or {}).get("userInfo") or {}).get("username") or "")

    def may(self, verb: str, group: str, resource: str, namespace: str) -> bool:
        """Ask the API server whether its rules let this user do something."""
        wanted = {"namespace": namespace, "verb": verb, "group": group, "resource": resource}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        }
        answer = self._send("create", "POST", _ACCESS_REVIEWS, body)
        return (answer.get("status") or {}).get("allowed") is True

    def context_namespace(self) -> str:
        """The namespace of the context; `default` where it names none. Asks no server.

        Empty where there is no context, as in a pod.
        """
        try:
            text = self._run("kubectl config view", ["config", "view", "--minify", "-o", "json"])
        except KubeError:
            return ""
        contexts = _document("kubectl config view", text).get("contexts") or [{}]
        return str((contexts[0].get("context") or {}).get("namespace") or "default")

    def _send(self, verb: str, method: str, path: str, body: Mapping[str, Any]) -> Document:
        call = f"{method} {path}"
        sent = json.dumps(body).encode()
        answer = self._run(
            call, [verb, "--raw", path, "--filename", "-"], sent, hide=_is_secret(call)
        )
        return _document(call, answer)

    def _run(
        self, call: str, arguments: Sequence[str], sent: bytes | None = None, *, hide: bool = False
    ) -> bytes:
        """Run kubectl and return its stdout. Without a body stdin stays, for logins that ask."""
        command = [*self.command, f"--request-timeout={self.timeout}s", *arguments]
        try:
            done = subprocess.run(
                command,
                input=sent,
                capture_output=True,
                timeout=self.timeout + _PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UnavailableError(
                f"{call}: kubectl gave no answer; if it waits for a login, run `kubectl version`"
            ) from None
        except OSError as error:
            raise UnavailableError(f"{self.program} cannot be run: {error.strerror}") from error
        if done.returncode:
            raise error_of(call, done.stderr.decode(errors="replace"), hide=hide)
        return done.stdout

    @property
    def command(self) -> Sequence[str]:
        """The program and the options that lead to the cluster."""
        options = {"context": self.context, "kubeconfig": self.kubeconfig}
        return [self.program, *(f"--{name}={text}" for name, text in options.items() if text)]


def _is_secret(call: str) -> bool:
    return "/secrets" in call


def _document(call: str, text: bytes) -> Document:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UnavailableError(f"{call}: the answer is no JSON object")
    return document
