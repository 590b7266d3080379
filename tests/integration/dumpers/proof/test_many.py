"""Many runs: each is told once, across the pages of a store, in no more requests than records."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dumpers.contract.proof.delivery import receive
from dumpers.contract.proof.jobs import ProveJob
from dumpers.repository.keys import Run
from dumpers.repository.record_json import write_record
from dumpers.runs.proof.prove import prove
from dumpers.runtime.interrupt import Interrupt
from tests.testbed.dumper import storage_env
from tests.testbed.fixtures import Faults
from tests.testbed.stores.s3 import S3Server
from tests.unit.dumpers.repository.proof.test_evidence import CHECKED, READ, UNASKED
from tests.unit.dumpers.repository.test_catalogue import MANIFEST, RUN

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def fill(s3: S3Server, bucket: str, count: int, *, hours: int) -> None:
    """So many backups, one every so many hours, each of which was read."""
    bodies: dict[str, bytes] = {}
    for number in range(count):
        moment = NOW - timedelta(hours=number * hours, minutes=1)
        run = Run(
            path="ksnapshot",
            cluster="test",
            cronjob="cj",
            host="pod",
            started=moment,
            id=f"{number:05}",
        )
        begun = replace(RUN, run=run.id, started=moment, cluster="test")
        bodies[run.started_key] = write_record(begun)
        bodies[run.manifest_key] = write_record(replace(MANIFEST, begun=begun, finished=moment))
        key = run.verification_key(moment, good=True)
        bodies[key] = write_record(replace(READ, run=run.id, finished=moment))
    client = s3.client()
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda key: client.put_object(Bucket=bucket, Key=key, Body=bodies[key]), bodies
            )
        )


def environment(s3: S3Server, bucket: str) -> dict[str, str]:
    return {
        **storage_env(s3, bucket),
        "KSNAPSHOT_CLUSTER": "test",
        "KSNAPSHOT_CRONJOB": "cj",
        "KSNAPSHOT_LIST_SCOPE": "cluster",
        "HOSTNAME": "pod",
    }


def test_runs_of_several_pages_are_told_once_each_in_few_requests(
    s3: S3Server, bucket: str, faults: Faults
) -> None:
    count = 700
    fill(s3, bucket, count, hours=4)
    proxy = faults.http(s3.port)
    env = environment(s3, bucket) | {"BACKEND_S3_ENDPOINT": proxy.url}
    job = ProveJob.from_env(env | {"KSNAPSHOT_PROOF_SINCE": "60d"})
    documents = list(prove(job, interrupt=Interrupt(), now=lambda: NOW))
    read = [item for item in documents if item["proof"] == "reading"]
    statement = receive([item for item in documents if item["proof"] != "reading"]).statement
    within = 60 * 24 // 4
    [workload] = statement["predicate"]["workloads"]
    assert [item["id"] for item in workload["backups"]] == [
        f"{number:05}" for number in range(within - 1, -1, -1)
    ]
    assert all(item["grade"] == "read" for item in workload["backups"])
    assert workload["older_runs"] == count - within
    assert len(statement["subject"]) == read[-1]["backups"] == within
    # One list of CronJobs; 2,100 keys, a thousand a page; of what is older nothing is read.
    lists = proxy.seen("GET", "list-type")
    assert len(lists) == 1 + 3
    assert len(proxy.seen()) == len(lists) + 2 * within
    assert len(json.dumps(documents)) < len(json.dumps(statement)) / 2


def test_an_old_backup_of_which_the_store_was_asked_in_the_period_is_told(
    s3: S3Server, bucket: str
) -> None:
    for id_, days in (("asked", 1), ("forgotten", 100)):
        moment = NOW - timedelta(days=200)
        run = Run(
            path="ksnapshot", cluster="test", cronjob="cj", host="pod", started=moment, id=id_
        )
        begun = replace(RUN, run=run.id, started=moment, cluster="test")
        manifest = replace(UNASKED, begun=begun, finished=moment)
        asked = replace(CHECKED, run=run.id, finished=NOW - timedelta(days=days))
        for name, record in (("manifest.json", manifest), ("checked.json", asked)):
            s3.client().put_object(
                Bucket=bucket, Key=run.record_prefix + name, Body=write_record(record)
            )
    job = ProveJob.from_env(environment(s3, bucket) | {"KSNAPSHOT_PROOF_SINCE": "60d"})
    documents = list(prove(job, interrupt=Interrupt(), now=lambda: NOW))
    statement = receive([item for item in documents if item["proof"] != "reading"]).statement
    [workload] = statement["predicate"]["workloads"]
    assert [(item["id"], item["grade"]) for item in workload["backups"]] == [("asked", "stored")]
    assert workload["older_runs"] == 1
