"""A dump CronJob → a Job that runs it now, as `kubectl create job --from=cronjob` makes it."""

from typing import Any

from controller.model import names
from controller.model.kinds import CRONJOB, CRONJOB_API, JOB
from controller.model.objects import Json, metadata, name_of, uid_of


def build_run_now_job(cronjob: Json, name: str) -> dict[str, Any]:
    """Build the Job; it is the CronJob's own, so that it goes with it and counts as its run.

    It waits for no place: who asks for a backup now gets it now.
    """
    template = cronjob["spec"]["jobTemplate"]
    meta = metadata(template)
    annotations = {**(meta.get("annotations") or {})}
    spec = {**template["spec"]}
    if annotations.pop(names.AWAITS_RELEASE, None):
        spec.pop("suspend", None)
    reference = {
        "apiVersion": CRONJOB_API,
        "kind": CRONJOB,
        "name": name_of(cronjob),
        "uid": uid_of(cronjob),
        "controller": True,
    }
    made: dict[str, Any] = {
        "name": name,
        "namespace": metadata(cronjob)["namespace"],
        "annotations": {names.INSTANTIATE: "manual", **annotations},
        "ownerReferences": [reference],
    }
    if labels := meta.get("labels"):
        made["labels"] = dict(labels)
    return {
        "apiVersion": CRONJOB_API,
        "kind": JOB,
        "metadata": made,
        "spec": spec,
    }
