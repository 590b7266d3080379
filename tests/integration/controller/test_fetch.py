"""`ksnapshot fetch` and `keys`: a real API server and S3 server, and Jobs that run as processes.

With the chart's own Role for people and no more.
"""

import random
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from dumpers.contract.names import COMPRESSIONS
from release import command as release
from tests.fakes.node import Node, run_node
from tests.integration.controller.command import HEEDING_CTRL_C, Command, installed
from tests.paths import REPOSITORY
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.cluster.kubeapi import Identity
from tests.testbed.dumper import storage_env
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Hang, Rule, Status
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores.backups import MadeBackup, make_backup
from tests.testbed.stores.s3 import READ, S3Server
from tests.testbed.terminal import run_in_terminal
from tests.testbed.toolchain.processes import wait_until
from tests.testbed.toolchain.require import require_command
from tests.testbed.toolchain.tools import tool

IDENTITY = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()
# Some 1 MiB in the store.
SHOP = b"-- a dump\n" + random.Random(17).randbytes(1 << 20).hex().encode()
GLOBALS = b"CREATE ROLE shop;\n"
PAGE = (REPOSITORY / "docs" / "keys.md").read_text()


class Fetching:
    """The user's command with a bucket, whose store is behind a proxy that fails."""

    def __init__(
        self,
        command: Command,
        who: Identity,
        node: Node,
        proxy: HttpProxy,
        s3: S3Server,
        bucket: str,
    ) -> None:
        self.command = command
        self.who = who
        self.node = node
        self.proxy = proxy
        self.s3 = s3
        self.bucket = bucket

    def backup(self, **options: object) -> MadeBackup:
        given = {
            "contents": {("shop",): SHOP},
            "recipients": (IDENTITY.to_public(),),
            "cluster": self.command.world.cluster(),
            "cronjob": self.command.cronjob()["metadata"]["name"],
            "workload": self.command.owner,
        }
        return make_backup(self.s3, self.bucket, **(given | options))

    def key(self, *identities: object) -> str:
        file = self.command.home / f"key-{secrets.token_hex(3)}.txt"
        file.write_text("".join(f"{identity}\n" for identity in identities or (IDENTITY,)))
        return str(file)

    def environment(self, **more: str) -> dict[str, str]:
        """That of the command, whose `kubectl port-forward` leads to processes of this host."""
        wrapper = self.command.home / "kubectl"
        forwarding = f"{sys.executable} -m tests.fakes.port_forward {tool('kubectl')}"
        if not wrapper.exists():
            wrapper.write_text(f'#!/bin/sh\ncd {REPOSITORY} && exec {forwarding} "$@"\n')
            wrapper.chmod(0o755)
        return self.command.environment(self.who, KSNAPSHOT_KUBECTL=str(wrapper), **more)

    def start(
        self, *words: str, program: tuple[str, ...] = ("-m", "controller"), **env: str
    ) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*HEEDING_CTRL_C, sys.executable, *program, *words],
            env=self.environment(**env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=REPOSITORY,
        )

    def fetch(
        self, *words: str, program: tuple[str, ...] = ("-m", "controller"), **env: str
    ) -> tuple[int, bytes, str]:
        with self.start("fetch", self.command.owner, *words, program=program, **env) as process:
            out, err = process.communicate(timeout=150)
        assert "Traceback" not in err.decode(), err.decode()
        self.no_secret_shows(err.decode())
        return process.returncode, out, err.decode()

    def no_secret_shows(self, text: str) -> None:
        """Neither in what a person sees nor in a Job or its log."""
        jobs = "".join(f"{ran.log}{ran.job}" for ran in self.node.ran)
        for secret in (str(IDENTITY), "AGE-SECRET-KEY-1", "X-Amz-Signature", "Bearer"):
            assert secret not in text + jobs
        assert self.s3.root.secret not in text


