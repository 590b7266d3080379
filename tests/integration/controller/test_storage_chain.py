"""Storages from the chart's values to what lies in real S3 servers, with nothing put in between.

Helm renders the values, the controller reads them and writes CronJobs to a real API server, and the
dumper runs with what a kubelet would give its container. Only the database's address is the test's.
"""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from dumpers.contract.result import PARTIAL
from dumpers.runtime.errors import ExitCode
from tests.fakes import stub_s3
from tests.fakes.stub_s3 import StubStore
from tests.integration.chart.helm import JsonObject, find
from tests.integration.controller.charted import (
    bucket_info,
    charted,
    container_of,
    given_to,
    keep,
)
from tests.integration.controller.world import World, database
from tests.integration.dumpers.test_accounts import documented
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.dumper import PATIENCE_SECONDS, Dumper
from tests.testbed.stores import s3 as s3_testbed
from tests.testbed.stores.s3 import DELETE, READ, WRITE, Keys, S3Server

_ORDER = "offsite,main,granted,sealed"
_PATH = "backups/here"
_BLIND = ("s3:GetObject", "s3:ListBucket")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """All that the values lead to."""

    world: World
    objects: list[JsonObject]
    near: S3Server
    far: S3Server
    buckets: Mapping[str, str]
    sealed: StubStore
    dumper: Dumper

    def env(self, container: JsonObject) -> dict[str, str]:
        """What a kubelet gives the container, on this machine."""
        own = (
            "PATH",
            "HOME",
            "TMPDIR",
            "HOSTNAME",
            "KSNAPSHOT_ENGINE",
            "KSNAPSHOT_TERMINATION_LOG",
        )
        return given_to(self.world, container) | {name: self.dumper.env[name] for name in own}

    def cronjob(self, name: str = "") -> JsonObject:
        """That of the dumps, or another one."""
        dump = names.cronjob_name("postgresql", f"{self.world.watched[0]}/db")
        return self.world.cronjobs()[name or dump]


@pytest.fixture(scope="module")
def far() -> Iterator[S3Server]:
    with s3_testbed.start(tls=True) as server:
        yield server


@pytest.fixture
def chain(
    apiserver: ApiServer, s3: S3Server, far: S3Server, dumper: Dumper, tmp_path: Path
) -> Iterator[Chain]:
    tag = secrets.token_hex(4)
    buckets = {
        "main": s3.create_bucket(f"main-{tag}"),
        "offsite": far.create_bucket(f"offsite-{tag}", locks=True),
        "granted": far.create_bucket(f"granted-{tag}"),
    }
    with stub_s3.start() as sealed:
        values = _values(s3, far, sealed, buckets)
        world, objects = charted(apiserver, tmp_path, values)
        keep(world, "Secret", "near-keys", s3.root.env())
        _keep_accounts(world, far, buckets)
        daily: dict[str, Any] = {"schedule": "0 3 * * *", "verify_schedule": "0 6 * * *"}
        database(world.api, world.watched[0], storage=_ORDER, **daily)
        done = run(world.kube(), world.settings, PassState(), now=datetime.now(UTC))
        assert done.succeeded, done.failures
        yield Chain(
            world=world,
            objects=objects,
            near=s3,
            far=far,
            buckets=buckets,
            sealed=sealed,
            dumper=dumper,
        )


def _values(
    s3: S3Server, far: S3Server, sealed: StubStore, buckets: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "existingSecret": "near-keys",
        "prune": {"enabled": True},
        "s3": {
            "bucket": buckets["main"],
            "endpoint": s3.endpoint,
            "region": s3.region,
            "tags": "team=data",
        },
        "storages": {
            "offsite": {
                "bucket": buckets["offsite"],
                "endpoint": far.endpoint,
                "region": far.region,
                "path": _PATH,
                "pathStyle": True,
                "credentialsSecret": "far-keys",
                "readerSecret": "far-reading",
                "pruneSecret": "far-deleting",
                "ca": {"configMap": "far-ca", "key": "bundle.pem"},
                "tags": "team=far,env=prod",
                "uploadConcurrency": 4,
                "patience": "3s",
                "objectLock": {"mode": "GOVERNANCE", "days": 2},
            },
            "granted": {"bucketInfoSecret": "granted", "ca": {"secret": "granted-ca"}},
            "sealed": {
                "bucket": "bkt",
                "endpoint": sealed.url,
                "region": "us-east-1",
                "credentialsSecret": "far-keys",
                "patience": "1s",
                "sse": "aws:kms",
                "sseKmsKeyId": "key-1",
                "storageClass": "STANDARD_IA",
            },
        },
    }


