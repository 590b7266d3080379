"""Makes the Jobs that a person asks for, and what has to be there before they may begin."""

import base64
import secrets
from contextlib import suppress

from controller.client.terminal.errors import CommandError, Exit
from controller.kube.client import (
    CRONJOBS,
    JOBS,
    SECRETS,
    ConflictError,
    Document,
    KubeError,
    NotFoundError,
)
from controller.kube.kubectl import Kubectl
from controller.manifests.overlay import overlay
from controller.manifests.ownership import PENDING, Holder, hold, holder_of
from controller.model import names
from controller.model.kinds import JOB, JOB_API
from controller.model.objects import Json, name_of, uid_of
from controller.runs.job_status import end_of

# As Kubernetes' own: no vowels, so that no words come about, and no look-alikes.
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_RANDOM = 5
# The key under which a file with private keys is put into a Secret.
IDENTITY_KEY = "identity"
_TRIES = 5


def new_job_name(verb: str, key: str, *, spare: int = 0) -> str:
    """A name for another Job of the workload with this owner key; see `names.job_name`."""
    random = "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM))
    return names.job_name(verb, key, random, spare=spare)


def create_job(kubectl: Kubectl, body: Json) -> Document:
    """Create a Job that needs nothing first."""
    return kubectl.create(JOBS, body["metadata"]["namespace"], body)


def create_held_job(
    kubectl: Kubectl, body: Json, *, identity: str = "", held: Json | None = None
) -> Document:
    """Create a Job that begins once its identity is there and a CronJob is held for it.

    `identity` is the text of private keys, which go into a Secret of the Job's name and with the
    Job; `held` is the CronJob that is suspended until the Job has ended. What was made is taken
    back where a later step fails.
    """
    namespace = body["metadata"]["namespace"]
    suspended = {**body, "spec": {**body["spec"], "suspend": True}}
    job = kubectl.create(JOBS, namespace, suspended)
    try:
        if identity:
            kubectl.create(SECRETS, namespace, _identity_secret(job, identity))
        if held is not None:
            _hold(kubectl, held, job)
        return kubectl.patch(JOBS, namespace, name_of(job), {"spec": {"suspend": False}})
    except BaseException:
        # The Secret goes with the Job, and the controller lets the CronJob go.
        with suppress(KubeError):
            kubectl.delete(JOBS, namespace, name_of(job), uid=uid_of(job))
        raise


def _identity_secret(job: Json, identity: str) -> Json:
    """The Secret that goes with its Job, whatever becomes of that."""
    metadata = job["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": {names.PART_OF_LABEL: names.PART_OF},
            "ownerReferences": [
                {"apiVersion": JOB_API, "kind": JOB, "name": name_of(job), "uid": uid_of(job)}
            ],
        },
        "data": {IDENTITY_KEY: base64.b64encode(identity.encode()).decode()},
    }


def _hold(kubectl: Kubectl, cronjob: Json, job: Json) -> None:
    """Suspend a CronJob for a Job; CommandError where another one still holds it."""
    namespace, name = cronjob["metadata"]["namespace"], name_of(cronjob)
    for _ in range(_TRIES):
        found = kubectl.get(CRONJOBS, namespace, name)
        suspended = bool(found["spec"].get("suspend"))
        other = holder_of(found)
        if other and other.uid != uid_of(job):
            if not _has_ended(kubectl, namespace, other):
                raise CommandError(
                    f"the CronJob {name} is held by the restore {other.name}, which has not ended: "
                    f"wait for its end, or stop it by `ksnapshot cancel {other.name}`",
                    Exit.REFUSED,
                )
            # The controller would let it go with its next pass: what it was before stays known.
            suspended = other.suspended
        holder = Holder(name=name_of(job), uid=uid_of(job), suspended=suspended)
        try:
            kubectl.replace(CRONJOBS, namespace, overlay(found, hold(holder)))
        except ConflictError:
            # The controller writes it, too.
            continue
        return
    raise CommandError(f"the CronJob {name} changes all the time: try again")


def _has_ended(kubectl: Kubectl, namespace: str, holder: Holder) -> bool:
    """Whether the Job that holds a CronJob has ended, or is gone for certain."""
    if holder.uid == PENDING:
        return False
    try:
        job = kubectl.get(JOBS, namespace, holder.name)
    except NotFoundError:
        return True
    return uid_of(job) != holder.uid or end_of(job) is not None
