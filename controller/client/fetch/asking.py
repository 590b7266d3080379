"""Asks a Job for a backup's objects; the answer is encrypted to a key that only we have."""

from dataclasses import dataclass, field
from io import BytesIO

from controller.client.cluster.connection import Connection
from controller.client.jobs.asked import create_job, new_job_name
from controller.client.jobs.follow import JobRef, pods_of
from controller.client.jobs.following import failure_of, follow_lines
from controller.client.jobs.progress import Outcome, newest_pod
from controller.client.jobs.results import result_of, words_of_failure
from controller.client.keys.age_tool import AgeTool
from controller.client.terminal.errors import CommandError
from controller.manifests.storages.sources import reader_account
from controller.manifests.verb_job import VerbJob, build_verb_job
from controller.model.names import CONTAINER
from controller.model.objects import Json, name_of
from dumpers.contract import names as variables
from dumpers.contract.fetch.offer import Offer
from dumpers.contract.fetch.sealed import Lines, unpack
from dumpers.contract.restore.result import BackupResult
from dumpers.runtime.interrupt import Interrupt

FETCH = "fetch"
_DAY = 86_400
_KEEP = 600


class _HeardError(Exception):
    """All of the answer is there, while its Job goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Whose backup is asked for: `cronjob` is that of the workload `key`.

    `cluster` is another one that made the backup, else empty. URLs are to hold for `url_seconds`.
    """

    connection: Connection
    cronjob: Json = field(repr=False)
    key: str
    cluster: str
    age: AgeTool
    requested_by: str
    url_seconds: int

    def ask(self, verb: str, backup: str) -> tuple[Offer, JobRef]:
        """Start a Job of the dumpers' `verb` and return what it offers.

        `backup` is as the variable BACKUP has it. CommandError with the Job's exit code where it
        failed. One that goes on sending is the caller's to end.
        """
        identity, recipient = self.age.new_identity()
        wanted = VerbJob(
            name=new_job_name(FETCH, self.key),
            verb=verb,
            deadline=_DAY,
            keep=_KEEP,
            env={
                variables.BACKUP: backup,
                variables.REPLY_TO: recipient,
                variables.URL_SECONDS: str(self.url_seconds),
                variables.REQUESTED_BY: self.requested_by,
                **({variables.CLUSTER: self.cluster} if self.cluster else {}),
            },
            account=reader_account(self.connection.install.settings),
        )
        job = create_job(self.connection.kubectl, build_verb_job(self.cronjob, wanted))
        ref = JobRef.of(job)
        sealed = self._hear(ref)
        try:
            return Offer.from_json(unpack(self._open(sealed, identity))), ref
        except ValueError as error:
            raise CommandError(f"the answer of the Job {name_of(job)}: {error}") from error

    def _hear(self, ref: JobRef) -> bytes:
        """The sealed answer in a Job's log."""
        lines = Lines()

        def read(text: str) -> None:
            lines.add(text)
            if lines.message is not None:
                raise _HeardError

        try:
            end = follow_lines(self.connection, ref, read)
        except _HeardError:
            assert lines.message is not None
            return lines.message
        if end.outcome is not Outcome.SUCCEEDED:
            result = result_of(end, BackupResult.from_json)
            raise failure_of(ref, end, f"the fetch of {self.key}", words_of_failure(result))
        self._read_again(ref, lines)
        if lines.message is None:
            raise CommandError(f"a part of the log of the Job {ref.name} got lost: try again")
        return lines.message

    def _read_again(self, ref: JobRef, lines: Lines) -> None:
        kubectl = self.connection.kubectl
        pod = newest_pod(pods_of(kubectl, ref.namespace, ref.name))
        if pod:
            for text in kubectl.logs(ref.namespace, name_of(pod), CONTAINER):
                lines.add(text)

    def _open(self, sealed: bytes, identity: str) -> bytes:
        found = BytesIO()
        with self.age.decrypting(identity, Interrupt(work=FETCH))(BytesIO(sealed)) as reader:
            while block := reader.read():
                found.write(block)
        return found.getvalue()