def _keep_accounts(world: World, far: S3Server, buckets: Mapping[str, str]) -> None:
    """Three accounts at one bucket: the writer's may neither read nor list."""
    bucket, tag = buckets["offsite"], secrets.token_hex(4)
    writer, reader = documented(bucket)
    for part in (*writer, *reader):
        part["Resource"] = _here(part["Resource"])
    for part in writer:
        part["Action"] = [action for action in part["Action"] if action not in _BLIND]
    # As docs/storages.md says of a lock and of tags, which records have, too.
    writer[0]["Action"] += ["s3:PutObjectRetention", "s3:PutObjectTagging"]
    reader[2]["Action"] += ["s3:PutObjectTagging"]
    accounts: dict[str, Keys] = {
        name: far.create_user(f"{name}-{tag}") for name in ("keys", "reading", "deleting")
    }
    statements = {"keys": writer, "reading": reader, "deleting": _deleting(bucket)}
    rights = {accounts[name].access: listed for name, listed in statements.items()}
    far.set_policy(bucket, rights)
    for name, keys in accounts.items():
        keep(world, "Secret", f"far-{name}", keys.env())
    assert far.ca
    keep(world, "ConfigMap", "far-ca", {"bundle.pem": far.ca.read_text()})
    keep(world, "Secret", "granted-ca", {"ca.crt": far.ca.read_text()})
    info = bucket_info(
        bucket=buckets["granted"],
        endpoint=far.endpoint,
        region=far.region,
        accessKeyID=far.root.access,
        accessSecretKey=far.root.secret,
    )
    keep(world, "Secret", "granted", {"BucketInfo": info})


def _here(resource: str | list[str]) -> str | list[str]:
    if isinstance(resource, list):
        return [str(_here(item)) for item in resource]
    return resource.replace("/ksnapshot/", f"/{_PATH}/")


def _deleting(bucket: str) -> list[dict[str, Any]]:
    actions = [*READ, *WRITE, *DELETE, "s3:ListBucketVersions", "s3:GetObjectRetention"]
    places = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    return [{"Effect": "Allow", "Action": actions, "Resource": places}]


def dumped(chain: Chain) -> datetime:
    """Run the dump; when it began at the latest."""
    login = {name: text for name, text in chain.dumper.env.items() if name.startswith("POSTGRESQL")}
    job = Dumper(folder=chain.dumper.folder, env=chain.env(container_of(chain.cronjob())) | login)
    began = datetime.now(UTC)
    ended = job.run()
    assert (ended.exit_code, ended.result.outcome) == (ExitCode.DONE, PARTIAL), ended.log
    missing = [item.name for item in ended.result.storages if not item.stored]
    # A stub keeps nothing, so that what it was asked for is all there is to see.
    assert missing == ["sealed"], ended.log
    return began


def dumps(store: S3Server, bucket: str, path: str) -> list[str]:
    found = [key for key in store.objects(bucket) if key.endswith(".sql.gz")]
    assert found
    assert all(key.startswith(f"{path}/") for key in found)
    return found


def tags(store: S3Server, bucket: str, key: str) -> dict[str, str]:
    listed = store.client().get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    return {item["Key"]: item["Value"] for item in listed}


def test_what_the_values_say_is_what_lies_in_the_stores(chain: Chain) -> None:
    began = dumped(chain)
    near, far, buckets = chain.near, chain.far, chain.buckets

    for key in dumps(near, buckets["main"], "ksnapshot"):
        assert tags(near, buckets["main"], key) == {"team": "data"}
    for key in dumps(far, buckets["offsite"], _PATH):
        assert tags(far, buckets["offsite"], key) == {"team": "far", "env": "prod"}
        head = far.client().head_object(Bucket=buckets["offsite"], Key=key)
        assert head["ObjectLockMode"] == "GOVERNANCE"
        until = head["ObjectLockRetainUntilDate"] - began
        assert timedelta(days=2, minutes=-1) < until < timedelta(days=2, minutes=10)
    for key in dumps(far, buckets["granted"], "ksnapshot"):
        assert tags(far, buckets["granted"], key) == {}
    asked = next(item for item in chain.sealed.asked if item.path.endswith("?uploads"))
    assert asked.headers["x-amz-server-side-encryption"] == "aws:kms"
    assert asked.headers["x-amz-server-side-encryption-aws-kms-key-id"] == "key-1"
    assert asked.headers["x-amz-storage-class"] == "STANDARD_IA"


def test_each_kind_of_job_goes_there_with_its_own_account(chain: Chain) -> None:
    """The dumps' account may not read, so whoever reads has another one."""
    dumped(chain)
    dump = chain.cronjob()["metadata"]["name"]
    verifier = container_of(chain.cronjob(names.verify_cronjob_name(dump)))
    pruner = container_of(find(chain.objects, "CronJob", "ksnapshot-prune-offsite"))
    for container, verb in ((verifier, "verify"), (pruner, "prune")):
        assert container["args"] == [verb]
        code, log = ran(chain, verb, chain.env(container))
        assert code == ExitCode.DONE, log
    written = {key.rpartition("/")[2].partition("-")[0] for key in records(chain)}
    assert "verified" in written

    # By the writer's account neither could be.
    writer = given_to(chain.world, container_of(chain.cronjob()))
    keys = {name: writer[name] for name in ("BACKEND_S3_ACCESS_KEY", "BACKEND_S3_SECRET_KEY")}
    for container, verb in ((verifier, "verify"), (pruner, "prune")):
        code, log = ran(chain, verb, chain.env(container) | keys)
        assert (code, "AccessDenied" in log) == (ExitCode.STORAGE_REFUSED, True), log


def ran(chain: Chain, verb: str, env: dict[str, str]) -> tuple[int, str]:
    """Exit code and log of a job that is no dump."""
    job = Dumper(folder=chain.dumper.folder, env=env, verb=verb)
    job.start()
    assert job.process
    code = job.process.wait(PATIENCE_SECONDS)
    return code, (chain.dumper.folder / "log").read_text()


def records(chain: Chain) -> list[str]:
    found = chain.far.objects(chain.buckets["offsite"], f"{_PATH}/manifests/")
    return list(found)
