"""The end of CronJobs that verify or drill and are wanted no more, but never under their Jobs."""

from controller.manifests.optional_fields import SUSPEND, record, recorded_fields
from controller.manifests.overlay import overlay
from controller.model import names
from controller.model.kinds import CRONJOB
from controller.model.objects import Json, is_suspended, name_of
from controller.plan.changes import Action, Change
from controller.plan.owned import OwnedObjects


def remove_reader(cronjob: Json, owned: OwnedObjects) -> Change | None:
    """Delete the CronJob, or suspend it where a Job of it may run; None where it waits for that."""
    if owned.is_idle(cronjob):
        return _change(Action.DELETE, cronjob)
    return suspend_reader(cronjob)


def suspend_reader(cronjob: Json) -> Change | None:
    """Suspend the CronJob, so that no other Job begins; None where it is suspended.

    What it records of that lets it go on where it is wanted again.
    """
    if is_suspended(cronjob):
        return None
    managed = dict.fromkeys((*recorded_fields(cronjob), SUSPEND))
    marks = {names.OPTIONAL_FIELDS: record(managed)}
    stopped = {"metadata": {"annotations": marks}, "spec": {"suspend": True}}
    return _change(Action.UPDATE, cronjob, overlay(cronjob, stopped))


def _change(action: Action, before: Json, after: Json | None = None) -> Change:
    return Change(action=action, kind=CRONJOB, name=name_of(before), before=before, after=after)
