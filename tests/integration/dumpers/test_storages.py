"""One dump into several stores: what each of them holds, and what a run does without one."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dumpers.contract.env_reader import EnvReader
from dumpers.contract.result import PARTIAL, PARTIAL_REASON
from dumpers.contract.storages.location import read_location
from dumpers.contract.storages.variables import named_variable
from dumpers.repository.catalogue import Entry
from dumpers.repository.keys import records_prefix
from dumpers.repository.listing import Catalogue
from dumpers.runtime.errors import ExitCode
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage
from tests.integration.dumpers.noise import noise_database
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import CRONJOB, PATIENCE_SECONDS, Dumper, Ended, storage_env
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Fault, Hang, Refuse, Rule, Status
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores import s3 as s3_testbed
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import wait_until

ERROR = Status(500, b"<Error><Code>InternalError</Code><Message>no</Message></Error>")
PARTS = "partNumber"
AWAY_ONCE = Rule(ERROR, "GET", "manifest.json", times=1)


@pytest.fixture(scope="module")
def second() -> Iterator[S3Server]:
    """Another store, with keys of its own."""
    with s3_testbed.start() as server:
        yield server


@pytest.fixture
def offsite(second: S3Server) -> str:
    """A bucket there."""
    return second.create_bucket(f"offsite-{secrets.token_hex(4)}")


@pytest.fixture(scope="module")
def noise(postgres: PostgresServer) -> Iterator[str]:
    """A database of about 60 MiB that do not compress: several parts of the smallest size."""
    with noise_database(postgres, "noise_storages", rows=400000) as name:
        yield name


@pytest.fixture
def proxy(second: S3Server, faults: Faults) -> HttpProxy:
    """What stands before the second store."""
    return faults.http(second.port)


@pytest.fixture
def both(dumper: Dumper, second: S3Server, offsite: str, noise: str, proxy: HttpProxy) -> Dumper:
    """A dump into both, of several parts; nobody waits long for the second one."""
    there = {
        **storage_env(second, offsite),
        "BACKEND_PATH": "copies/far",
        "BACKEND_S3_ENDPOINT": proxy.url,
        "BACKEND_S3_PATIENCE": "1",
    }
    del there["BACKEND_TYPE"]
    dumper.env |= {named_variable(name, "offsite"): value for name, value in there.items()}
    dumper.env["KSNAPSHOT_STORAGES"] = "main,offsite"
    dumper.env["KSNAPSHOT_PART_SIZE_MIB"] = "5"
    dumper.env["POSTGRESQL_DATABASE"] = noise
    return dumper


def manifest_of(store: S3Server, bucket: str, ended: Ended) -> Mapping[str, Any]:
    """The manifest of a run in a store, by the run's folder."""
    folder = ended.result.record.rstrip("/").rpartition("/")[2]
    [key] = [key for key in store.objects(bucket) if key.endswith(f"{folder}/manifest.json")]
    document: Mapping[str, Any] = json.loads(store.read(bucket, key))
    return document


def entries(store: S3Server, bucket: str) -> Sequence[Entry]:
    """The runs that the second store lists."""
    path = "copies/far"
    location = read_location(EnvReader({**storage_env(store, bucket), "BACKEND_PATH": path}))
    with RunStorage(location, run="", interrupt=Interrupt()) as storage:
        prefix = records_prefix(path=path, cluster="test", cronjob=CRONJOB)
        return (
            Catalogue(storage=storage, prefix=prefix, now=lambda: datetime.now(UTC)).page().entries
        )


def names(store: S3Server, bucket: str) -> list[str]:
    """The names of what is in a bucket, without their folders; a dump's own is `dump`."""
    found = (key.rpartition("/")[2] for key in store.objects(bucket))
    return sorted("dump" if name.startswith("dump-") else name for name in found)


