"""The variables of all storages of a dump CronJob, for a Job that reads the nearest good copy."""

from collections.abc import Iterable, Iterator, Mapping

from controller.manifests.storages.entries import plain_variable
from controller.manifests.storages.sources import Account
from controller.manifests.storages.storage_env import KEYS, key_variables
from controller.manifests.verb_job import store_variables
from controller.model.objects import Json
from controller.workloads.storages.dump_container import storages_in
from dumpers.contract import names as variables
from dumpers.contract.storages.variables import S3_BUCKET_INFO, first_variable, named_variable


def every_store_variables(dump: Json, own: Mapping[str, str], account: Account) -> list[Json]:
    """As `store_variables`, of all storages of a container that dumps, the first one first.

    The keys of each are those of the `account`.
    """
    first, *others = storages_in(dump)
    found = store_variables(dump, own, account)
    if not others:
        return found
    return [
        *(item for item in found if item["name"] != variables.STORAGES),
        plain_variable(variables.STORAGES, ",".join((first, *others))),
        *(item for name in others for item in _further(dump.get("env") or (), name, account)),
    ]


def _further(entries: Iterable[Json], name: str, account: Account) -> Iterator[Json]:
    """The variables of a storage that is not the first one."""
    own = {item["name"]: item for item in entries if first_variable(item["name"], name)}
    secret = account.secret_for(name)
    keys = {named_variable(variable, name) for variable in KEYS} if secret is not None else ()
    yield from (item for key, item in own.items() if key not in keys)
    if secret:
        is_bucket_info = named_variable(S3_BUCKET_INFO, name) in own
        yield from key_variables(secret, name, is_first=False, is_bucket_info=is_bucket_info)
