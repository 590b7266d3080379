"""Runs the Job that says what was proved, and puts together what it delivers."""

from collections.abc import Mapping
from typing import Any

from controller.client.cluster.connection import Connection
from controller.client.jobs.asked import create_job, new_job_name
from controller.client.jobs.follow import JobRef
from controller.client.jobs.following import failure_of, follow_lines
from controller.client.jobs.progress import Outcome
from controller.client.jobs.results import result_of, words_of_failure
from controller.client.retention.told import parse_document
from controller.client.terminal.errors import CommandError
from controller.client.terminal.screen import Screen
from controller.manifests.reading.prove_job import build_prove_job, signing_key_of
from controller.manifests.storages.sources import reader_account
from controller.manifests.verb_job import PROVE, VerbJob
from controller.model.objects import Json
from dumpers.contract import names as variables
from dumpers.contract.proof.delivery import PROOF, READING, receive
from dumpers.contract.proof.envelope import SignedStatement
from dumpers.contract.restore.result import BackupResult

_SECONDS, _KEEP = 3600, 600


def ask_for_proof(
    connection: Connection, cronjob: Json, key: str, env: Mapping[str, str]
) -> SignedStatement:
    """Run the Job, made of what a dump CronJob says, and return its Statement, signed or not.

    `key` is what the Job is named after. CommandError where it failed, where anything of what it
    delivered got lost, and where there is no signature although a key is set.
    """
    settings = connection.install.settings
    signing_key = signing_key_of(settings)
    wanted = VerbJob(
        name=new_job_name(PROOF, key),
        verb=PROVE,
        deadline=_SECONDS,
        keep=_KEEP,
        env={**env, variables.REQUESTED_BY: connection.kubectl.whoami()},
        account=reader_account(settings),
    )
    job = JobRef.of(create_job(connection.kubectl, build_prove_job(cronjob, wanted, signing_key)))
    screen = Screen()
    delivered: list[Mapping[str, Any]] = []

    def on_line(text: str) -> None:
        document = parse_document(text, PROOF)
        if document is None:
            return
        if document[PROOF] != READING:
            delivered.append(document)
        elif screen.is_live:
            screen.status(f"{document.get('backups')} backups read")

    end = follow_lines(connection, job, on_line, screen=screen)
    result = result_of(end, BackupResult.from_json)
    if end.outcome is not Outcome.SUCCEEDED:
        raise failure_of(job, end, "the proof", words_of_failure(result))
    try:
        signed = receive(delivered)
    except ValueError as error:
        raise CommandError(
            f"the proof did not come here as a whole: {error}; try again (the log of the Job"
            f" {job.name} was cut)"
        ) from error
    if signing_key and not signed.signatures:
        raise CommandError(
            f"the proof is not signed, although proof.signingKeySecret is {signing_key.secret}:"
            " the dumper's image is older than the controller"
        )
    return signed
