"""A workload, its Service and credentials → its BackupSpec, or why it is not backed up."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.model.names import cronjob_name, drill_cronjob_name, verify_cronjob_name
from controller.model.objects import labels_of
from controller.model.owner import Owner
from controller.model.status import ReadFailure, Rejected
from controller.model.view import NamespaceView
from controller.workloads.containers import container_of
from controller.workloads.credentials import login
from controller.workloads.hosts import chosen
from controller.workloads.request import Request
from controller.workloads.services import choice
from controller.workloads.services.candidates import ServiceSearch
from controller.workloads.services.roles import cluster_names
from controller.workloads.sharing.asked import check_name
from controller.workloads.workload import Workload
from dumpers.contract.engine_spec import EngineSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSpec:
    """Everything that the manifests of one workload's backup are built from.

    `name` is the dump CronJob's. `members` are the objects of an owner that is a group.
    `credentials` holds values by the job's variables, `restore_credentials` those that restores use
    instead, empty where they are the same; `certificates` are those to trust, as PEM. For drills,
    `server_image` is the image of the database, empty where it is not known or nothing is drilled.
    """

    name: str
    owner: Owner
    members: tuple[Owner, ...] = ()
    engine: EngineSpec
    request: Request
    host: str
    port: int
    credentials: Mapping[str, str] = field(repr=False)
    restore_credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    certificates: str = field(default="", repr=False)
    server_image: str = ""


def wanted_name(workload: Workload) -> str | None:
    """Name of a workload's dump CronJob; None while its engine is not known."""
    if isinstance(workload.request, Rejected):
        return None
    return cronjob_name(workload.request.engine.type, workload.key)


def wanted_reader_names(workload: Workload) -> tuple[str, ...]:
    """Names of the CronJobs that may read a workload's backups by schedules of their own."""
    request, name = workload.request, wanted_name(workload)
    if isinstance(request, Rejected) or not name:
        return ()
    verify = (verify_cronjob_name(name),) if request.verify_schedule else ()
    return (*verify, drill_cronjob_name(name)) if request.drill_schedule else verify


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
    name = cronjob_name(request.engine.type, workload.key)
    host = check_name(name, request.spread) or host_of(workload, request, view)
    if isinstance(host, Rejected):
        return host
    values = chosen.check_secrets(request, view) or login.resolve(
        workload.pods, request, view.contents
    )
    if isinstance(values, Rejected):
        return values
    of_restores = login.resolve_for_restores(workload.pods, request, view.contents)
    if isinstance(of_restores, Rejected):
        return of_restores
    certificates = login.certificates(request, view.contents)
    if isinstance(certificates, Rejected):
        return certificates
    return BackupSpec(
        name=name,
        owner=workload.owner,
        members=workload.members,
        engine=request.engine,
        request=request,
        host=host,
        port=request.port,
        credentials=values,
        restore_credentials=of_restores,
        certificates=certificates,
        server_image=_image_of(workload, request) if request.drill_schedule else "",
    )


def _image_of(workload: Workload, request: Request) -> str:
    """The image that the database runs."""
    return str(container_of(workload.pods, request).get("image") or "")


def database_names(workload: Workload) -> frozenset[str]:
    """The names by which an operator may call a workload's database."""
    clusters = (cluster_names(labels_of(pod)) for pod in workload.pods)
    return frozenset({workload.owner.ref.name}.union(*clusters)) - {""}


def maker_uids(workload: Workload) -> frozenset[str]:
    """The uids of the objects that own a workload's pods, and of those above them."""
    return frozenset(uid for item in workload.objects for uid in (item.uid, *item.makers)) - {""}


def search_of(workload: Workload, request: Request, view: NamespaceView) -> ServiceSearch:
    """What decides among the Services of a workload besides its pods."""
    return ServiceSearch(
        read_from=request.read_from,
        databases=database_names(workload),
        makers=maker_uids(workload),
        neighbours=() if isinstance(view.pods, ReadFailure) else view.pods,
    )


def host_of(workload: Workload, request: Request, view: NamespaceView) -> str | Rejected:
    """The database's host: of an annotation, else the named Service, else the matching one."""
    if refused := chosen.check_hosts(request, view):
        return refused
    if request.host:
        return request.host
    if isinstance(view.services, ReadFailure):
        return Rejected(view.services.reason, view.services.message)
    service = (
        choice.named_service(view.services, request.service)
        if request.service
        else choice.choose_service(
            view.services, workload.pods, request.port, search_of(workload, request, view)
        )
    )
    if isinstance(service, Rejected):
        return service
    return f"{service}.{view.name}.svc.cluster.local"
