"""The pods of an Indexed Job that dumps a cluster, a shard each: here, or as processes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from dumpers.contract.jobs import DumpJob
from dumpers.contract.result import DumpResult
from dumpers.engines.clickhouse.engine import ENGINE
from dumpers.engines.registry import ENGINES
from dumpers.repository.keys import records_prefix
from dumpers.repository.removal.prune import Pruner
from dumpers.repository.removal.store_traits import StoreTraits
from dumpers.runs.sharing.share import dump_share
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage
from tests.integration.dumpers.clickhouse.conftest import MOMENT, Backup, Dumps
from tests.testbed.databases.clickhouse import Cluster
from tests.testbed.dumper import CRONJOB, PATIENCE_SECONDS, Dumper

NO_OPTIONS: Mapping[str, str] = MappingProxyType({})
JOB = "ksnapshot-clickhouse-demo-db-c11184c0-29384756"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pods:
    """The pods of one Job, of which `uid` is the uid; each finds the same environment."""

    dumps: Dumps
    cluster: Cluster
    uid: str
    shards: int = 2
    options: Mapping[str, str] = field(default_factory=dict)

    def env(self, index: int, options: Mapping[str, str] = NO_OPTIONS) -> dict[str, str]:
        """The environment of the pod of a shard, counted from 0."""
        first = self.cluster.replica(1, 1).host
        own = {
            "KSNAPSHOT_SHARDS": str(self.shards),
            "KSNAPSHOT_JOB": JOB,
            "KSNAPSHOT_JOB_UID": self.uid,
            "JOB_COMPLETION_INDEX": str(index),
            "HOSTNAME": f"{JOB}-{index}",
        }
        login = self.cluster.reader
        return self.dumps.env(
            first, self.cluster.http_port, login, {**own, **self.options, **options}
        )

    def run(
        self, index: int, options: Mapping[str, str] = NO_OPTIONS, *, at: datetime = MOMENT
    ) -> DumpResult:
        """Run the pod of a shard to its end, by a clock that stands still at `at`."""
        return dump_share(
            DumpJob.from_env(self.env(index, options), ENGINES),
            engine=ENGINE,
            started=at,
            interrupt=Interrupt(PATIENCE_SECONDS),
            now=lambda: at,
        )

    def process(self, index: int, folder: Path, options: Mapping[str, str] = NO_OPTIONS) -> Dumper:
        """The pod as a process of its own, which is not started yet."""
        folder.mkdir(parents=True, exist_ok=True)
        env = {
            **self.env(index, options),
            "TMPDIR": str(folder),
            "KSNAPSHOT_TERMINATION_LOG": str(folder / "termination-log"),
        }
        return Dumper(env=env, folder=folder)

    def backup(self) -> Backup:
        """The only backup of the bucket."""
        [key] = self.dumps.manifests()
        document = json.loads(self.dumps.s3.read(self.dumps.bucket, key))
        return Backup(s3=self.dumps.s3, bucket=self.dumps.bucket, document=document)

    def records(self) -> Sequence[str]:
        """The names of the run's records, without those of its objects; each with its folder."""
        return [
            key.rpartition("/manifests/")[2].split("/", 2)[2]
            for key in self.dumps.s3.objects(self.dumps.bucket)
            if "/manifests/" in key
        ]


def later(**of: float) -> datetime:
    """A moment so long after the one that pods begin at otherwise."""
    return (MOMENT + timedelta(**of)).astimezone(UTC)


def prune(pods: Pods, at: datetime) -> int:
    """Prune the CronJob's backups as they are at a moment; how many were deleted."""
    location = DumpJob.from_env(pods.env(0), ENGINES).location
    with RunStorage(location, run="prune", interrupt=Interrupt(PATIENCE_SECONDS)) as storage:
        pruner = Pruner(
            storage=storage,
            traits=StoreTraits(storage=storage, path=location.path, cluster="test"),
            cluster="test",
            floor=None,
            now=at,
            dry_run=False,
        )
        prefix = records_prefix(path=location.path, cluster="test", cronjob=CRONJOB)
        return pruner.prune(prefix).deleted
