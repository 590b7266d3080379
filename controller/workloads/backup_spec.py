"""A workload with its Service and credentials → what its backup is, or why it has none."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.model.names import cronjob_name
from controller.model.owner import Owner
from controller.model.status import ReadFailure, Rejected
from controller.model.view import NamespaceView
from controller.workloads import services
from controller.workloads.credentials import login
from controller.workloads.request import Request
from controller.workloads.workload import Workload
from dumpers.contract.engine_spec import EngineSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSpec:
    """One backup as it should be.

    `members` are the objects of an owner that is a group. `credentials` goes from job variable to
    value; `certificates` are those to trust, as PEM.
    """

    name: str
    owner: Owner
    members: tuple[Owner, ...] = ()
    engine: EngineSpec
    request: Request
    host: str
    port: int
    credentials: Mapping[str, str] = field(repr=False)
    certificates: str = field(default="", repr=False)


def wanted_name(workload: Workload) -> str | None:
    """Name of the CronJob of a workload; None while its engine is not known."""
    if isinstance(workload.request, Rejected):
        return None
    return cronjob_name(workload.request.engine.type, workload.key)


def references(workload: Workload) -> tuple[login.SecretKeys, ...]:
    """The Secrets and ConfigMaps that have to be read before `parse`."""
    if isinstance(workload.request, Rejected):
        return ()
    return login.references(workload.pods, workload.request)


def build_spec(workload: Workload, view: NamespaceView) -> BackupSpec | Rejected:
    """The workload's backup, or the first thing that stands in its way."""
    request = workload.request
    if isinstance(request, Rejected):
        return request
    host = _host(workload, request, view)
    if isinstance(host, Rejected):
        return host
    values = login.resolve(workload.pods, request, view.contents)
    if isinstance(values, Rejected):
        return values
    certificates = login.certificates(request, view.contents)
    if isinstance(certificates, Rejected):
        return certificates
    return BackupSpec(
        name=cronjob_name(request.engine.type, workload.key),
        owner=workload.owner,
        members=workload.members,
        engine=request.engine,
        request=request,
        host=host,
        port=request.port,
        credentials=values,
        certificates=certificates,
    )


def _host(workload: Workload, request: Request, view: NamespaceView) -> str | Rejected:
    """Where the database answers: the host or the Service asked for, else the one Service of it."""
    if request.host:
        return request.host
    if isinstance(view.services, ReadFailure):
        return Rejected(view.services.reason, view.services.message)
    service = (
        services.named_service(view.services, request.service)
        if request.service
        else services.choose_service(view.services, workload.pods, request.port)
    )
    if isinstance(service, Rejected):
        return service
    return f"{service}.{view.name}.svc.cluster.local"