def assert_partial(ended: Ended, *, missing: str, reason: str = "StorageFailed") -> None:
    assert ended.exit_code == ExitCode.DONE, ended.log
    result = ended.result
    assert (result.succeeded, result.outcome, result.reason) == (True, PARTIAL, PARTIAL_REASON)
    assert [(item.name, item.stored) for item in result.storages] == [
        (name, name != missing) for name in ("main", "offsite")
    ]
    assert f"not in {missing}: " in result.message
    [line] = ended.lines("storage given up")
    assert (line["storage"], line["reason"]) == (missing, reason)


def test_both_get_the_same_backup_by_one_reading(
    both: Dumper,
    s3: S3Server,
    bucket: str,
    second: S3Server,
    offsite: str,
    postgres: PostgresServer,
    faults: Faults,
) -> None:
    source = faults.tcp(postgres.port)
    both.env["POSTGRESQL_PORT"] = str(source.port)
    alone = both.run(KSNAPSHOT_STORAGES="main")
    assert alone.exit_code == ExitCode.DONE, alone.log
    once = sum(item.received for item in source.settled())
    source.forget()

    ended = both.run(KSNAPSHOT_VERIFY="read-back", KSNAPSHOT_REQUIRED_PROOF="drilled")

    assert ended.exit_code == ExitCode.DONE, ended.log
    assert sum(item.received for item in source.settled()) < once * 1.1
    assert (ended.result.outcome, ended.result.reason) == ("", "Succeeded")
    assert [(item.name, item.stored) for item in ended.result.storages] == [
        ("main", True),
        ("offsite", True),
    ]
    here, there = manifest_of(s3, bucket, ended), manifest_of(second, offsite, ended)
    stored = []
    for store, where, document, path in (
        (s3, bucket, here, "ksnapshot/"),
        (second, offsite, there, "copies/far/"),
    ):
        [item] = document["objects"]
        assert item["key"].startswith(path)
        stored.append(store.read(where, item["key"]))
        assert store.uploads(where) == []
        assert "missing" not in document
        assert document["storages"] == ["main", "offsite"]
    assert stored[0] == stored[1]
    assert (here["storage"], there["storage"]) == ("main", "offsite")
    assert (here["required_proof"], there["required_proof"]) == ("drilled", "read")
    assert names(second, offsite) == [
        *("dump", "fingerprint.json", "manifest.json", "started.json"),
        next(name for name in names(second, offsite) if name.startswith("verified-")),
    ]
    # A job of one storage says nothing of storages.
    assert not {"storage", "storages"} & manifest_of(s3, bucket, alone).keys()
    assert alone.result.storages == ()


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        # Parts of the dump are there by then.
        (Rule(ERROR, method="PUT", path=PARTS, since=2), ["failed.json", "started.json"]),
        (Rule(ERROR, method="POST", path="uploadId"), ["failed.json", "started.json"]),
        (Rule(ERROR, path="manifest.json"), None),
        (Refuse(), []),
    ],
    ids=["in the middle", "at its end", "at the manifest", "from the start"],
)
def test_without_the_second_store_the_backup_is_in_the_first_and_the_next_run_heals(
    both: Dumper,
    s3: S3Server,
    bucket: str,
    second: S3Server,
    offsite: str,
    proxy: HttpProxy,
    fault: Rule | Fault,
    left: list[str] | None,
) -> None:
    proxy.set(fault)

    ended = both.run()

    assert_partial(ended, missing="offsite")
    [good, missed] = ended.result.storages
    assert (good.reason, missed.reason) == ("", "StorageFailed")
    assert names(s3, bucket) == ["dump", "fingerprint.json", "manifest.json", "started.json"]
    if left is not None:
        assert names(second, offsite) == left
        assert manifest_of(s3, bucket, ended)["missing"] == ["offsite"]
    assert "manifest.json" not in names(second, offsite)
    assert second.uploads(offsite) == []

    proxy.clear()
    healed = both.run()
    assert (healed.exit_code, healed.result.outcome) == (ExitCode.DONE, ""), healed.log
    assert "missing" not in manifest_of(s3, bucket, healed)
    assert manifest_of(second, offsite, healed)["storage"] == "offsite"


