"""A workload, its Service and credentials → its BackupSpec, or why it is not backed up."""

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
    """Everything that the manifests of one workload's backup are built from.

    `name` is the dump CronJob's. `members` are the objects of an owner that is a group.
    `credentials` holds values by the job's variables; `certificates` are those to trust, as PEM.
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
    """Name of a workload's dump CronJob; None while its engine is not known."""
    if isinstance(workload.request, Rejected):
        return None
    return cronjob_name(workload.request.engine.type, workload.key)


def references(workload: Workload) -> tuple[login.SecretKeys, ...]:
    """The Secrets and ConfigMaps that have to be read before `build_spec`."""
    if isinstance(workload.request, Rejected):
        return ()
    return login.references(workload.pods, workload.request)


def build_spec(workload: Workload, view: NamespaceView) -> BackupSpec | Rejected:
    """Build the workload's BackupSpec; the first obstacle becomes a rejection."""
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
    """The database's host: of an annotation, else the named Service, else the matching one."""
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
