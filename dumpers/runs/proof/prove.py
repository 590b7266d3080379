"""Says what was proved of backups: reads their records, and makes one Statement of them."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from dumpers.contract.names import LIST_SCOPES, PROOF_SINCE
from dumpers.contract.proof.delivery import PROOF, READING, deliver
from dumpers.contract.proof.envelope import SignedStatement
from dumpers.contract.proof.jobs import ProveJob
from dumpers.repository.catalogue import rfc3339
from dumpers.repository.keys import records_prefix
from dumpers.repository.listing import list_cronjobs
from dumpers.repository.proof.histories import Histories
from dumpers.repository.retention.period import begin_of_period
from dumpers.runs.proof.statement import StatementWriter
from dumpers.runtime.errors import ConfigurationError
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.version import VERSION
from dumpers.storage.run_storage import RunStorage

_THIS_CRONJOB, _THIS_CLUSTER, _ALL = LIST_SCOPES
Sign = Callable[[bytes], SignedStatement]


def prove(
    job: ProveJob, *, interrupt: Interrupt, now: Callable[[], datetime]
) -> Iterator[Mapping[str, Any]]:
    """Yield how far the reading is, then the parts of the Statement, then the end.

    Raises what keeps it from being complete, after which no `end` follows.
    """
    until = now()
    since = _since(job.since, until)
    # Before anything is read: hours later nobody wants to hear that the key is none.
    sign = _signer(job.signing_key_file)
    writer = StatementWriter()
    with RunStorage(job.location, run="prove", interrupt=interrupt) as storage:
        histories = Histories(storage=storage, since=since, now=now)
        for prefix in _prefixes(job, storage):
            cluster, cronjob = map(unquote, prefix.rstrip("/").split("/")[-2:])
            writer.begin(cluster=cluster, cronjob=cronjob)
            for piece in histories.read(prefix):
                writer.add(piece)
                if _is_elsewhere(job.namespace, writer.workload):
                    break
                yield {PROOF: READING, "cronjob": cronjob, "backups": writer.count}
            if _is_elsewhere(job.namespace, writer.workload):
                writer.forget()
            writer.end()
    yield {PROOF: READING, "cronjob": "", "backups": writer.count}
    payload = writer.write(
        {
            "by": {"name": "ksnapshot", "version": VERSION},
            "requested_by": job.requested_by,
            "bucket": job.location.bucket,
            "cluster": "" if job.scope == _ALL else job.cluster,
            "cronjob": job.cronjob if job.scope == _THIS_CRONJOB else "",
            "namespace": job.namespace,
            "since": rfc3339(since),
            "until": rfc3339(until),
        }
    )
    yield from deliver(sign(payload))


def _since(text: str, until: datetime) -> datetime:
    """The beginning of the period."""
    try:
        return begin_of_period(text, until)
    except ValueError as error:
        raise ConfigurationError(f"{PROOF_SINCE} is {text[:20]!r}: {error}") from error


def _signer(key_file: str) -> Sign:
    """What signs a Statement; without a key it is delivered unsigned."""
    if not key_file:
        return lambda payload: SignedStatement(payload=payload)
    from dumpers.runs.proof.signing import (  # noqa: PLC0415  a library for this alone
        read_signing_key,
        sign,
    )

    key = read_signing_key(key_file)
    return lambda payload: sign(payload, key)


def _prefixes(job: ProveJob, storage: RunStorage) -> list[str]:
    path = job.location.path
    if job.scope == _THIS_CRONJOB:
        return [records_prefix(path=path, cluster=job.cluster, cronjob=job.cronjob)]
    return list_cronjobs(
        storage, path=path, cluster=job.cluster if job.scope == _THIS_CLUSTER else ""
    )


def _is_elsewhere(namespace: str, workload: str) -> bool:
    """Whether a workload is known, and lies in another namespace than was asked for."""
    return bool(namespace and workload) and workload.partition("/")[0] != namespace
