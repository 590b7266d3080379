"""A workload with its Service and credentials → what its backup is, or why it has none."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller import credentials, services
from controller.annotations import Request
from controller.names import cronjob_name
from controller.reasons import Failed, Rejected
from controller.view import NamespaceView
from controller.workloads import Owner, Workload
from dumpers.engines.facts import EngineFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSpec:
    """One backup as it should be. `credentials` goes from job variable to value."""

    name: str
    owner: Owner
    engine: EngineFacts
    request: Request
    host: str
    port: int
    credentials: Mapping[str, str] = field(repr=False)


def name_of(workload: Workload) -> str | None:
    """Name of the CronJob of a workload; None while its engine is not known."""
    if isinstance(workload.request, Rejected):
        return None
    return cronjob_name(workload.request.engine.type, workload.key)


def references(workload: Workload) -> tuple[credentials.Reference, ...]:
    """The Secrets and ConfigMaps that have to be read before `parse`."""
    if isinstance(workload.request, Rejected):
        return ()
    engine = workload.request.engine
    container = credentials.container_of(workload.pods, engine)
    return credentials.references(container, engine.source_variables)


def parse(workload: Workload, view: NamespaceView) -> BackupSpec | Rejected:
    """The workload's backup, or the first thing that stands in its way."""
    request = workload.request
    if isinstance(request, Rejected):
        return request
    if isinstance(view.services, Failed):
        return Rejected(view.services.reason, view.services.message)
    engine = request.engine
    service = services.choose(view.services, workload.pods, engine.port)
    if isinstance(service, Rejected):
        return service
    container = credentials.container_of(workload.pods, engine)
    values = credentials.resolve(container, engine, view.contents)
    if isinstance(values, Rejected):
        return values
    return BackupSpec(
        name=cronjob_name(engine.type, workload.key),
        owner=workload.owner,
        engine=engine,
        request=request,
        host=f"{service}.{view.name}.svc.cluster.local",
        port=engine.port,
        credentials=values,
    )
