"""The container of a dump CronJob that dumps, and the storages that its variables name."""

from controller.model.names import CONTAINER
from controller.model.objects import Json
from dumpers.contract.names import STORAGES
from dumpers.contract.storages.named_storage import MAIN


def dump_container(cronjob: Json) -> Json | None:
    """The container that dumps; None in a CronJob from which somebody removed it."""
    job = ((cronjob.get("spec") or {}).get("jobTemplate") or {}).get("spec") or {}
    pod = (job.get("template") or {}).get("spec") or {}
    found = (item for item in pod.get("containers") or () if item.get("name") == CONTAINER)
    return next(found, None)


def literal_of(container: Json, variable: str) -> str:
    """A variable's value that stands in the container itself; empty where none does."""
    entries = container.get("env") or ()
    found = (str(item.get("value") or "") for item in entries if item.get("name") == variable)
    return next(found, "")


def storages_in(container: Json) -> tuple[str, ...]:
    """The names of the storages that a container dumps to, the first one first."""
    names = (literal_of(container, STORAGES) or MAIN).split(",")
    return tuple(name.strip() for name in names)
