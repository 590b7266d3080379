"""`compression: zstd`: a real PostgreSQL, a real S3 server, and the `zstd` of the distribution."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pyrage
import pytest

from controller.client.fetch.unpacking import by_program, find_unpacking
from dumpers.runtime.errors import BackupDamagedError, ExitCode, KsnapshotError
from dumpers.streams.reader import IterReader
from dumpers.streams.zstd import load_zstd
from tests.integration.dumpers.test_backup import FINGERPRINT, SCHEMA
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.restorer import Restorer, look
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.require import require_command

IDENTITY = pyrage.x25519.Identity.generate()
# Several of the library's windows: what is to be unpacked with little memory has to be larger.
LARGE = "CREATE TABLE large AS SELECT n, md5(n::text) FROM generate_series(1, 250000) AS n;"


def stock(program: str, stored: bytes, *options: str) -> bytes:
    """What the program makes of it, without any option about memory."""
    done = subprocess.run([program, *options], input=stored, capture_output=True, check=True)
    return done.stdout


def manifest_of(s3: S3Server, bucket: str, record: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(s3.read(bucket, f"{record}manifest.json"))
    return document


@pytest.mark.parametrize("form", ["plain", "custom"])
@pytest.mark.parametrize("encrypted", [True, False], ids=["encrypted", "clear"])
def test_stock_zstd_unpacks_what_we_restore_and_verify(
    dumper: Dumper,
    postgres: PostgresServer,
    s3: S3Server,
    bucket: str,
    database: str,
    copy: str,
    form: str,
    *,
    encrypted: bool,
) -> None:
    zstd, age = require_command("zstd", "zstd"), require_command("age", "age")
    postgres.psql(SCHEMA + LARGE, database)
    dumper.env |= {"KSNAPSHOT_FORMAT": form, "KSNAPSHOT_VERIFY": "read-back"}
    if encrypted:
        recipient = str(IDENTITY.to_public())
        dumper.env |= {"ENCRYPTION_ENABLED": "true", "ENCRYPTION_RECIPIENT": recipient}
    before = dumper.run()
    ended = dumper.run(KSNAPSHOT_COMPRESSION="zstd")
    assert before.exit_code == ended.exit_code == ExitCode.DONE, ended.log
    # What one and the same CronJob left before stays what it is.
    for run, compression, suffix in ((before, "gzip", "gz"), (ended, "zstd", "zst")):
        [key] = run.result.keys
        ending = {"plain": "sql", "custom": "dump"}[form]
        assert key.endswith(f".{ending}.{suffix}{'.age' if encrypted else ''}")
        assert manifest_of(s3, bucket, run.result.record)["compression"] == compression
    assert ended.result.stored_bytes < before.result.stored_bytes

    stored = s3.read(bucket, key)
    if encrypted:
        key_file = dumper.folder / "key.txt"
        key_file.write_text(str(IDENTITY))
        stored = stock(age, stored, "--decrypt", "--identity", str(key_file))
    [item] = manifest_of(s3, bucket, ended.result.record)["objects"]
    plain = stock(zstd, stored, "-d")
    assert (len(plain), hashlib.sha256(plain).hexdigest()) == (
        item["source_size"],
        item["source_sha256"],
    )
    packed = dumper.folder / "packed.zst"
    packed.write_bytes(stored)
    shown = subprocess.run([zstd, "-lv", packed], capture_output=True, text=True, check=True)
    assert "Check: XXH64" in shown.stdout

    restorer = Restorer.of(dumper, database=copy, identity=f"{IDENTITY}\n" if encrypted else "")
    restored = restorer.run()
    assert restored.reader.exit_code == ExitCode.DONE, restored.logs
    assert postgres.psql(FINGERPRINT, copy) == postgres.psql(FINGERPRINT, database)
    restorer.close()

    key_variable = {"KSNAPSHOT_IDENTITY_FILE": str(key_file)} if encrypted else {}
    found = look(dumper, "verify", KSNAPSHOT_BACKUP="latest", **key_variable)
    assert found.exit_code == ExitCode.DONE, found.log
    [told] = [name for name in s3.objects(bucket) if f"{ended.result.record}verified-" in name][-1:]
    assert json.loads(s3.read(bucket, told))["method"] == "decoded"


def test_the_program_finds_what_was_changed_as_the_library_does(tmp_path: Path) -> None:
    program = require_command("zstd", "zstd")
    library = load_zstd()
    parameter = library.CompressionParameter
    data = hashlib.sha256(b"").digest() * 40_000 + bytes(range(256)) * 20
    made = library.compress(data, options={parameter.checksum_flag: 1})
    flipped = bytearray(made)
    flipped[len(made) // 2] ^= 1
    window = library.ZstdCompressor(options={parameter.window_log: 24})
    wide = window.compress(bytes(20 << 20)) + window.flush()
    for unpack in (by_program(program), find_unpacking("zstd")):

        def read(stored: bytes, unpack: Any = unpack) -> bytes:
            with unpack(IterReader(iter([stored[:1000], stored[1000:]]))) as reader:
                return b"".join(iter(reader.read, b""))

        assert read(made) == data
        assert read(library.compress(b"", options={parameter.checksum_flag: 1})) == b""
        for damaged in (
            b"",
            made[:-1],
            made[:100],
            bytes(flipped),
            made + b"x" * 20,
            b"none",
            wide,
        ):
            with pytest.raises(BackupDamagedError, match="compressed bytes"):
                read(damaged)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_done_here_is_told_before_anything_is_downloaded() -> None:
    with pytest.raises(KsnapshotError, match=r"by 'lzma'.*or --stored"):
        find_unpacking("lzma")
