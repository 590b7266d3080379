"""What a fetch downloads, proves and writes: a real S3 server, and no cluster."""

import gzip
import io
import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyrage
import pytest

from controller.client.fetch.download import ObjectDownload
from controller.client.fetch.http import Target, open_object, say_done, why_unreachable
from controller.client.fetch.run import fetch_backup
from controller.client.fetch.sources import Source
from controller.client.fetch.wanted import FetchWanted
from controller.client.keys.age_library import AgeLibrary
from controller.client.keys.age_program import AgeProgram
from controller.client.keys.age_tool import AgeTool
from controller.client.restore.options import OptionError
from controller.client.terminal.errors import CommandError
from dumpers.contract.fetch.offer import DONE
from dumpers.runtime.errors import (
    BackupDamagedError,
    ConfigurationError,
    InterruptedRunError,
    StorageFailedError,
    StorageRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.patience import Patience
from dumpers.streams.reader import copy
from tests.integration.controller.offered import ByUrl, sending
from tests.testbed.dumper import CRONJOB, storage_env
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Rule, Status
from tests.testbed.stores import s3 as s3_testbed
from tests.testbed.stores.backups import make_backup
from tests.testbed.stores.s3 import READ, S3Server
from tests.testbed.toolchain.require import require_command

IDENTITY = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()
RECIPIENT = IDENTITY.to_public()
NOISE = random.Random(17).randbytes(600_000)
TEXT = b"-- PostgreSQL database dump complete\n"
WANTED = FetchWanted(
    backup="latest",
    objects=(),
    identity=str(IDENTITY),
    path=None,
    is_folder=False,
    stored=False,
    only_list=False,
    through_cluster=False,
    from_cluster="",
)


@pytest.fixture
def env(s3: S3Server, bucket: str) -> dict[str, str]:
    """The environment of a job whose keys may only read."""
    keys = s3.create_user(f"reader-{bucket}")
    s3.allow(bucket, {keys.access: READ})
    return {
        **storage_env(s3, bucket),
        "BACKEND_S3_ACCESS_KEY": keys.access,
        "BACKEND_S3_SECRET_KEY": keys.secret,
        "KSNAPSHOT_CLUSTER": "test",
        "KSNAPSHOT_CRONJOB": CRONJOB,
        "HOSTNAME": "pod",
    }


@pytest.fixture(params=["library", "program"])
def age(request: pytest.FixtureRequest) -> AgeTool:
    """Both ways to decrypt."""
    if request.param == "library":
        return AgeLibrary()
    return AgeProgram(
        program=require_command("age", "age"), keygen=require_command("age-keygen", "age")
    )


def store(
    s3: S3Server, bucket: str, *names: str, text: bytes = NOISE, **options: object
) -> list[str]:
    """Store a backup of objects with these names; return their keys."""
    made = make_backup(
        s3,
        bucket,
        {tuple(name.split("/")): text for name in names},
        cluster="test",
        cronjob=CRONJOB,
        **({"recipients": (RECIPIENT,)} | options),  # type: ignore[arg-type]
    )
    return list(made.keys)


def fetch(source: Source, age: AgeTool, path: Path | None, **wanted: Any) -> None:
    fetch_backup(source, replace(WANTED, path=path, **wanted), age)


def refused(source: Source, path: Path, code: int, *words: str, **wanted: Any) -> None:
    """What is refused leaves nothing."""
    with pytest.raises(CommandError) as raised:
        fetch(source, AgeLibrary(), path, **wanted)
    assert raised.value.exit_code == code, raised.value
    for word in words:
        assert word in str(raised.value)
    assert "AGE-SECRET-KEY" not in str(raised.value)
    assert "Signature" not in str(raised.value)
    assert not list(path.parent.glob(f"{path.name}*"))


def test_a_backup_is_written_as_it_was_dumped(
    s3: S3Server,
    bucket: str,
    env: dict[str, str],
    age: AgeTool,
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    keys = store(s3, bucket, "shop", "shop/s1r1/app/orders")
    source = ByUrl(env)
    fetch(source, age, None, objects=("shop.sql",))
    assert capsysbinary.readouterr().out == NOISE
    with pytest.raises(OptionError, match="stdout has room for one"):
        fetch(source, age, None)
    fetch(source, age, tmp_path / "out", objects=("shop/s1r1",), is_folder=True)
    fetch(source, age, tmp_path / "out")
    assert (tmp_path / "out" / "shop.sql").read_bytes() == NOISE
    assert (tmp_path / "out" / "shop" / "s1r1" / "app" / "orders.sql").read_bytes() == NOISE
    assert b"is there already, and is as it must be" in capsysbinary.readouterr().err
    fetch(source, age, tmp_path / "stored.age", objects=("shop.sql",), stored=True, identity="")
    assert (tmp_path / "stored.age").read_bytes() == s3.read(bucket, keys[0])
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="several objects need a folder"):
        fetch(source, age, tmp_path / "file")
    with sending(env) as sent:
        fetch(sent, age, tmp_path / "sent.sql", objects=("shop.sql",))
    assert (tmp_path / "sent.sql").read_bytes() == NOISE


def test_a_backup_in_the_clear_needs_no_key(
    s3: S3Server, bucket: str, env: dict[str, str], tmp_path: Path
) -> None:
    store(s3, bucket, "shop", recipients=())
    fetch(ByUrl(env), AgeLibrary(), tmp_path / "shop.sql", identity="")
    assert (tmp_path / "shop.sql").read_bytes() == NOISE


def test_ssh_keys_and_one_of_several_open(
    s3: S3Server, bucket: str, env: dict[str, str], age: AgeTool, tmp_path: Path
) -> None:
    keygen = require_command("ssh-keygen", "openssh-client")
    file = tmp_path / "id"
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    ssh = pyrage.ssh.Recipient.from_str(file.with_suffix(".pub").read_text().strip())
    store(s3, bucket, "ssh", recipients=(ssh,))
    fetch(ByUrl(env), age, tmp_path / "ssh.sql", identity=f"{OTHER}\n{file.read_text()}")
    assert (tmp_path / "ssh.sql").read_bytes() == NOISE


def test_what_does_not_open_is_told_before_anything_is_written(
    s3: S3Server, bucket: str, env: dict[str, str], age: AgeTool, tmp_path: Path
) -> None:
    store(s3, bucket, "shop")
    source, path = ByUrl(env), tmp_path / "shop.sql"
    refused(source, path, 12, str(RECIPIENT), "--stored", identity="")
    for identity, words in (
        (f"{OTHER}", "the key in"),
        (f"{OTHER}\n{OTHER}", "none of the 2 keys"),
    ):
        with pytest.raises(CommandError, match=words) as raised:
            fetch(source, age, path, identity=identity)
        assert raised.value.exit_code == 12
        assert not list(tmp_path.iterdir())
    path.write_text("another's")
    with pytest.raises(CommandError, match="is there already"):
        fetch(source, age, path)
    assert path.read_text() == "another's"


def test_bytes_that_are_not_those_that_were_stored_are_never_good(
    s3: S3Server, bucket: str, env: dict[str, str], tmp_path: Path
) -> None:
    [key, other] = store(s3, bucket, "shop", "other", text=TEXT + NOISE[:150])
    body, client, path = s3.read(bucket, key), s3.client(), tmp_path / "shop.sql"
    source = ByUrl(env)
    # Every byte of the header and of what is encrypted, and every place to cut at.
    for changed, _ in places(body):
        client.put_object(Bucket=bucket, Key=key, Body=changed)
        refused(source, path, 21, key, objects=("shop.sql",))
    client.put_object(Bucket=bucket, Key=key, Body=s3.read(bucket, other))
    refused(source, path, 21, key, objects=("shop.sql",))
    # Another one of the same size, whole by itself, for the same key.
    swapped = b""
    while len(swapped) != len(body):
        swapped = pyrage.encrypt(gzip.compress(TEXT.swapcase() + NOISE[:150], 1), [RECIPIENT])
    client.put_object(Bucket=bucket, Key=key, Body=swapped)
    refused(source, path, 21, key, "sha256 in the store", objects=("shop.sql",))
    client.delete_object(Bucket=bucket, Key=key)
    refused(source, path, 21, f"{key} is gone", objects=("shop.sql",))


def places(body: bytes, step: int = 1) -> Iterator[tuple[bytes, int]]:
    for place in range(0, len(body), step):
        yield body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :], place
    for place in range(0, len(body), 7):
        yield body[:place], place
    yield body + b"x", len(body)


