"""The Jobs that judge or delete backups, in the control namespace, with prune's own keys."""

from collections.abc import Mapping

from controller.client.cluster.connection import Connection
from controller.client.jobs.asked import new_job_name
from controller.manifests.storages.sources import pruner_account
from controller.manifests.verb_job import VerbJob, build_verb_job
from controller.model import names
from controller.model.objects import Json
from dumpers.contract import names as variables

PRUNE, DELETE = "prune", "delete"
_SECONDS, _KEEP = 21_600, 86_400


def job_that_deletes(
    connection: Connection, cronjob: Json, verb: str, key: str, env: Mapping[str, str]
) -> Json:
    """Build a Job of `verb` by what a dump CronJob says of image, store and scheduling.

    `key` is what it is named after, `env` holds the verb's own variables.
    """
    wanted = VerbJob(
        name=new_job_name(verb, key),
        verb=verb,
        deadline=_SECONDS,
        keep=_KEEP,
        env={**env, variables.REQUESTED_BY: connection.kubectl.whoami()},
        account=pruner_account(connection.install.settings),
    )
    body = build_verb_job(cronjob, wanted)
    metadata = body["metadata"]
    # It is no run of that CronJob, whose backups may not even be meant.
    own = {key: text for key, text in metadata["annotations"].items() if key != names.CRONJOB}
    if env.get(variables.DRY_RUN) == words_of(yes=True):
        own[names.DRY_RUN] = words_of(yes=True)
    return {**body, "metadata": {**metadata, "annotations": own}}


def words_of(*, yes: bool) -> str:
    """A switch as jobs read it."""
    return "true" if yes else "false"