@pytest.mark.parametrize(
    ("faults_there", "left"),
    [
        # The store took the manifest, and was away when it was asked for it; then it is back.
        ([AWAY_ONCE], []),
        # Nothing says whether the manifest is there: it counts, whatever lies beside it.
        ([AWAY_ONCE, Rule(Hang(), "GET", "manifest.json")], ["failed"]),
    ],
    ids=["seen later", "never seen"],
)
def test_a_manifest_whose_answer_was_lost_is_a_backup(
    both: Dumper,
    second: S3Server,
    offsite: str,
    proxy: HttpProxy,
    faults_there: list[Rule],
    left: list[str],
) -> None:
    proxy.set(Rule(Cut(0), "PUT", "manifest.json"), *faults_there)

    ended = both.run()

    assert_partial(ended, missing="offsite")
    proxy.clear()
    found = names(second, offsite)
    assert [name for name in found if name not in {"dump", "fingerprint.json"}] == [
        *(f"{name}.json" for name in left),
        "manifest.json",
        "started.json",
    ]
    [entry] = entries(second, offsite)
    assert entry.is_restorable, entry


def test_a_backup_that_one_store_has_is_no_failure_when_the_run_is_interrupted(
    both: Dumper, s3: S3Server, bucket: str, second: S3Server, offsite: str, proxy: HttpProxy
) -> None:
    proxy.set(Rule(Hang(), path="manifest.json"))
    both.start()
    wait_until(
        lambda: bool(proxy.seen("PUT", "manifest.json")) and "manifest.json" in names(s3, bucket),
        seconds=PATIENCE_SECONDS,
        what="the first manifest",
    )
    assert both.process
    both.process.terminate()
    ended = both.wait()

    assert_partial(ended, missing="offsite", reason="Interrupted")
    assert "not in offsite: stopped by SIGTERM" in ended.result.message
    assert manifest_of(s3, bucket, ended)["storages"] == ["main", "offsite"]
    assert names(s3, bucket) == ["dump", "fingerprint.json", "manifest.json", "started.json"]
    proxy.clear()
    assert "manifest.json" not in names(second, offsite)


def test_an_interrupt_before_any_store_has_the_backup_fails_the_run(
    both: Dumper, s3: S3Server, bucket: str, proxy: HttpProxy, faults: Faults
) -> None:
    first = faults.http(s3.port)
    for store in (first, proxy):
        store.set(Rule(Hang(), path="manifest.json"))
    both.start(BACKEND_S3_ENDPOINT=first.url)
    wait_until(
        lambda: all(store.seen("PUT", "manifest.json") for store in (first, proxy)),
        seconds=PATIENCE_SECONDS,
        what="both manifests on their way",
    )
    assert both.process
    both.process.terminate()
    ended = both.wait()
    assert (ended.exit_code, ended.result.reason) == (ExitCode.INTERRUPTED, "Interrupted")
    assert names(s3, bucket) == ["dump", "failed.json", "fingerprint.json", "started.json"]


def test_a_store_that_hangs_when_it_is_given_up_does_not_hold_up_the_end(
    both: Dumper, proxy: HttpProxy
) -> None:
    proxy.set(
        Rule(ERROR, path="manifest.json"),
        Rule(Hang(), path="failed.json"),
    )
    ended = both.run()
    assert_partial(ended, missing="offsite")
    [line] = ended.lines("failure not recorded")
    assert line["why"] == "no answer"


