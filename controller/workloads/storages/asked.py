"""The annotations about how and where backups are stored, and who may use which storage."""

from controller.model.status import Reason, Rejected
from controller.settings import parsers
from controller.settings.choices import Compression, Verify
from controller.settings.settings import Settings
from controller.workloads.annotations import Annotation, unset_or
from dumpers.contract.storages.named_storage import MAIN, split_names

_MAIN_ALONE: tuple[str, ...] = (MAIN,)
STORAGE = Annotation(
    key="storage",
    default=MAIN,
    help="The operator's storages that its backups go to, separated by commas, such as "
    "`main,offsite`. Each gets every backup; the first is the one that is read.",
    read=unset_or(_MAIN_ALONE, split_names),
    longest=1024,
)
COMPRESSION = Annotation(
    key="compression",
    default="the operator's",
    help="How the objects of a backup are compressed: "
    f"{', '.join(f'`{how}`' for how in Compression)}.",
    read=unset_or(None, parsers.one_of(Compression)),
)
VERIFY = Annotation(
    key="verify",
    default="the operator's",
    help=f"What is done with a backup once it is made: {', '.join(f'`{how}`' for how in Verify)}.",
    read=unset_or(None, parsers.one_of(Verify)),
)


def check_storages(asked: tuple[str, ...], namespace: str, settings: Settings) -> Rejected | None:
    """Why a workload of a namespace may not be dumped to the storages that it asks for.

    None where it may. The message names no storage that the namespace may not use, but those that
    were asked for.
    """
    for name in asked:
        storage = settings.storage(name)
        if storage is None:
            return _rejected(Reason.STORAGE_UNKNOWN, name, "is not there", namespace, settings)
        if not storage.serves(namespace):
            why = f"is not for namespace {namespace}"
            return _rejected(Reason.STORAGE_NOT_ALLOWED, name, why, namespace, settings)
        if storage.is_read_only:
            why = f"is only read, by its accessMode {storage.access_mode}"
            return _rejected(Reason.STORAGE_READ_ONLY, name, why, namespace, settings)
    return None


def _rejected(reason: Reason, name: str, why: str, namespace: str, settings: Settings) -> Rejected:
    allowed = ", ".join(settings.storages_for(namespace)) or "none"
    return Rejected(reason, f"the storage {name} {why}: backups of {namespace} may go to {allowed}")
