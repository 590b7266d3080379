"""Backups whose bytes are not what was stored: always noticed, and never read to a good end.

Objects, age headers and manifests are truncated, flipped, extended, swapped with each other, and
replayed from other runs, CronJobs, paths and clusters. `KSNAPSHOT_FAULTS=all` tries hundreds of
places; otherwise a few dozen by `KSNAPSHOT_FAULT_SEED`.
"""

import contextlib
import io
import os
import random
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyrage
import pytest

from dumpers.contract.connection import DumpSource
from dumpers.contract.jobs import DumpJob
from dumpers.engines.protocol import Dump, DumpStream, SourceInfo
from dumpers.engines.registry import ENGINES
from dumpers.engines.simple_stream import SimpleStream
from dumpers.repository.keys import records_prefix
from dumpers.repository.listing import Catalogue
from dumpers.runs import backup
from dumpers.runs.restore.pieces import StoredBackup
from dumpers.runtime.errors import ExitCode, KsnapshotError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage
from dumpers.streams.reader import Reader
from tests.testbed.dumper import storage_env
from tests.testbed.stores.s3 import S3Server

_ALL = os.environ.get("KSNAPSHOT_FAULTS") == "all"
_SEED = int(os.environ.get("KSNAPSHOT_FAULT_SEED", "7"))
# Places in each object and record, for each kind of damage.
_PLACES = 60 if _ALL else 4
_HEADER_BYTES = 200
IDENTITY = pyrage.x25519.Identity.generate()
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NAMES = ("one", "two")
# Several chunks of 64 KiB, all of one size, as those of two runs of a database that did not change.
SIZE = 150_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine without a database; `seed` makes its bytes."""

    seed: int

    @contextlib.contextmanager
    def open(self, job: DumpSource, interrupt: Interrupt) -> Iterator[Dump]:
        streams: list[DumpStream] = [
            SimpleStream(
                name=name, ending=".sql", estimate=0, opener=self._opener(f"{self.seed}-{name}")
            )
            for name in NAMES
        ]
        info = SourceInfo(server_version="1", tool_version="1", estimate=0)
        yield Dump(info=info, streams=streams)

    def _opener(self, seed: str) -> Callable[[Interrupt], AbstractContextManager[Reader]]:
        data = random.Random(seed).randbytes(SIZE)
        return lambda _: contextlib.nullcontext(io.BytesIO(data))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Backups of equal sizes in one bucket; `contents` is all of it, while nothing is damaged."""

    s3: S3Server
    bucket: str
    storage: RunStorage
    contents: Mapping[str, bytes]
    records: Mapping[str, str]
    """The folder of records by what is special about the backup; `own` is looked at."""

    def read(self) -> list[bytes]:
        """Find the newest backup of `own` and read all of it, as a restore does."""
        catalogue = Catalogue(
            storage=self.storage,
            prefix=records_prefix(path="ksnapshot", cluster="test", cronjob="cj"),
            now=lambda: BEGAN + timedelta(days=1),
        )
        manifest = catalogue.manifest(catalogue.find("run-own"))
        found = StoredBackup(storage=self.storage, manifest=manifest, identities=(IDENTITY,))
        found.check_sizes()
        found.check_keys()
        bodies = []
        for place in range(len(manifest.objects)):
            with found.open(place) as reader:
                bodies.append(b"".join(iter(lambda: reader.read(1 << 17), b"")))
        return bodies

    @contextlib.contextmanager
    def damaged(self, changes: Mapping[str, bytes]) -> Iterator[None]:
        """Put other bytes under some keys for a while."""
        client = self.s3.client()
        for key, body in changes.items():
            client.put_object(Bucket=self.bucket, Key=key, Body=body)
        try:
            yield
        finally:
            for key in changes:
                client.put_object(Bucket=self.bucket, Key=key, Body=self.contents[key])

    def manifest_key(self, which: str = "own") -> str:
        return f"{self.records[which]}manifest.json"

    def objects(self, which: str = "own") -> list[str]:
        """The keys of a backup's two objects, in order."""
        return sorted(key for key in self.contents if f"/dump-pod-{which}-" in key)