def test_without_the_first_store_the_backup_is_in_the_second(
    both: Dumper, s3: S3Server, bucket: str, second: S3Server, offsite: str, faults: Faults
) -> None:
    first = faults.http(s3.port)
    first.set(Rule(ERROR, method="PUT", path=PARTS))
    ended = both.run(BACKEND_S3_ENDPOINT=first.url, BACKEND_S3_PATIENCE="1")
    assert_partial(ended, missing="main")
    assert names(s3, bucket) == ["failed.json", "started.json"]
    document = manifest_of(second, offsite, ended)
    assert document["missing"] == ["main"]
    # What the result says is said of the storage that has the backup.
    assert ended.result.record.startswith("copies/far/")
    assert [key for key in ended.result.keys if not key.startswith("copies/far/")] == []


CONFIGURATION = "ConfigurationInvalid"
# Begins as a certificate does, and is none.
NO_PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("S3_SECRET_KEY", "", "STORAGE_OFFSITE__S3_SECRET_KEY is not set"),
        ("S3_ACCESS_KEY", "key\n", "STORAGE_OFFSITE__S3_ACCESS_KEY holds a character"),
        ("S3_CA_BUNDLE", NO_PEM, "no usable certificate"),
        ("S3_ENDPOINT", "http://no such host", "Invalid endpoint"),
    ],
    ids=["half a key", "a line end", "no certificate", "no endpoint"],
)
def test_what_is_wrong_with_the_variables_of_the_second_keeps_no_dump_from_the_first(
    both: Dumper,
    s3: S3Server,
    bucket: str,
    second: S3Server,
    offsite: str,
    name: str,
    value: str,
    why: str,
) -> None:
    both.env[f"STORAGE_OFFSITE__{name}"] = value

    ended = both.run()

    assert_partial(ended, missing="offsite", reason=CONFIGURATION)
    [_, missed] = ended.result.storages
    assert missed.reason == CONFIGURATION
    assert why in missed.message
    assert manifest_of(s3, bucket, ended)["missing"] == ["offsite"]
    assert names(second, offsite) == []

    both.verb = "check"
    checked = both.run()
    assert (checked.exit_code, checked.result.outcome) == (ExitCode.DONE, PARTIAL), checked.log
    assert why in checked.result.message


def test_without_its_secret_the_second_is_not_gone_to_by_the_pods_own_identity(
    both: Dumper, second: S3Server, offsite: str, proxy: HttpProxy
) -> None:
    # What the pod may do elsewhere would even do here.
    both.env |= second.root.env()
    both.env |= {"STORAGE_OFFSITE__S3_ACCESS_KEY": "", "STORAGE_OFFSITE__S3_SECRET_KEY": ""}

    ended = both.run(STORAGE_OFFSITE__S3_KEYS="secret")

    assert_partial(ended, missing="offsite", reason=CONFIGURATION)
    assert "the storage's Secret" in ended.result.message
    assert (proxy.seen(), names(second, offsite)) == ([], [])


def test_a_run_without_any_store_fails_as_one_that_may_heal(
    both: Dumper, s3: S3Server, bucket: str, second: S3Server, offsite: str, proxy: HttpProxy
) -> None:
    proxy.set(Rule(ERROR, method="PUT", path=PARTS, since=2))
    # The keys of the first one are wrong, which no second try mends.
    ended = both.run(BACKEND_S3_SECRET_KEY="wrong")
    assert ended.exit_code == ExitCode.STORAGE_FAILED, ended.log
    assert "main: " in ended.result.message
    assert "offsite: " in ended.result.message
    assert (names(s3, bucket), names(second, offsite)) == ([], ["failed.json", "started.json"])
    assert second.uploads(offsite) == []


def test_a_source_that_fails_leaves_no_backup_in_any_store(
    both: Dumper,
    s3: S3Server,
    bucket: str,
    second: S3Server,
    offsite: str,
    proxy: HttpProxy,
) -> None:
    proxy.set(Rule(Hang(), method="PUT", path=PARTS))
    both.start()
    wait_until(lambda: bool(proxy.seen("PUT", PARTS)), seconds=PATIENCE_SECONDS, what="a part")
    both.tool("pg_dump", "--no-password").kill()
    proxy.clear()
    ended = both.wait()
    assert ended.exit_code == ExitCode.SOURCE_FAILED, ended.log
    for store, where in ((s3, bucket), (second, offsite)):
        assert names(store, where) == ["failed.json", "started.json"]
        assert store.uploads(where) == []


