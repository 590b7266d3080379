"""Where the backups of a workload go, where that is not just `main`."""

from collections.abc import Iterator

from controller.plan.explained.decision import Decision, Verdict
from controller.settings.settings import Settings
from controller.workloads.request import Request
from controller.workloads.storages.asked import check_storages
from controller.workloads.storages.locks import lock_note
from controller.workloads.workload import Workload


def storage_decisions(
    workload: Workload, request: Request, settings: Settings
) -> Iterator[Decision]:
    """Explain the storages of a workload, each as one decision; nothing without named ones."""
    if not settings.storages:
        return
    for place, name in enumerate(request.storages):
        refused = check_storages((name,), workload.owner.namespace, settings)
        if refused:
            verdict, why = Verdict.REJECTED, f"{refused.reason}: {refused.message}"
        else:
            found = settings.storage(name)
            parts = [
                "its backups go there",
                "" if place else "and are read from there",
                lock_note(found, request.retention) if found else "",
            ]
            verdict, why = Verdict.CHOSEN, "; ".join(filter(None, parts))
        yield Decision(workload=workload.key, about=f"storage/{name}", verdict=verdict, why=why)
