"""What was proved, as its Job says it: of real runs, in a real store, signed with a real key."""

import base64
import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from controller.client.proof.page_words import COMMANDS
from dumpers.contract.proof.delivery import receive
from dumpers.contract.proof.envelope import PAYLOAD_TYPE, SignedStatement, signed_bytes
from dumpers.repository.added_records import Restoration
from dumpers.repository.keys import Run
from dumpers.repository.record_json import make_tombstone, write_record
from dumpers.repository.records import Removal, Tombstone
from dumpers.runs.proof.signing import read_signing_key, sign
from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.verify.verified_world import CLUSTER, CRONJOB, NOW, World
from tests.testbed.dumper import Dumper, storage_env
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Rule, Status
from tests.testbed.restorer import Looked, look
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.require import require_command
from tests.unit.dumpers.repository.proof.drilled import drill

# Everything that these tests store began by then.
LONG = "50y"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A private key and its public one, as an admin makes them."""
    folder = tmp_path_factory.mktemp("keys")
    private, public = folder / "key.pem", folder / "public.pem"
    _openssl("genpkey", "-algorithm", "ed25519", "-out", str(private))
    _openssl("pkey", "-in", str(private), "-pubout", "-out", str(public))
    return private, public


def _openssl(*arguments: str, check: bool = True) -> int:
    return subprocess.run(["openssl", *arguments], check=check, capture_output=True).returncode


@pytest.fixture
def world(s3: S3Server, bucket: str, tmp_path: Path) -> World:
    return World(s3=s3, bucket=bucket, folder=tmp_path)


@pytest.fixture
def job(world: World) -> Dumper:
    return Dumper(
        folder=world.folder,
        env={
            **storage_env(world.s3, world.bucket),
            "BACKEND_S3_PATIENCE": "1",
            "KSNAPSHOT_CLUSTER": CLUSTER,
            "KSNAPSHOT_CRONJOB": CRONJOB,
            "KSNAPSHOT_PROOF_SINCE": LONG,
            "HOSTNAME": "pod",
        },
    )


def prove(dumper: Dumper, **changes: str) -> SignedStatement:
    done = look(dumper, "prove", **changes)
    assert done.exit_code == ExitCode.DONE, done.log
    return received(done)


def received(done: Looked) -> SignedStatement:
    return receive([item for item in done.documents if item["proof"] != "reading"])


def backups(signed: SignedStatement) -> dict[str, Any]:
    """The runs of the only CronJob, by their ids."""
    [workload] = signed.statement["predicate"]["workloads"]
    return {item["id"]: item for item in workload["backups"]}


def record(world: World, run: Run, name: str, body: bytes) -> None:
    world.put(f"{run.record_prefix}{name}", body)


def test_a_real_dump_that_was_verified_is_proved_and_signed(
    dumper: Dumper, s3: S3Server, bucket: str, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    dumped = dumper.run()
    assert dumped.exit_code == ExitCode.DONE, dumped.log
    assert look(dumper, "verify", KSNAPSHOT_BACKUP="latest").exit_code == ExitCode.DONE
    private, public = keys
    signed = prove(
        dumper, KSNAPSHOT_SIGNING_KEY_FILE=str(private), KSNAPSHOT_REQUESTED_BY="ada@example.org"
    )

    # What is said: of these bytes, with these proofs.
    statement = signed.statement
    [subject] = statement["subject"]
    manifest = s3.read(bucket, subject["name"])
    assert subject["digest"] == {"sha256": hashlib.sha256(manifest).hexdigest()}
    [backup] = backups(signed).values()
    assert backup["manifest"] == subject["name"] == dumped.result.record + "manifest.json"
    assert (backup["state"], backup["grade"]) == ("complete", "read")
    assert backup["stored_bytes"] == dumped.result.stored_bytes
    stored, read = backup["proofs"]
    assert (stored["kind"], stored["good"], stored["record"]) == ("stored", True, "manifest.json")
    assert (read["kind"], read["good"], read["method"]) == ("read", True, "decoded")
    verdict = s3.read(bucket, dumped.result.record + read["record"])
    assert read["sha256"] == hashlib.sha256(verdict).hexdigest()
    predicate = statement["predicate"]
    assert (predicate["requested_by"], predicate["bucket"]) == ("ada@example.org", bucket)
    assert predicate["workloads"][0]["workload"] == "demo/db"

    # Who says it: the envelope, with stock tools.
    written = tmp_path / "proof.json"
    written.write_bytes(signed.to_json())
    envelope = json.loads(written.read_bytes())
    assert envelope["payloadType"] == PAYLOAD_TYPE
    payload = base64.b64decode(envelope["payload"])
    [signature] = envelope["signatures"]
    der = tmp_path / "public.der"
    _openssl("pkey", "-pubin", "-in", str(public), "-outform", "DER", "-out", str(der))
    assert signature["keyid"] == hashlib.sha256(der.read_bytes()).hexdigest()
    key = load_pem_public_key(public.read_bytes())
    key.verify(base64.b64decode(signature["sig"]), signed_bytes(payload))  # type: ignore[union-attr, call-arg]  # an ed25519 key
    pae, sig = tmp_path / "pae", tmp_path / "sig"
    sig.write_bytes(base64.b64decode(signature["sig"]))
    verify = ("pkeyutl", "-verify", "-pubin", "-inkey", str(public), "-rawin")
    checking = (*verify, "-in", str(pae), "-sigfile", str(sig))
    # As docs/proof.md builds it, with no line of ours.
    kind = PAYLOAD_TYPE
    pae.write_bytes(f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload)
    assert _openssl(*checking, check=False) == 0

    # A changed byte is no longer signed.
    changed = payload.replace(b'"read"', b'"reaD"', 1)
    assert changed != payload
    pae.write_bytes(f"DSSEv1 {len(kind)} {kind} {len(changed)} ".encode() + changed)
    assert _openssl(*checking, check=False) != 0
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(signature["sig"]), signed_bytes(changed))  # type: ignore[union-attr, call-arg]  # likewise
    assert private.read_text().splitlines()[1] not in (tmp_path / "log").read_text()


def test_the_lines_that_the_page_shows_check_a_document(
    keys: tuple[Path, Path], tmp_path: Path
) -> None:
    private, public = keys
    payload = b'{"_type":"\xc3\xa9", "a": 1}'
    signed = sign(payload, read_signing_key(str(private)))
    written = tmp_path / "proof.json"
    written.write_bytes(signed.to_json())
    shutil.copy(public, tmp_path / "public.pem")
    require_command("jq", "jq")
    script = ["bash", "-ec", "\n".join(COMMANDS)]
    done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Signature Verified Successfully" in done.stdout
    assert hashlib.sha256(payload).hexdigest() in done.stdout
    written.write_bytes(replace(signed, payload=payload.replace(b"1", b"2")).to_json())
    refused = subprocess.run(script, cwd=tmp_path, capture_output=True, check=False)
    assert refused.returncode != 0


def test_everything_that_was_found_out_is_said_also_what_is_no_proof(
    world: World, job: Dumper
) -> None:
    runs = {days: world.backup(days) for days in range(1, 8)}
    when = f"{NOW:%Y%m%dT%H%M%SZ}"
    world.verify_one("d1")
    record(world, runs[2], f"drilled-{when}.json", drill("d2"))
    # One that failed after one that went well counts.
    record(world, runs[3], "drilled-20260101T000000Z.json", drill("d3"))
    record(world, runs[3], f"drill-failed-{when}.json", drill("d3", good=False))
    restoration = Restoration(
        run="d4",
        started=NOW,
        finished=NOW.replace(minute=5),
        by="ada",
        target="db:5432/shop",
        mode="new",
        reason="Succeeded",
        message="",
        target_partial=False,
    )
    record(world, runs[4], f"restored-{when}.json", write_record(restoration))
    # Of another run, as somebody might copy it here.
    record(world, runs[5], f"drilled-{when}.json", drill("d2"))
    record(world, runs[6], f"verified-{when}.json", b"{not json")
    manifest = world.s3.read(world.bucket, runs[7].manifest_key)
    buried = make_tombstone(manifest, removal=Removal.PRUNED, removed=NOW)
    assert isinstance(buried, Tombstone)
    world.put(runs[7].manifest_key, write_record(buried))

    signed = prove(job)
    assert not signed.signatures
    found = backups(signed)
    grades = {id_: item["grade"] for id_, item in found.items()}
    assert grades == {
        "d1": "read",
        "d2": "drilled",
        "d3": "none",
        "d4": "stored",
        "d5": "stored",
        "d6": "stored",
        "d7": "none",
    }
    told = found["d2"]["proofs"][-1]
    assert (told["tables"], told["restore_seconds"], told["image"]) == (1, 41.5, "postgres:17")
    assert [item["good"] for item in found["d3"]["proofs"]] == [True, True, False]
    restored = found["d4"]["proofs"][-1]
    assert (restored["by"], restored["seconds"], restored["good"]) == ("ada", 300.0, True)
    copied = found["d5"]["proofs"][-1]
    assert (copied["good"], copied["why"]) == (None, "this record is that of another run")
    broken = found["d6"]["proofs"][-1]
    assert broken["good"] is None
    assert "cannot be read" in broken["why"]
    assert (found["d7"]["state"], found["d7"]["manifest"]) == ("pruned", None)
    names = [item["name"] for item in signed.statement["subject"]]
    assert names == [runs[days].manifest_key for days in range(6, 0, -1)]


def test_the_period_the_cronjob_and_the_namespace_choose(world: World, job: Dumper) -> None:
    for days in (0, 30, 400):
        world.backup(days)
    old = world.backup(500)
    other = replace(old, cronjob="other", id="o1")
    body = world.s3.read(world.bucket, old.manifest_key)
    world.put(other.manifest_key, body)
    everything = prove(job, KSNAPSHOT_LIST_SCOPE="cluster").statement["predicate"]
    assert {item["cronjob"] for item in everything["workloads"]} == {CRONJOB, "other"}
    for namespace, count in (("demo", 2), ("elsewhere", 0)):
        signed = prove(job, KSNAPSHOT_LIST_SCOPE="cluster", KSNAPSHOT_PROOF_NAMESPACE=namespace)
        assert len(signed.statement["predicate"]["workloads"]) == count
    # Nobody knows whose these are: they are not left out.
    unknown = replace(old, cronjob="unknown", id="u1")
    world.put(unknown.manifest_key, b"{not json")
    signed = prove(job, KSNAPSHOT_LIST_SCOPE="cluster", KSNAPSHOT_PROOF_NAMESPACE="elsewhere")
    [left] = signed.statement["predicate"]["workloads"]
    assert (left["cronjob"], left["workload"]) == ("unknown", "")
    # The clock of the Job is the real one, which may be whatever: a period that holds nothing.
    none = prove(job, KSNAPSHOT_PROOF_SINCE="0h")
    [workload] = none.statement["predicate"]["workloads"]
    newer = sum(
        item["started"] > none.statement["predicate"]["since"] for item in workload["backups"]
    )
    assert workload["older_runs"] + newer == 4
    assert len(none.statement["subject"]) == newer


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "is not there"),
        (b"", "no private key in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", "no private key"),
        ("rsa", "another kind than ed25519"),
        ("encrypted", "without a passphrase"),
    ],
)
def test_a_key_that_cannot_sign_signs_nothing_and_is_not_shown(
    world: World, job: Dumper, content: "bytes | str | None", why: str
) -> None:
    world.backup(1)
    path = world.folder / "key.pem"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "rsa":
        _openssl("genpkey", "-algorithm", "rsa", "-out", str(path))
    elif content == "encrypted":
        kind = ("-algorithm", "ed25519", "-aes256", "-pass", "pass:x")
        _openssl("genpkey", *kind, "-out", str(path))
    done = look(job, "prove", KSNAPSHOT_SIGNING_KEY_FILE=str(path))
    assert (done.exit_code, done.documents) == (ExitCode.CONFIGURATION, [])
    assert why in done.result.message
    assert "openssl genpkey -algorithm ed25519" in done.result.message
    assert "c2VjcmV0" not in done.log + done.result.message


def test_what_cannot_be_read_is_never_left_out(world: World, job: Dumper, faults: Faults) -> None:
    world.backup(1)
    world.verify_one("d1")
    proxy = faults.http(world.s3.port)
    job.env["BACKEND_S3_ENDPOINT"] = proxy.url
    for place in ("list-type", "manifest.json", "verified-"):
        proxy.set(Rule(Status(503), "GET", place))
        done = look(job, "prove")
        assert done.exit_code == ExitCode.STORAGE_FAILED, done.log
        assert all(item["proof"] == "reading" for item in done.documents)
    proxy.clear()
    assert backups(prove(job))["d1"]["grade"] == "read"
    for wrong in ("soon", "3000y"):
        assert look(job, "prove", KSNAPSHOT_PROOF_SINCE=wrong).exit_code == ExitCode.CONFIGURATION
