"""`ksnapshot fetch` and `keys`: a real API server and S3 server, and Jobs that run as processes."""

import random
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from tests.fakes.node import Node, run_node
from tests.integration.controller.command import Command, install
from tests.paths import REPOSITORY
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.dumper import storage_env
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Hang, Rule, Slow, Status
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores.backups import MadeBackup, make_backup
from tests.testbed.stores.s3 import READ, S3Server
from tests.testbed.toolchain.processes import wait_until
from tests.testbed.toolchain.tools import tool

IDENTITY = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()
# Some 2 MiB in the store.
NOISE = random.Random(17).randbytes(1 << 20).hex().encode()
SHOP = b"-- a dump\n" + NOISE
GLOBALS = b"CREATE ROLE shop;\n"
ZIPAPP_PYTHON = [sys.executable, "-I", "-S"]


class Fetching:
    """The user's command with a bucket, whose store is behind a proxy that fails."""

    def __init__(
        self, command: Command, node: Node, proxy: HttpProxy, s3: S3Server, bucket: str
    ) -> None:
        self.command = command
        self.node = node
        self.proxy = proxy
        self.s3 = s3
        self.bucket = bucket

    @property
    def cronjob(self) -> str:
        return str(self.command.cronjob()["metadata"]["name"])

    @property
    def cluster(self) -> str:
        return self.command.world.cluster()

    def backup(self, **options: object) -> MadeBackup:
        given = {
            "contents": {("shop",): SHOP},
            "recipients": (IDENTITY.to_public(),),
            "cluster": self.cluster,
            "cronjob": self.cronjob,
        }
        return make_backup(self.s3, self.bucket, **(given | options))  # type: ignore[arg-type]

    def key(self, *identities: object) -> str:
        file = self.command.home / f"key-{secrets.token_hex(3)}.txt"
        file.write_text("".join(f"{identity}\n" for identity in identities or (IDENTITY,)))
        return str(file)

    def start(self, *words: str, **env: str) -> "subprocess.Popen[bytes]":
        wrapper = self.command.home / "kubectl"
        text = (
            f'#!/bin/sh\nexec {sys.executable} -m tests.fakes.port_forward {tool("kubectl")} "$@"\n'
        )
        if not wrapper.exists():
            wrapper.write_text(text)
            wrapper.chmod(0o755)
        environment = self.command.environment(KSNAPSHOT_KUBECTL=str(wrapper))
        return subprocess.Popen(
            [sys.executable, "-m", "controller", *words],
            env=environment | {"PYTHONPATH": str(REPOSITORY)} | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=REPOSITORY,
        )

    def run(self, *words: str, **env: str) -> tuple[int, bytes, str]:
        with self.start(*words, **env) as process:
            out, err = process.communicate(timeout=120)
        assert "Traceback" not in err.decode(), err.decode()
        self.no_secret_shows(err.decode())
        return process.returncode, out, err.decode()

    def fetch(self, *words: str, **env: str) -> tuple[int, bytes, str]:
        return self.run("fetch", self.command.owner, *words, **env)

    def no_secret_shows(self, text: str) -> None:
        """Neither in what a person sees nor in a Job's log or environment."""
        logs = "".join(ran.log for ran in self.node.ran)
        own = "".join(f"{ran.job}" for ran in self.node.ran)
        for secret in (str(IDENTITY), "AGE-SECRET-KEY-1", "X-Amz-Signature", "Bearer"):
            assert secret not in text + logs + own
        assert self.s3.root.secret not in text


