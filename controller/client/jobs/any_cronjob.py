"""A dump CronJob to make Jobs of that belong to no workload: as the controller would build one."""

from controller.client.cluster.install import Install
from controller.manifests.cronjob import build_cronjob
from controller.manifests.overlay import overlay
from controller.model.names import PREFIX, cronjob_name
from controller.model.objects import Json, ObjectRef
from controller.model.owner import Owner
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.request import Request, parse_request
from controller.workloads.storages.dump_container import dump_container, storages_in
from dumpers.contract.names import DEFAULT_CLUSTER
from dumpers.contract.storages.named_storage import MAIN
from dumpers.engines.registry import ENGINES

_ASKED = {"enabled": "true", "schedule": "@yearly", "encryption-enabled": "false"}


def any_cronjob(install: Install, cronjobs: list[Json]) -> Json:
    """One of the install's CronJobs whose first storage is `main`, else what its settings make.

    So what others left in the bucket can be listed before anything is backed up here.
    """
    if found := next(filter(_dumps_to_main, cronjobs), None):
        return found
    engine = ENGINES[0]
    asked = {f"{PREFIX}{key}": text for key, text in {**_ASKED, "type": engine.type}.items()}
    request = parse_request(asked, install.settings)
    assert isinstance(request, Request), request
    owner = Owner(namespace=install.namespace, ref=ObjectRef(kind="", name=install.name))
    spec = BackupSpec(
        name=cronjob_name(engine.type, owner.key),
        owner=owner,
        engine=engine,
        request=request,
        host="",
        port=request.port,
        credentials={},
    )
    cluster = install.settings.cluster_name or DEFAULT_CLUSTER
    return overlay(None, build_cronjob(spec, install.settings, cluster, None))


def _dumps_to_main(cronjob: Json) -> bool:
    """Whether `main` is the first storage of a CronJob; one without the container has none."""
    container = dump_container(cronjob)
    return container is not None and storages_in(container)[0] == MAIN
