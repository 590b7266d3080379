"""Builds the Job that copies a backup of a workload from one storage to another.

It has the image, security and scheduling of the dumps, and their account, as it writes. What it
reads is read as by jobs that only read, where these have keys of their own.
"""

from typing import Any

from controller.manifests.storages.of_cronjob import namespace_of, why_not_used
from controller.manifests.storages.sources import Account, reader_account, sources_of
from controller.manifests.storages.storage_env import variables_of
from controller.manifests.verb_job import (
    VerbJob,
    build_container,
    build_job,
    container_of,
    plain_variables,
)
from controller.model import names
from controller.model.objects import Json
from controller.model.status import Rejected
from controller.settings.settings import Settings
from controller.workloads.storages.asked import check_storages
from dumpers.contract import names as variables

COPY = "copy"
_KEPT = {variables.CLUSTER, variables.WORKLOAD, variables.CRONJOB, variables.LOG_LEVEL}


def why_not_copied(cronjob: Json, settings: Settings, *, source: str, target: str) -> str:
    """Why backups of a dump CronJob may not be copied between two storages; empty if they may.

    What the CronJob writes to is copied from, as it is read else, also where it is retired.
    """
    namespace = namespace_of(cronjob)
    if source == target:
        return f"{target} is where the backup is copied from, too"
    match check_storages((target,), namespace, settings):
        case Rejected(message=message):
            return message
    # Where a storage is and with which keys the settings say, and not the CronJob, which dumps.
    if settings.storage(source) is None:
        return f"the storage {source} is not there, or not for namespace {namespace}"
    return why_not_used(cronjob, source, settings)


def build_copy_job(
    cronjob: Json, wanted: VerbJob, settings: Settings, *, source: str, target: str
) -> dict[str, Any]:
    """Build a Job that copies from `source` to `target`, for which `why_not_copied` is empty."""
    dump = container_of(cronjob)
    sources = (
        *sources_of((source,), settings, _reader(settings)),
        *sources_of((target,), settings),
    )
    env = [
        *variables_of(sources, settings.backup_configmap_name),
        *(item for item in dump.get("env") or () if item["name"] in _KEPT),
        *plain_variables(wanted.variables),
    ]
    container = build_container(dump, name=names.CONTAINER, verb=COPY, env=env)
    return build_job(cronjob, wanted, containers=[container], volumes=[])


def _reader(settings: Settings) -> Account:
    """The account of what is read; keys of dumps stay where jobs that read have an identity.

    A pod has one account, and that of the dumps may write.
    """
    account = reader_account(settings)
    return Account(secret=account.secret, of_storages=account.of_storages)