@pytest.fixture(scope="module")
def world(s3: S3Server) -> Iterator[World]:
    bucket = s3.create_bucket(f"damage-{secrets.token_hex(4)}")
    env = {
        **storage_env(s3, bucket),
        "POSTGRESQL_HOST": "nowhere",
        "POSTGRESQL_USERNAME": "u",
        "POSTGRESQL_PASSWORD": "p",
        "POSTGRESQL_DATABASE": "db",
        "KSNAPSHOT_ENGINE": "postgresql",
        "ENCRYPTION_ENABLED": "true",
        "ENCRYPTION_RECIPIENT": str(IDENTITY.to_public()),
    }
    backups = {
        "earlier": ("test", "cj", "ksnapshot", BEGAN - timedelta(days=1)),
        "cronjob": ("test", "other", "ksnapshot", BEGAN),
        "cluster": ("elsewhere", "cj", "ksnapshot", BEGAN),
        "path": ("test", "cj", "elsewhere", BEGAN),
        "own": ("test", "cj", "ksnapshot", BEGAN),
    }
    records = {}
    for seed, (which, (cluster, cronjob, path, started)) in enumerate(backups.items()):
        named = {
            "KSNAPSHOT_CLUSTER": cluster,
            "KSNAPSHOT_CRONJOB": cronjob,
            "BACKEND_PATH": path,
            "HOSTNAME": f"pod-{which}",
        }
        job = DumpJob.from_env(env | named, ENGINES)
        result = backup.dump(
            job,
            engine=Engine(seed=seed),
            started=started,
            run_id=f"run-{which}",
            interrupt=Interrupt(120),
            now=lambda: BEGAN + timedelta(minutes=1),
        )
        assert result.exit_code == ExitCode.DONE
        records[which] = result.record
    contents = {key: s3.read(bucket, key) for key in s3.objects(bucket)}
    job = DumpJob.from_env(env | {"HOSTNAME": "x"}, ENGINES)
    with RunStorage(job.location, run="read", interrupt=Interrupt(570)) as storage:
        yield World(s3=s3, bucket=bucket, storage=storage, contents=contents, records=records)


Change = Callable[[World, random.Random], Mapping[str, bytes]]


def at_object(damage: Callable[[bytes, random.Random], bytes]) -> Change:
    def change(world: World, chance: random.Random) -> Mapping[str, bytes]:
        key = chance.choice(world.objects())
        return {key: damage(world.contents[key], chance)}

    return change


def at_manifest(damage: Callable[[bytes, random.Random], bytes]) -> Change:
    def change(world: World, chance: random.Random) -> Mapping[str, bytes]:
        key = world.manifest_key()
        return {key: damage(world.contents[key], chance)}

    return change


def truncate(body: bytes, chance: random.Random) -> bytes:
    return body[: chance.randrange(len(body))]


def flip(body: bytes, chance: random.Random, *, before: int | None = None) -> bytes:
    place = chance.randrange(before or len(body))
    return body[:place] + bytes([body[place] ^ 1 << chance.randrange(8)]) + body[place + 1 :]


def flip_header(body: bytes, chance: random.Random) -> bytes:
    return flip(body, chance, before=_HEADER_BYTES)


def extend(body: bytes, chance: random.Random) -> bytes:
    return body + chance.choice([b"\0", b"\n{}", body])


def cut_out(body: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.sample(range(len(body)), 2))
    return body[:start] + body[end:]


def cut_out_and_fill(body: bytes, chance: random.Random) -> bytes:
    """Of the same size, as a store that lost a block gives it."""
    start, end = sorted(chance.sample(range(len(body)), 2))
    return body[:start] + bytes(end - start) + body[end:]


def swap(world: World, chance: random.Random) -> Mapping[str, bytes]:
    one, two = world.objects()
    return {one: world.contents[two], two: world.contents[one]}


def replay_objects(which: str) -> Change:
    def change(world: World, chance: random.Random) -> Mapping[str, bytes]:
        pairs = list(zip(world.objects(), world.objects(which), strict=True))
        return {
            own: world.contents[other] for own, other in chance.sample(pairs, chance.randint(1, 2))
        }

    return change


def replay_manifest(which: str) -> Change:
    def change(world: World, chance: random.Random) -> Mapping[str, bytes]:
        return {world.manifest_key(): world.contents[world.manifest_key(which)]}

    return change


OTHERS = ("earlier", "cronjob", "cluster", "path")
CHANGES: Mapping[str, tuple[Change, int]] = {
    **{
        f"object: {damage.__name__}": (at_object(damage), _PLACES)
        for damage in (truncate, flip, flip_header, extend, cut_out, cut_out_and_fill)
    },
    **{
        f"manifest: {damage.__name__}": (at_manifest(damage), _PLACES)
        for damage in (truncate, flip, extend, cut_out)
    },
    "objects swapped": (swap, 1),
    **{f"objects of another {which}": (replay_objects(which), 2) for which in OTHERS},
    **{f"manifest of another {which}": (replay_manifest(which), 1) for which in OTHERS},
}


@pytest.mark.parametrize("name", CHANGES)
def test_damage_is_always_noticed(world: World, name: str) -> None:
    change, places = CHANGES[name]
    for number in range(places):
        chance = random.Random(f"{_SEED}-{name}-{number}")
        changes = change(world, chance)
        if all(world.contents[key] == body for key, body in changes.items()):
            continue
        with world.damaged(changes), pytest.raises(KsnapshotError) as noticed:
            world.read()
        # Somebody has to look: nothing of this heals by itself, and none of it is a fault of ours.
        assert noticed.value.exit_code in {
            ExitCode.STORAGE_REFUSED,
            ExitCode.CONFIGURATION,
        }, (number, noticed.value)


def test_what_is_not_damaged_is_read(world: World) -> None:
    assert [len(body) for body in world.read()] == [SIZE, SIZE]


def test_all_damages_together_are_many() -> None:
    assert sum(places for _, places in CHANGES.values()) >= (400 if _ALL else 40)