@pytest.fixture(scope="module")
def command(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    with installed(apiserver, tmp_path_factory.mktemp("home"), workloads=2) as made:
        yield made


@pytest.fixture(scope="module")
def who(command: Command) -> Identity:
    return command.admin("fetcher")


@pytest.fixture
def fetching(
    command: Command,
    who: Identity,
    s3: S3Server,
    bucket: str,
    faults: Faults,
    tmp_path: Path,
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
        yield Fetching(command, who, node, proxy, s3, bucket)
    command.delete_jobs()
    wait_until(lambda: not command.jobs(), seconds=30, what="no Job")


def reads(fetching: Fetching, key: str) -> list[int | None]:
    """The statuses of the reads of an object, by its presigned URL."""
    return [seen.status for seen in fetching.proxy.settled("GET", f"{key}.*X-Amz-Signature")]


def test_every_command_of_the_page_about_keys(fetching: Fetching, tmp_path: Path) -> None:
    for name, package in (("age", "age"), ("age-keygen", "age"), ("setsid", "util-linux")):
        require_command(name, package)
    folder, programs = tmp_path / "laptop", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    for name, line in (
        ("ksnapshot", f'PYTHONPATH={REPOSITORY} exec {sys.executable} -m controller "$@"'),
        ("psql", "cat > loaded.sql"),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    env = fetching.environment()
    env["PATH"] = f"{programs}:{env['PATH']}"
    commands = re.findall(r"^\$ (.+)$", PAGE, re.MULTILINE)
    assert len(commands) == 8
    shown: dict[str, str] = {}
    for line in commands:
        if "ksnapshot" in line and not fetching.node.ran and not shown.get("stored"):
            own = re.findall("^age1.*$", shown["age-keygen -y key.txt"], re.MULTILINE)[0].strip()
            recipients = (pyrage.x25519.Recipient.from_str(own), IDENTITY.to_public())
            contents = {("shop",): SHOP, ("globals",): GLOBALS}
            fetching.backup(contents=contents, recipients=recipients)
            shown["stored"] = "yes"
        if line.startswith("age -p"):
            (folder / "safe.txt").write_text(f"{IDENTITY}\n")
        meant = line.replace("production/database", fetching.command.owner)
        # Of two databases, the page's reader has one.
        meant = meant.replace(" | psql", " --object shop.sql | psql")
        code, shown[line] = run_in_terminal(meant, env=env, cwd=folder, passphrase="open sesame")
        assert code == 0, (line, shown[line])
    assert (folder / "loaded.sql").read_bytes() == SHOP
    assert (folder / "backup" / "shop.sql").read_bytes() == SHOP
    assert (folder / "backup" / "globals.sql").read_bytes() == GLOBALS
    assert "is there already, and is as it must be" in shown[commands[-1]]
    rows = [text for text in shown["ksnapshot keys -i key.txt"].splitlines() if "shop0" in text]
    assert [("opens" in row, "no backup" in row) for row in sorted(rows)] == [
        (False, True),
        (True, False),
    ]
    assert [ran.verb for ran in fetching.node.ran] == ["headers"] * 2 + ["presign"] * 3
    fetching.no_secret_shows("".join(text for line, text in shown.items() if "ksnapshot" in line))


def test_what_stands_in_the_way_is_told_in_the_last_line(fetching: Fetching) -> None:
    fetching.backup()
    for words, code, why in (
        (("nope", "-i", fetching.key()), 2, "ConfigurationInvalid: there is no backup 'nope'"),
        (("-i", fetching.key(OTHER)), 12, f"is encrypted for {IDENTITY.to_public()}"),
        (("--at", "soon"), 2, "is no time"),
    ):
        found, out, err = fetching.fetch(*words)
        assert (found, out) == (code, b""), err
        assert why in err.splitlines()[-1]
        assert err.splitlines()[-1].startswith("error: ")


def test_a_connection_that_breaks_is_gone_on_with_and_an_expired_url_renewed(
    fetching: Fetching,
) -> None:
    [key] = fetching.backup().keys
    by_url = f"{key}.*X-Amz-Signature"
    expired = b"<Code>AccessDenied</Code><Message>Request has expired</Message>"
    fetching.proxy.set(
        # The first look, then the download, which breaks; then the URL has expired.
        Rule(Cut(after=400_000, reset=False), "GET", by_url, nth=2),
        Rule(Status(403, expired), "GET", by_url, nth=3),
        Rule(Cut(after=400_000), "GET", by_url, nth=4),
        Rule(Status(503), "GET", by_url, nth=5),
    )
    code, out, err = fetching.fetch("-i", fetching.key())
    assert (code, out == SHOP) == (0, True), err
    assert "waiting for the store" in err
    assert len(fetching.node.runs("presign")) == 2
    # The second Job is asked for the very backup that the first one chose.
    assert fetching.node.runs("presign")[1].env["KSNAPSHOT_BACKUP"] == "3f9c0a51b2d4"


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_where_the_store_cannot_be_reached_the_cluster_leads_to_it(
    fetching: Fetching, tmp_path: Path, compression: str
) -> None:
    """By the one-file command, which has no library to decrypt with, nor for Zstandard."""
    for name in ("age", "zstd"):
        require_command(name, name)
    fetching.backup(compression=compression)
    # The port-forward is one of this host's own here; the right to a real one is there.
    asked = [str(tool("kubectl")), "auth", "can-i", "create", "pods", "--subresource=portforward"]
    asked += ["--namespace", fetching.command.world.control]
    subprocess.run(asked, env=fetching.environment(), check=True)
    file, mark = release.build(tmp_path / "ksnapshot"), tmp_path / "broken"
    code, out, err = fetching.fetch(
        *("-i", fetching.key()),
        program=("-I", "-S", str(file)),
        # Nobody listens there, so no URL leads anywhere; what goes to loopback takes no proxy.
        http_proxy="http://127.0.0.1:9",
        FORWARD_BREAKS=str(mark),
    )
    assert (code, out == SHOP) == (0, True), err
    assert "the store cannot be reached from here" in err
    assert mark.exists()
    [ran] = fetching.node.runs("send")
    wait_until(lambda: ran.is_over, seconds=30, what="the end of the Job")
    assert ran.process.returncode == 0, ran.log
    assert '"message": "send done"' in ran.log


def test_ctrl_c_leaves_nothing(fetching: Fetching, tmp_path: Path) -> None:
    [key] = fetching.backup().keys
    for words in ((), ("--through-cluster",)):
        file = tmp_path / "shop.sql"
        # By URL, the first read is a look.
        fetching.proxy.set(Rule(Hang(of="response"), "GET", key, nth=1 if words else 2))
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
        lambda: all(ran.is_over for ran in fetching.node.ran), seconds=60, what="the Jobs' ends"
    )