@pytest.fixture(scope="module")
def command(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Command:
    return install(apiserver, tmp_path_factory.mktemp("home"), workloads=3)


@pytest.fixture
def fetching(
    command: Command, s3: S3Server, bucket: str, faults: Faults, tmp_path: Path
) -> Iterator[Fetching]:
    proxy = faults.http(s3.port)
    # As a reader's keys: nothing here writes.
    keys = s3.create_user(f"reader-{bucket}")
    s3.allow(bucket, {keys.access: READ})
    env = {
        **storage_env(s3, bucket),
        "BACKEND_S3_ENDPOINT": proxy.url,
        "BACKEND_S3_ACCESS_KEY": keys.access,
        "BACKEND_S3_SECRET_KEY": keys.secret,
    }
    node = Node(
        api=command.world.api,
        namespace=command.world.control,
        name=f"node-{secrets.token_hex(4)}",
        env=env,
    )
    with run_node(node, tmp_path / "pki"):
        yield Fetching(command, node, proxy, s3, bucket)
    for job in command.jobs():
        command.world.api.delete(job)
    wait_until(lambda: not command.jobs(), seconds=30, what="no Job")


def reads(fetching: Fetching, key: str) -> list[int | None]:
    """The statuses of the reads of an object, by its presigned URL."""
    return [seen.status for seen in fetching.proxy.settled("GET", f"{key}.*X-Amz-Signature")]


def test_a_backup_goes_to_stdout_and_into_files(fetching: Fetching, tmp_path: Path) -> None:
    made = fetching.backup(contents={("shop",): SHOP, ("shop", "x"): GLOBALS})
    key = fetching.key(OTHER, IDENTITY)
    code, out, err = fetching.fetch("-i", key, "--object", "shop.sql")
    assert (code, out == SHOP) == (0, True), err
    assert "size and sha256 as recorded" in err
    [ran] = fetching.node.ran
    assert ran.verb == "presign"
    assert not {"KSNAPSHOT_IDENTITY_FILE"} & set(ran.env)

    code, out, err = fetching.fetch("3f9c", "-i", key, "-o", str(tmp_path / "new") + "/")
    assert (code, out) == (0, b""), err
    assert (tmp_path / "new" / "shop.sql").read_bytes() == SHOP
    assert (tmp_path / "new" / "shop" / "x.sql").read_bytes() == GLOBALS
    code, _, err = fetching.fetch("-i", key, "-o", str(tmp_path / "new"))
    assert code == 0, err
    assert err.count("is there already, and is as it must be") == 2

    code, out, err = fetching.fetch("--stored", "--object", "shop.sql")
    assert (code, out == made.stored[made.keys[0]]) == (0, True), err
    code, out, err = fetching.fetch("-i", key)
    assert (code, out) == (2, b"")
    assert "stdout has room for one" in err
    code, out, err = fetching.fetch("--list")
    assert code == 0, err
    assert [line.split()[0] for line in out.decode().splitlines()[1:]] == ["shop.sql", "shop/x.sql"]


def test_what_stands_in_the_way_is_one_line(fetching: Fetching, tmp_path: Path) -> None:
    fetching.backup()
    key, there = fetching.key(), tmp_path / "there.sql"
    there.write_text("something else")
    for words, code, why in (
        (("nope", "-i", key), 2, "there is no backup 'nope'"),
        (("--at", "2020-01-01", "-i", key), 2, "2020-01-01T23:59:59Z or before"),
        (("--from-cluster", "old", "-i", key), 2, "no records of backups"),
        ((), 12, f"is encrypted for {IDENTITY.to_public()}"),
        (("-i", fetching.key(OTHER)), 12, "does not open"),
        (("-i", key, "-o", str(there)), 6, "is there already"),
        (("-i", key, "--object", "shp.sql"), 2, "did you mean shop.sql"),
    ):
        found, out, err = fetching.fetch(*words)
        assert (found, out) == (code, b""), err
        assert why in err.splitlines()[-1]
        assert err.splitlines()[-1].startswith("error: ")
    assert there.read_text() == "something else"
    assert fetching.run("fetch", "nobody")[0] == 3


def test_a_connection_that_breaks_is_gone_on_with_and_an_expired_url_renewed(
    fetching: Fetching,
) -> None:
    made = fetching.backup()
    [stored] = made.keys
    by_url = f"{stored}.*X-Amz-Signature"
    refused = Status(
        403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    )
    fetching.proxy.set(
        # The first look, then the download, which breaks; then the URL has expired.
        Rule(Cut(after=400_000, reset=False), "GET", by_url, nth=2),
        Rule(refused, "GET", by_url, nth=3),
        Rule(Cut(after=400_000), "GET", by_url, nth=4),
        Rule(Status(503), "GET", by_url, nth=5),
    )
    code, out, err = fetching.fetch("-i", fetching.key())
    assert (code, out == SHOP) == (0, True), err
    assert "waiting for the store" in err
    assert len(fetching.node.runs("presign")) == 2
    statuses = reads(fetching, stored)
    assert statuses[-1] == 206
    assert len(statuses) == 6
    received = sum(seen.received for seen in fetching.proxy.seen("GET", by_url))
    assert received < len(made.stored[stored]) + 300_000


def test_a_url_that_is_refused_for_good_is_told(fetching: Fetching) -> None:
    [stored] = fetching.backup().keys
    body = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    fetching.proxy.set(Rule(Status(403, body), "GET", f"{stored}.*X-Amz-Signature"))
    code, out, err = fetching.fetch("-i", fetching.key())
    assert (code, out) == (21, b""), err
    assert "AccessDenied: no" in err
    assert "--through-cluster" in err
    assert len(fetching.node.runs("presign")) == 2


def test_urls_are_renewed_before_their_time_is_over(fetching: Fetching, tmp_path: Path) -> None:
    contents = {(f"t{number}",): SHOP for number in range(3)}
    fetching.backup(contents=contents)
    # Some 2 s for each, and 10 s for a URL of which one is the margin.
    fetching.proxy.set(Rule(Slow(400_000), "GET", "X-Amz-Signature"))
    folder = tmp_path / "out"
    code, _, err = fetching.fetch("-i", fetching.key(), "-o", f"{folder}/", "--url-seconds", "10")
    assert code == 0, err
    assert all((folder / f"t{number}.sql").read_bytes() == SHOP for number in range(3))
    assert len(fetching.node.runs("presign")) > 1
    assert not [
        seen for seen in fetching.proxy.seen("GET", "X-Amz-Signature") if seen.status == 403
    ]


def changed(body: bytes, what: str) -> bytes:
    middle = len(body) // 2
    if what == "flipped":
        return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
    if what == "header":
        return body[:40] + (b"A" if body[40:41] != b"A" else b"B") + body[41:]
    return {"truncated": body[:-1], "longer": body + b"x", "cut": body[:middle], "empty": b""}[what]


@pytest.mark.parametrize("way", ["by URL", "through the cluster"])
def test_bytes_that_are_not_those_that_were_stored_are_never_good(
    fetching: Fetching, tmp_path: Path, way: str
) -> None:
    # Small ones: what is changed lies in every part of the format.
    made = fetching.backup(contents={("shop",): SHOP[:200_000], ("other",): GLOBALS})
    stored, other = made.keys
    client, key = fetching.s3.client(), fetching.key()
    through = ["--through-cluster"] if way != "by URL" else []
    bodies = {
        what: changed(made.stored[stored], what)
        for what in ("flipped", "header", "truncated", "longer", "cut", "empty")
    }
    bodies["swapped"] = made.stored[other]
    for what, body in bodies.items():
        client.put_object(Bucket=fetching.bucket, Key=stored, Body=body)
        code, out, err = fetching.fetch("-i", key, "--object", "shop.sql", *through)
        assert code == 21, (what, err)
        assert stored in err, (what, err)
        if out:
            assert "must not be used" in err, what
    # Of the same size, and whole by itself.
    encrypted = pyrage.encrypt(b"", [IDENTITY.to_public()])
    assert len(encrypted) < len(made.stored[stored])
    client.delete_object(Bucket=fetching.bucket, Key=stored)
    file = tmp_path / "shop.sql"
    code, _, err = fetching.fetch("-i", key, "--object", "shop.sql", "-o", str(file), *through)
    assert code == 21, err
    assert "is gone" in err
    assert "nothing is left of" in err
    assert list(tmp_path.glob("shop*")) == []


def test_where_the_store_cannot_be_reached_the_cluster_leads_to_it(
    fetching: Fetching, tmp_path: Path
) -> None:
    made = fetching.backup()
    # The laptop is told of an address where nobody listens; the Job that sends has another one.
    with_way = dict(fetching.node.env)

    code, out, err = fetching.fetch("-i", fetching.key(), "--through-cluster")
    assert (code, out == SHOP) == (0, True), err
    [ran] = fetching.node.runs("send")
    wait_until(lambda: ran.is_over, seconds=30, what="the end of the Job")
    assert ran.process.returncode == 0, ran.log
    assert '"message": "send done"' in ran.log
    assert not fetching.node.runs("presign")

    breaks = tmp_path / "broken"
    code, out, err = fetching.fetch(
        "-i", fetching.key(), "--through-cluster", FORWARD_BREAKS=str(breaks)
    )
    assert (code, out == SHOP) == (0, True), err
    assert breaks.exists()

    nobody = with_way | {"BACKEND_S3_ENDPOINT": "http://store.invalid:1"}
    assert made
    assert nobody


def test_ctrl_c_leaves_nothing(fetching: Fetching, tmp_path: Path) -> None:
    [stored] = fetching.backup().keys
    for words in ((), ("--through-cluster",)):
        file = tmp_path / "shop.sql"
        fetching.proxy.set(
            Rule(Hang(of="response"), "GET", f"{stored}$|{stored}.*Signature", nth=2)
        )
        given = ["-i", fetching.key(), "-o", str(file), *words]
        with fetching.start("fetch", fetching.command.owner, *given) as process:
            wait_until(lambda: bool(list(tmp_path.glob("shop*"))), seconds=60, what="the file")
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err.decode()
        assert "Traceback" not in err.decode()
        assert list(tmp_path.glob("shop*")) == []
        fetching.proxy.clear()
    wait_until(
        lambda: all(ran.is_over for ran in fetching.node.ran), seconds=30, what="the Jobs' ends"
    )
