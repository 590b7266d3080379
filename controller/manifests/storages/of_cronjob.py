"""The storages of a dump CronJob, and the CronJob as if it wrote to another one alone."""

from collections.abc import Iterator
from typing import Any

from controller.manifests.storages.entries import plain_variable
from controller.manifests.storages.sources import sources_of
from controller.manifests.storages.storage_env import variables_of
from controller.manifests.verb_job import container_of
from controller.model import names
from controller.model.objects import Json
from controller.settings.settings import Settings
from controller.workloads.storages.dump_container import literal_of, storages_in
from dumpers.contract import names as variables
from dumpers.contract.storages import variables as storage_variables
from dumpers.contract.storages.named_storage import MAIN
from dumpers.contract.storages.variables import first_variable

_OF_FIRST, _OF_OTHERS = "BACKEND_", "STORAGE_"


def storages_of(cronjob: Json) -> tuple[str, ...]:
    """The names of the storages that a dump CronJob writes to, the first one first."""
    return storages_in(container_of(cronjob))


def why_not_used(cronjob: Json, name: str, settings: Settings) -> str:
    """Why backups of a dump CronJob are not looked for in a storage; empty where they may be."""
    if name in storages_of(cronjob):
        return ""
    return why_not_served(name, namespace_of(cronjob), settings)


def why_not_served(name: str, namespace: str, settings: Settings) -> str:
    """Why nothing of a namespace may be read from a storage; empty where it may be."""
    storage = settings.storage(name)
    if storage is None or not storage.serves(namespace):
        return f"the storage {name} is not there, or not for namespace {namespace}"
    return ""


def is_only_read(name: str, settings: Settings) -> bool:
    """Whether nothing is written to, or deleted from, the storage of this name."""
    storage = settings.storage(name)
    return storage is not None and storage.is_read_only


def of_storage(cronjob: Json, name: str, settings: Settings) -> Json:
    """A dump CronJob as if it wrote to this storage alone, for Jobs that are built from it.

    What the CronJob says of its own storages holds, as its users may have changed it by hand; of
    others the settings are asked, which define them: see `why_not_used`.
    """
    own = storages_of(cronjob)
    if own == (name,):
        return cronjob
    entries = container_of(cronjob).get("env") or ()
    if name == own[0]:
        where = [item for item in entries if item["name"].startswith(_OF_FIRST)]
    else:
        where = [*_renamed(entries, name)] if name in own else _defined(name, settings)
    # Those of proxies are in both where the settings are asked.
    replaced = {item["name"] for item in where} | {variables.STORAGES}
    kept = [
        item
        for item in entries
        if item["name"] not in replaced and not item["name"].startswith((_OF_FIRST, _OF_OTHERS))
    ]
    listed = [] if name == MAIN else [plain_variable(variables.STORAGES, name)]
    return _with_env(cronjob, [*where, *listed, *kept])


def namespace_of(cronjob: Json) -> str:
    """The namespace of the workload that a dump CronJob is for."""
    return literal_of(container_of(cronjob), variables.WORKLOAD).partition("/")[0]


def _renamed(entries: Any, name: str) -> Iterator[Json]:
    """The variables of one of the CronJob's further storages, as those of its first one."""
    for item in entries:
        if item["name"] == storage_variables.BACKEND_TYPE:
            yield item
        elif own := first_variable(item["name"], name):
            yield {**item, "name": own}


def _defined(name: str, settings: Settings) -> list[Json]:
    """The variables of a storage that the settings define, as those of a first one."""
    sources = sources_of((name,), settings)
    found = variables_of(sources, settings.backup_configmap_name)
    return [item for item in found if item["name"] != variables.STORAGES]


def _with_env(cronjob: Json, env: list[Json]) -> Json:
    spec = cronjob["spec"]
    job = spec["jobTemplate"]
    template = job["spec"]["template"]
    pod = template["spec"]
    containers = [
        {**item, "env": env} if item.get("name") == names.CONTAINER else item
        for item in pod["containers"]
    ]
    template = {**template, "spec": {**pod, "containers": containers}}
    template = {**job, "spec": {**job["spec"], "template": template}}
    return {**cronjob, "spec": {**spec, "jobTemplate": template}}
