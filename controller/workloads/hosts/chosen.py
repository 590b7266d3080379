"""Hosts that somebody chose, rather than Kubernetes found: which, and which logins may go there.

Whoever may only annotate a pod must not have the controller read a Secret of the namespace and send
its password to a host of their choice. So a Secret that an annotation names says itself, by a
label, whether it may go to such a host. What the database's own container has as its variables
needs no label: whoever may change a pod may run another image in it, and read them.
"""

import re
from collections.abc import Iterator

from controller.model.names import ALLOW_HOST_LABEL
from controller.model.objects import Json, name_of
from controller.model.status import ReadFailure, Reason, Rejected, RejectedError
from controller.model.view import NamespaceView
from controller.settings.operation import ALL_HOSTS
from controller.workloads.annotations import CREDENTIALS_SECRET, SERVICE, TEXTS, Annotation
from controller.workloads.credentials.named_secret import NamedSecret
from controller.workloads.hosts import addresses
from controller.workloads.hosts.asked import HOST
from controller.workloads.job_annotations import RESTORE_CREDENTIALS_SECRET
from controller.workloads.request import Request
from controller.workloads.services.facts import is_external_name

_DOMAIN = ".cluster.local"
_BETWEEN_HOSTS = re.compile(r"[;,\s]+")
_PORT = re.compile(r":[0-9]+\Z")


def check_hosts(request: Request, view: NamespaceView) -> Rejected | None:
    """Why a host that was chosen may not be connected to; None where each may.

    Where the operator allows some hosts only, Services of the namespace still are.
    """
    try:
        for what, host in _chosen_hosts(request, view):
            if addresses.is_refused(host):
                why = "which is the machine itself, link-local or the metadata server of a cloud"
            elif addresses.is_allowed(host, request.allowed_hosts) or _is_of_service(host, view):
                continue
            else:
                why = "which fits none of hosts.allowed: name a Service, or have the host allowed"
            return Rejected(Reason.HOST_NOT_ALLOWED, f"{what} names {host!r}, {why}")
    except RejectedError as error:
        return error.rejected
    return None


def check_secrets(request: Request, view: NamespaceView) -> Rejected | None:
    """Why a Secret that an annotation names may not go where its login would; None where it may."""
    named = tuple(_named_secrets(request))
    if not named:
        return None
    try:
        what = _outside(request, view)
        for name, annotation in named if what else ():
            secret = NamedSecret.read(name, annotation, view.contents)
            if secret and not secret.content.allows_host:
                return _not_allowed(secret, what)
    except RejectedError as error:
        return error.rejected
    return None


def restore_refusal(request: Request, view: NamespaceView) -> str:
    """Why annotations may not have anything restored to the login's host; empty where they may.

    Backups may hold what the database has no more, and the operator's private key opens them: they
    go to Services of the namespace, or where the operator allows certain hosts, to these.
    """
    if request.allowed_hosts != ALL_HOSTS:
        return ""
    try:
        what = _outside(request, view)
    except RejectedError as error:
        return error.rejected.message
    if not what:
        return ""
    return (
        f"{what} names a host that is no Service of the namespace, and backups are not restored "
        "there by annotations unless hosts.allowed names certain hosts: restore by the command"
    )


def chooses_hosts(request: Request) -> bool:
    """Whether annotations name a Service or hosts, rather than leave that to be found."""
    return bool(request.service or request.host or any(listed_hosts(request)))


def listed_hosts(request: Request) -> Iterator[tuple[Annotation[str], tuple[str, ...]]]:
    """The annotations of the engine's own that name hosts, and those hosts without their ports."""
    listed = dict(request.texts)
    for option in request.engine.texts:
        if option.names_hosts and (text := listed.get(option.variable)):
            hosts = filter(None, _BETWEEN_HOSTS.split(text))
            yield TEXTS[option], tuple(map(_without_port, hosts))


def _outside(request: Request, view: NamespaceView) -> str:
    """What chose a host that is no Service of the namespace; empty for nothing.

    RejectedError where the Services could not be read.
    """
    chosen = (what for what, host in _chosen_hosts(request, view) if not _is_of_service(host, view))
    return next(chosen, "")


def _chosen_hosts(request: Request, view: NamespaceView) -> Iterator[tuple[str, str]]:
    """What chose each of the hosts for the login that somebody chose, and that host.

    A Service of the type ExternalName is a host of the choice of whoever made it. RejectedError
    where that is not known, as the Services could not be read.
    """
    if request.host:
        yield f"the annotation {HOST.name}", request.host
    elif request.service:
        service = _service(request.service, view) or {}
        if is_external_name(service):
            what = f"the Service {request.service!r} of the annotation {SERVICE.name}"
            yield what, str(service["spec"].get("externalName", ""))
    for annotation, hosts in listed_hosts(request):
        for host in hosts:
            yield f"the annotation {annotation.name}", host


def _named_secrets(request: Request) -> Iterator[tuple[str, Annotation[str]]]:
    if request.credentials_secret:
        yield request.credentials_secret, CREDENTIALS_SECRET
    if request.restore_credentials_secret:
        yield request.restore_credentials_secret, RESTORE_CREDENTIALS_SECRET


def _without_port(host: str) -> str:
    return host if addresses.address_of(host) else _PORT.sub("", host).strip("[]")


def _is_of_service(host: str, view: NamespaceView) -> bool:
    """Whether a host is a Service of the namespace, or a pod behind a headless one, in full."""
    path = host.lower().removesuffix(".").removesuffix(_DOMAIN)
    inside = path.removesuffix(f".{view.name}.svc")
    if inside == path or inside.count(".") > 1:
        return False
    found = _service(inside.rpartition(".")[2], view)
    return found is not None and not is_external_name(found)


def _service(name: str, view: NamespaceView) -> Json | None:
    if isinstance(view.services, ReadFailure):
        raise RejectedError(view.services.reason, view.services.message)
    return next((item for item in view.services if name_of(item) == name), None)


def _not_allowed(secret: NamedSecret, what: str) -> Rejected:
    return Rejected(
        Reason.SECRET_NOT_ALLOWED,
        f"{what} names a host that is no Service of the namespace, so {secret.ref}, which the "
        f"annotation {secret.annotation.name} names, is not sent there: whoever owns that Secret "
        f'allows it by the label {ALLOW_HOST_LABEL}: "true" on it; or name a Service',
    )
