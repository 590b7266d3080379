"""Which workload a new one may be restored from."""

from fnmatch import fnmatchcase

from controller.model import names
from controller.model.objects import Json, annotations_of
from controller.plan.context import PlanContext
from controller.settings.choices import BootstrapFrom
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.hosts.chosen import restore_refusal
from controller.workloads.restore_values import Source, parse_source


def refusal_of(spec: BackupSpec, cronjob: Json | None, context: PlanContext) -> str:
    """Why a workload is not restored until somebody changes something; empty where it may be."""
    if cronjob and annotations_of(cronjob).get(names.LAST_SUCCESS):
        return (
            "it is for a new workload, and this one has a backup of its own: restore by "
            "restore-now, or by the command"
        )
    assert context.watched is not None
    if why := restore_refusal(spec.request, context.watched):
        return why
    try:
        source = parse_source(spec.request.restore_from, spec.owner.namespace)
    except ValueError as error:
        return f"it {error}"
    if not _is_allowed(source.namespace, spec.owner.namespace, context.settings):
        return (
            f"the operator lets nothing of namespace {source.namespace} be restored into "
            f"{spec.owner.namespace}: see the values bootstrap.from and bootstrap.pairs"
        )
    theirs = context.owned.cronjob(cronjob_of(source, spec))
    kind = annotations_of(theirs or {}).get(names.OWNER_KIND, "")
    if source.kind and kind and source.kind != kind:
        return f"{source.key} is a {kind}, not a {source.kind}"
    return ""


def _is_allowed(source: str, target: str, settings: Settings) -> bool:
    """Whether the operator lets the backups of one namespace be restored into another one."""
    if source == target or settings.bootstrap_from is BootstrapFrom.ALL:
        return True
    if settings.bootstrap_from is BootstrapFrom.SAME:
        return False
    return any(
        fnmatchcase(source, of) and fnmatchcase(target, into)
        for of, into in settings.bootstrap_pairs
    )


def cronjob_of(source: Source, spec: BackupSpec) -> str:
    """The CronJob under whose name the source's backups lie, whether or not it is there."""
    return names.cronjob_name(spec.engine.type, source.key)