def test_as_many_parts_are_under_way_as_a_store_is_to_get(both: Dumper, proxy: HttpProxy) -> None:
    proxy.set(Rule(Hang(), method="PUT", path=PARTS))
    # What hangs is dropped in the end, and sent again.
    changes = {"BACKEND_S3_UPLOAD_CONCURRENCY": "4", "BACKEND_S3_PATIENCE": "120"}
    both.start(**{named_variable(name, "offsite"): value for name, value in changes.items()})
    wait_until(
        lambda: len(proxy.seen("PUT", PARTS)) >= 4,
        seconds=PATIENCE_SECONDS,
        what="four parts at a time",
    )
    assert [item.outcome for item in proxy.seen("PUT", PARTS)] == ["open"] * 4
    proxy.clear()
    ended = both.wait()
    assert (ended.exit_code, ended.result.outcome) == (ExitCode.DONE, ""), ended.log


def test_a_locked_backup_cannot_be_deleted_before_its_time(dumper: Dumper, s3: S3Server) -> None:
    bucket = s3.create_bucket(f"locked-{secrets.token_hex(4)}", locks=True)
    ended = dumper.run(BACKEND_BUCKET=bucket, BACKEND_S3_OBJECT_LOCK="GOVERNANCE:30")
    assert ended.exit_code == ExitCode.DONE, ended.log
    assert (
        ended.lines(
            "the lock of a stored object is not to be seen: grant "
            "s3:GetObjectRetention, or the store keeps none"
        )
        == []
    )
    started = datetime.fromisoformat(manifest_of(s3, bucket, ended)["started"])
    until = (started + timedelta(days=30)).replace(microsecond=0)
    client = s3.client()
    for key in s3.objects(bucket):
        head = client.head_object(Bucket=bucket, Key=key)
        found = (head.get("ObjectLockMode"), head.get("ObjectLockRetainUntilDate"))
        if key.endswith("started.json"):
            assert found == (None, None)
            continue
        assert found == ("GOVERNANCE", until), key
        with pytest.raises(ClientError, match=r"AccessDenied|locked"):
            client.delete_object(Bucket=bucket, Key=key, VersionId=head["VersionId"])


@pytest.mark.parametrize("verb", ["", "check"])
def test_a_bucket_without_locks_is_refused_before_anything_is_dumped(
    dumper: Dumper, s3: S3Server, bucket: str, verb: str
) -> None:
    dumper.verb = verb
    ended = dumper.run(BACKEND_S3_OBJECT_LOCK="COMPLIANCE:30")
    assert ended.exit_code == ExitCode.STORAGE_REFUSED, ended.log
    assert "drop S3_OBJECT_LOCK" in ended.result.message
    assert names(s3, bucket) == ([] if verb else ["failed.json", "started.json"])


def test_a_check_says_which_stores_are_good(both: Dumper, second: S3Server, offsite: str) -> None:
    both.verb = "check"
    good = both.run()
    assert good.exit_code == ExitCode.DONE, good.log
    told = [line for line in good.lines("check passed") if line["check"] == "store"]
    assert sorted(line["storage"] for line in told) == ["main", "offsite"]

    bad = both.run(**{named_variable("BACKEND_BUCKET", "offsite"): "no-such-bucket"})
    assert (bad.exit_code, bad.result.outcome) == (ExitCode.DONE, PARTIAL), bad.log
    [_, missed] = bad.result.storages
    assert (missed.stored, missed.reason) == (False, "StorageRefused")
    assert "NoSuchBucket" in missed.message
    assert second.objects(offsite) == {}
