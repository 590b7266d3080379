"""What keeps a workload's backups from being verified or drilled as it asks; its dumps go on."""

from collections.abc import Iterator, Sequence

from controller.manifests.manifest import reader_refs
from controller.manifests.ownership import instance_note, is_ours
from controller.manifests.reading.drill_pod import SERVER
from controller.manifests.reading.drilled import drilled_of
from controller.model.objects import Json
from controller.model.status import Reason, Rejected
from controller.plan.blocked_runs import blocked_runs_of, describe_blocked_run
from controller.plan.context import PlanContext
from controller.plan.laid_manifests import LaidManifest
from controller.workloads.backup_spec import BackupSpec


def drill_findings(spec: BackupSpec, cronjob: Json | None, context: PlanContext) -> list[Rejected]:
    """Why a workload that asks for drills gets none, or which of them do not begin.

    `cronjob` is its dump CronJob as it exists, None before the first pass.
    """
    found = drilled_of(spec, context.settings, cronjob)
    if isinstance(found, Rejected):
        return [found]
    drill = context.owned.objects.get(reader_refs(spec.name)[1])
    if found is None or drill is None or not is_ours(drill, context.settings):
        return []
    if not _has_sidecar(drill):
        why = "it is not drilled: that needs Kubernetes 1.29, and this API server knows no sidecars"
        return [Rejected(Reason.NOT_DRILLABLE, why)]
    return [
        Rejected(Reason.DRILL_BLOCKED, f"its drill does not begin: {describe_blocked_run(run)}")
        for run in blocked_runs_of(drill, context.owned, context.view)
    ]


def _has_sidecar(drill: Json) -> bool:
    """Whether the API server has kept what makes a sidecar of the throwaway server.

    An older one drops the field, and the pod's other containers would wait for the server's end.
    """
    pod = drill["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return all(
        item.get("restartPolicy") == "Always"
        for item in pod.get("initContainers") or ()
        if item.get("name") == SERVER
    )


def sort_out_readers(
    spec: BackupSpec, laid: Sequence[LaidManifest], context: PlanContext
) -> tuple[list[LaidManifest], list[Rejected]]:
    """Of a workload's CronJobs that read its backups, those that may be written, and why not all.

    What is not ours is left alone, and so is what could not be read.
    """
    readers = [item for item in laid if item.ref in reader_refs(spec.name)]
    findings = list(_taken(readers, context))
    if not findings:
        return readers, []
    return [item for item in readers if not [*_taken([item], context)]], findings


def _taken(readers: Sequence[LaidManifest], context: PlanContext) -> Iterator[Rejected]:
    for item in readers:
        if failed := context.view.control.unread.get(item.ref):
            yield Rejected(failed.reason, failed.message)
        elif item.before and not is_ours(item.before, context.settings):
            yield Rejected(
                Reason.NAME_TAKEN,
                f"the {item.ref.kind} {item.ref.name} is not ours{instance_note(item.before)}: "
                "rename or remove it, as what reads the backups needs its name; dumps go on",
            )