def test_the_program_and_the_way_through_the_cluster_find_what_was_changed(
    s3: S3Server, bucket: str, env: dict[str, str], tmp_path: Path
) -> None:
    require_command("age", "age")
    [key] = store(s3, bucket, "shop", text=TEXT)
    body, client, path = s3.read(bucket, key), s3.client(), tmp_path / "shop.sql"
    program = AgeProgram(program=shutil.which("age") or "", keygen=shutil.which("age-keygen") or "")
    with sending(env) as sent:
        for changed in (
            *(changed for changed, place in places(body, 40) if place % 40 == 0),
            b"",
            pyrage.encrypt(b"", [RECIPIENT]),
        ):
            client.put_object(Bucket=bucket, Key=key, Body=changed)
            with pytest.raises(CommandError, match=key) as raised:
                fetch(sent, program, path)
            assert raised.value.exit_code == 21, raised.value
            assert not list(tmp_path.iterdir())
        client.delete_object(Bucket=bucket, Key=key)
        refused(sent, path, 21, f"{key} is gone")


def test_bytes_that_went_to_stdout_are_said_to_be_of_no_use(
    s3: S3Server,
    bucket: str,
    env: dict[str, str],
    age: AgeTool,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    [key] = store(s3, bucket, "shop")
    body = bytearray(s3.read(bucket, key))
    body[-1] ^= 1
    s3.client().put_object(Bucket=bucket, Key=key, Body=bytes(body))
    with pytest.raises(CommandError, match="went to stdout and must not be used") as raised:
        fetch(ByUrl(env), age, None)
    assert raised.value.exit_code == 21
    assert capsysbinary.readouterr().out


@pytest.mark.parametrize(
    ("fault", "renewals"),
    [
        (Cut(after=200_000, reset=False), 0),
        (Cut(after=200_000), 0),
        (Cut(after=0), 0),
        (Status(503), 0),
        (Status(403, b"<Code>AccessDenied</Code><Message>Request has expired</Message>"), 1),
        (Status(400, b"<Error><Code>ExpiredToken</Code></Error>"), 1),
    ],
    ids=str,
)
@pytest.mark.parametrize("nth", [1, 2])
def test_a_download_goes_on_where_it_broke(
    s3: S3Server,
    bucket: str,
    env: dict[str, str],
    faults: Faults,
    tmp_path: Path,
    fault: Cut | Status,
    renewals: int,
    nth: int,
) -> None:
    [key] = store(s3, bucket, "shop")
    proxy = faults.http(s3.port)
    source = ByUrl(env | {"BACKEND_S3_ENDPOINT": proxy.url})
    proxy.set(
        *([Rule(Cut(after=300_000, reset=False), "GET", key, nth=1)] if nth > 1 else []),
        Rule(fault, "GET", key, nth=nth),
    )
    fetch(source, AgeLibrary(), tmp_path / "shop.sql")
    assert (tmp_path / "shop.sql").read_bytes() == NOISE
    assert source.renewals == renewals
    received = sum(seen.received for seen in proxy.settled("GET", key))
    # A reset may take with it what came before it.
    assert received < len(s3.read(bucket, key)) + 250_000
    asked = [seen.outcome for seen in proxy.seen("GET", key)]
    assert len(asked) == nth + 1


def test_what_is_refused_for_good_is_told(
    s3: S3Server, bucket: str, env: dict[str, str], faults: Faults, tmp_path: Path
) -> None:
    [key] = store(s3, bucket, "shop")
    proxy = faults.http(s3.port)
    source, path = ByUrl(env | {"BACKEND_S3_ENDPOINT": proxy.url}), tmp_path / "shop.sql"
    proxy.set(Rule(Status(403, b"<Code>InvalidObjectState</Code><Message>m</Message>"), "GET", key))
    refused(source, path, 21, "InvalidObjectState: m", "--through-cluster")
    assert source.renewals == 1
    proxy.set(Rule(Status(200, b"<html>log in</html>"), "GET", key))
    refused(source, path, 21, "and the manifest says")
    proxy.set(Rule(Status(206, b"<html>log in</html>"), "GET", key))
    refused(source, path, 21, "login page")
    proxy.set(Rule(Status(409, b"no"), "GET", key))
    refused(source, path, 21, "409")


def test_a_store_that_stays_away_is_told(
    s3: S3Server, bucket: str, env: dict[str, str], faults: Faults
) -> None:
    [key] = store(s3, bucket, "shop")
    proxy = faults.http(s3.port)
    source = ByUrl(env | {"BACKEND_S3_ENDPOINT": proxy.url})
    proxy.set(Rule(Cut(after=100_000, reset=False), "GET", key, times=1), Rule(Status(503), "GET"))
    counted: list[int] = []
    download = ObjectDownload(
        source, 0, interrupt=Interrupt(), count=counted.append, patience=Patience(seconds=0.5)
    )
    with pytest.raises(StorageFailedError, match=r"503 .*nothing came for 0 s: fetch it again"):
        copy(download, io.BytesIO())
    assert sum(counted) == 100_000


def test_a_dump_of_0_6_0_is_fetched_by_its_id_with_what_can_be_checked(
    s3: S3Server,
    bucket: str,
    env: dict[str, str],
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    text = b"SELECT 1;\n" * 100 + b"--\n-- PostgreSQL database dump complete\n--\n\n"
    body = pyrage.encrypt(gzip.compress(text), [RECIPIENT])
    key = f"ksnapshot/2025/01/31/postgresql/dump-{CRONJOB}-29384756-x7k2p-shop-20250131040506"
    key += ".sql.gz.age"
    s3.client().put_object(Bucket=bucket, Key=key, Body=body)
    legacy = env | {"KSNAPSHOT_BACKUP": "legacy-20250131T040506Z"}
    path = tmp_path / "shop.sql"
    fetch(ByUrl(legacy), AgeLibrary(), path)
    assert path.read_bytes() == text
    said = capsysbinary.readouterr().err.decode()
    assert "left no checksums" in said
    assert "whole as far as can be checked" in said
    assert "as recorded" not in said
    # What is there already cannot be known to be the same.
    with pytest.raises(CommandError, match="is there already"):
        fetch(ByUrl(legacy), AgeLibrary(), path)
    path.unlink()
    for changed in (
        body[:-1],
        body[: len(body) // 2] + b"x" + body[len(body) // 2 + 1 :],
        pyrage.encrypt(gzip.compress(text[:-60]), [RECIPIENT]),
    ):
        s3.client().put_object(Bucket=bucket, Key=key, Body=changed)
        refused(ByUrl(legacy), path, 21, key)


def test_an_object_that_changes_meanwhile_is_an_error(
    s3: S3Server, bucket: str, env: dict[str, str], faults: Faults, tmp_path: Path
) -> None:
    [key] = store(s3, bucket, "shop")
    proxy = faults.http(s3.port)
    source = ByUrl(env | {"BACKEND_S3_ENDPOINT": proxy.url})
    body = s3.read(bucket, key)
    target = source.target

    def changing(place: int) -> Target:
        if proxy.seen("GET", key):
            s3.client().put_object(Bucket=bucket, Key=key, Body=body[::-1])
        return target(place)

    source.target = changing  # type: ignore[method-assign]
    proxy.set(Rule(Cut(after=200_000, reset=False), "GET", key, times=1))
    refused(source, tmp_path / "shop.sql", 11, "changed while it was read")


def test_whether_the_store_can_be_reached(
    s3: S3Server, bucket: str, env: dict[str, str], faults: Faults
) -> None:
    [key] = store(s3, bucket, "shop")
    proxy = faults.http(s3.port)
    source = ByUrl(env | {"BACKEND_S3_ENDPOINT": proxy.url})
    size = source.offer.objects[0].size

    def why(target: Target | None = None) -> str:
        return why_unreachable(target or source.target(0), key, size=size)

    assert why() == ""
    proxy.set(Status(403))
    assert why() == ""
    proxy.set(Status(503))
    assert why() == ""
    proxy.set(Status(200, b"<html>log in</html>"))
    assert "something else" in why()
    proxy.set(Cut(after=0, of="request"))
    assert "no answer of the store" in why()
    proxy.stop()
    assert "Connection refused" in why()
    url = "http://store.invalid/x?X-Amz-Signature=secret"
    assert "no connection to the store" in why(Target(url=url))
    assert "secret" not in why(Target(url=url))


def test_the_certificate_of_the_store_travels_with_the_urls(tmp_path: Path) -> None:
    with s3_testbed.start(tls=True) as server:
        bucket = server.create_bucket("secure")
        [key] = store(server, bucket, "shop")
        assert server.ca
        job = {
            **storage_env(server, bucket),
            "BACKEND_S3_CA_BUNDLE": server.ca.read_text(),
            "KSNAPSHOT_CLUSTER": "test",
            "KSNAPSHOT_CRONJOB": CRONJOB,
            "HOSTNAME": "pod",
        }
        source = ByUrl(job)
        fetch(source, AgeLibrary(), tmp_path / "shop.sql")
        assert (tmp_path / "shop.sql").read_bytes() == NOISE
        unknown = replace(source.target(0), ca="")
        assert "its certificate is not trusted here" in why_unreachable(unknown, key, size=1)


def test_who_has_no_token_is_sent_nothing(s3: S3Server, bucket: str, env: dict[str, str]) -> None:
    [key] = store(s3, bucket, "shop")
    with sending(env) as sent:
        good = sent.target(0)
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": good.url}):
            other = replace(good, headers=headers)
            with pytest.raises(StorageRefusedError, match="401"):
                open_object(other, key, start=0)
            assert not say_done(replace(sent.at(DONE), headers=headers))
        with pytest.raises(BackupDamagedError, match="no such object"):
            open_object(sent.at("/7"), key, start=0)
        with pytest.raises(BackupDamagedError, match="no such object"):
            open_object(sent.at("/../../etc/passwd"), key, start=0)
        with pytest.raises(BackupDamagedError, match="ends before"):
            open_object(good, key, start=10**9)
        answer = open_object(good, key, start=100)
        assert answer.total == len(s3.read(bucket, key))
        found = b"".join(iter(lambda: answer.read(1 << 16), b""))
        assert found == s3.read(bucket, key)[100:]
        answer.close()


def test_a_job_that_nobody_asks_ends(s3: S3Server, bucket: str, env: dict[str, str]) -> None:
    store(s3, bucket, "shop")
    with (
        pytest.raises(InterruptedRunError, match="nobody has fetched"),
        sending(env, idle_seconds=0.0),
    ):
        pass


def test_a_backup_that_is_not_there_is_not_offered(env: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="no records of backups"):
        ByUrl(env)
