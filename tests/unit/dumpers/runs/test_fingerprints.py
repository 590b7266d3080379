import hashlib
import json

from dumpers.contract.fingerprint import Fingerprint, TableDigest
from dumpers.repository.record_json import write_record
from dumpers.repository.records import FingerprintRecord, ObjectFingerprint
from dumpers.runs.fingerprints import fingerprints_in

TABLES = {"t": TableDigest(digest="aa", rows=1)}
BODY = write_record(
    FingerprintRecord(
        run="r",
        objects=(ObjectFingerprint(key="k", algorithm="a", tables=TABLES, rest="bb"),),
    )
)


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def test_the_named_record_is_read() -> None:
    assert fingerprints_in(BODY, sha256=sha256(BODY)) == {
        "k": Fingerprint(algorithm="a", tables=TABLES, rest="bb")
    }


def test_another_record_is_none() -> None:
    assert fingerprints_in(BODY + b" ", sha256=sha256(BODY)) is None
    other = b"no record"
    assert fingerprints_in(other, sha256=sha256(other)) is None


def test_a_record_of_a_later_form_knows_nothing() -> None:
    later = json.dumps(json.loads(BODY) | {"format": 2}).encode()
    assert fingerprints_in(later, sha256=sha256(later)) == {}
    assert fingerprints_in(later, sha256=sha256(BODY)) is None
