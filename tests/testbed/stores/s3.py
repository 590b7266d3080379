"""An S3 server (versitygw on a folder), strict where AWS is strict."""

import json
import os
import secrets
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config

from tests.testbed.toolchain import pki, processes, scratch
from tests.testbed.toolchain.tools import tool

REGION = "us-east-1"
READ = ("s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation")
WRITE = (
    "s3:PutObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:ListBucketMultipartUploads",
)
DELETE = ("s3:DeleteObject",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What a client signs its requests with."""

    access: str
    secret: str = field(repr=False)

    def env(self) -> dict[str, str]:
        """The variables that every AWS client reads."""
        return {"AWS_ACCESS_KEY_ID": self.access, "AWS_SECRET_ACCESS_KEY": self.secret}


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """A running server; a context manager."""

    port: int
    root: Keys
    ca: Path | None
    """The CA file to trust, where the server speaks TLS."""
    region: str = REGION
    _start: Callable[[], processes.Server]
    _processes: list[processes.Server]
    """Those that were started, the last of which runs."""
    _folder: Path
    _clients: list[Any] = field(default_factory=list, repr=False)
    """The one for what is asked here, once it was needed: making one takes longer than asking."""

    @property
    def endpoint(self) -> str:
        return f"{'https' if self.ca else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._processes[-1].stop()
        for client in self._clients:
            client.close()
        scratch.remove(self._folder)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Kill the server and, afterwards, start it again with the same port and data."""
        self._processes[-1].kill()
        try:
            yield
        finally:
            self._processes.append(self._start())

    def client(
        self, keys: Keys | None = None, *, endpoint: str | None = None, ca: Path | None = None
    ) -> Any:
        """A boto3 client; `endpoint` leads it through a fault proxy (whose TLS is `ca`'s)."""
        keys = keys or self.root
        return boto3.client(
            "s3",
            endpoint_url=endpoint or self.endpoint,
            region_name=self.region,
            aws_access_key_id=keys.access,
            aws_secret_access_key=keys.secret,
            verify=str(ca) if (ca := ca or self.ca) else None,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                # No proxy of the environment stands between a test and its loopback server.
                proxies={},
                # Over TLS the checksum would be a trailer of a chunked body, whose end the server
                # may take for the next request where it comes late.
                request_checksum_calculation="when_required",
            ),
        )

    def _root(self) -> Any:
        """Root's client of the server itself, from any thread."""
        if not self._clients:
            self._clients.append(self.client())
        return self._clients[0]

    def create_bucket(self, name: str, *, versions: bool = False, locks: bool = False) -> str:
        """An empty bucket, owned by root; one with locks keeps versions, too."""
        client = self._root()
        client.create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if locks else {}))
        if versions or locks:
            enabled = {"Status": "Enabled"}
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration=enabled)
        return name

    def create_user(self, name: str) -> Keys:
        """A user who may do nothing until `allow` says otherwise."""
        keys = Keys(access=name, secret=secrets.token_hex(20))
        command: list[str | Path] = [tool("versitygw"), "admin"]
        command += ["--endpoint-url", self.endpoint]
        command += ["--access", self.root.access, "--secret", self.root.secret]
        command += ["--region", self.region, *(["--allow-insecure"] if self.ca else [])]
        command += ["create-user", "--role", "user", "--access", name, "--secret", keys.secret]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"versitygw admin create-user: {done.stdout}{done.stderr}")
        return keys

    def allow(self, bucket: str, rights: Mapping[str, Sequence[str]]) -> None:
        """Replaces the bucket's policy: user name to all the actions this user may do."""
        self.set_policy(
            bucket,
            {
                user: [
                    {"Effect": "Allow", "Action": [action], "Resource": _resource(bucket, action)}
                    for action in actions
                ]
                for user, actions in rights.items()
            },
        )

    def set_policy(self, bucket: str, users: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Replaces the bucket's policy: user name to the statements on this user."""
        statements = [
            {**statement, "Principal": {"AWS": [user]}}
            for user, listed in users.items()
            for statement in listed
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self._root().put_bucket_policy(Bucket=bucket, Policy=policy)

    def objects(self, bucket: str, prefix: str = "") -> dict[str, int]:
        """Every key under the prefix with its size in bytes."""
        pages = self._root().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def uploads(self, bucket: str, prefix: str = "") -> list[tuple[str, str]]:
        """Key and id of each multipart upload that was neither completed nor aborted."""
        pages = (
            self._root()
            .get_paginator("list_multipart_uploads")
            .paginate(Bucket=bucket, Prefix=prefix)
        )
        return [
            (item["Key"], item["UploadId"]) for page in pages for item in page.get("Uploads", [])
        ]

    def read(self, bucket: str, key: str) -> bytes:
        """An object's whole content."""
        body: bytes = self._root().get_object(Bucket=bucket, Key=key)["Body"].read()
        return body


def start(*, tls: bool = False) -> S3Server:
    """A fresh server on a free loopback port, ready in about a second."""
    program = tool("versitygw")
    folder = scratch.make("s3")
    port = processes.free_port()
    root = Keys(access="root" + secrets.token_hex(4), secret=secrets.token_hex(20))
    command: list[str | Path] = [program, "--port", f"127.0.0.1:{port}", "--region", REGION]
    command += ["--health", "/health", "--quiet", "--keep-alive", "--iam-dir", folder / "iam"]
    ca: Path | None = None
    if tls:
        authority = pki.authority(folder / "pki")
        pair = authority.server("s3")
        command += ["--cert", pair.cert, "--key", pair.key]
        ca = authority.pair.cert
    for name in ("iam", "data", "versions"):
        (folder / name).mkdir()
    command += ["posix", "--versioning-dir", folder / "versions"]
    if not _has_attributes(folder / "data"):
        (folder / "attributes").mkdir()
        command += ["--sidecar", folder / "attributes"]
    command.append(folder / "data")
    env = {"ROOT_ACCESS_KEY": root.access, "ROOT_SECRET_KEY": root.secret}
    # One listening socket tells enough where TLS would need the CA.
    health = (lambda: processes.listens(port)) if tls else (lambda: _healthy(port))

    def run() -> processes.Server:
        return processes.start("versitygw", command, log=folder / "log", ready=health, env=env)

    return S3Server(port=port, root=root, ca=ca, _start=run, _processes=[run()], _folder=folder)


def _resource(bucket: str, action: str) -> str:
    """Rights on the bucket itself and on its objects name different resources, as on AWS."""
    on_bucket = {"s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"}
    return f"arn:aws:s3:::{bucket}" + ("" if action in on_bucket else "/*")


def _healthy(port: int) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _has_attributes(folder: Path) -> bool:
    try:
        os.setxattr(folder, "user.ksnapshot", b"1")
    except OSError:
        return False
    os.removexattr(folder, "user.ksnapshot")
    return True
