"""Where the variables of a job's storages come from, and with whose keys the job goes there."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.settings.settings import Settings
from controller.settings.storages.storage import Storage
from dumpers.contract.storages.named_storage import MAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """As whom a Job goes to the store, where that is not as the dumps do; empty means as they do.

    `secret` holds the S3 keys of the storage `main`; without it but with a `service_account` the
    Job has no keys there, and the identity of that account counts. `of_storages` are the Secrets of
    other storages by their names; for those that are not in it the Secret of dumps counts.
    """

    secret: str = ""
    service_account: str = ""
    of_storages: Mapping[str, str] = field(default_factory=dict, compare=False)

    def secret_for(self, storage: str) -> str | None:
        """The Secret with the keys of a storage: empty for no keys, None for those of dumps."""
        if storage != MAIN:
            return self.of_storages.get(storage)
        return None if self == WRITER else self.secret


WRITER = Account()


def reader_account(settings: Settings) -> Account:
    """The account of Jobs that only read the store."""
    return Account(
        secret=settings.reader_secret_name,
        service_account=settings.reader_service_account,
        of_storages={
            name: item.reader_secret
            for name, item in settings.storages.items()
            if item.reader_secret
        },
    )


def pruner_account(settings: Settings) -> Account:
    """The account of Jobs that delete, or judge what is to be deleted."""
    return Account(
        secret=settings.prune_secret_name,
        service_account=settings.prune_service_account,
        of_storages={
            name: item.prune_secret for name, item in settings.storages.items() if item.prune_secret
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One storage of a job.

    `config` is the ConfigMap that says where it is, empty where `storage` does. `secret` has its
    keys, or its BucketInfo; empty for none.
    """

    storage: Storage
    config: str = ""
    secret: str = ""


def sources_of(
    names: tuple[str, ...], settings: Settings, account: Account = WRITER
) -> tuple[Source, ...]:
    """The storages of a job in their order; those that are not defined are left out.

    Dumps to them are refused before anything is built.
    """
    found = ((name, settings.storage(name)) for name in names)
    return tuple(_source(name, item, settings, account) for name, item in found if item)


def _source(name: str, storage: Storage, settings: Settings, account: Account) -> Source:
    secret = account.secret_for(name)
    if name == MAIN:
        of_dumps, config = settings.backup_secret_name, settings.backup_configmap_name
    else:
        of_dumps, config = storage.bucket_info_secret or storage.credentials_secret, ""
    return Source(storage=storage, config=config, secret=of_dumps if secret is None else secret)
