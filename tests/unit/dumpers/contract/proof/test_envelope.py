"""The envelope is DSSE's to the byte, and what is none is refused with a reason."""

import base64
import json

import pytest

from dumpers.contract.proof.envelope import (
    PAYLOAD_TYPE,
    PREDICATE_TYPE,
    STATEMENT_TYPE,
    Signature,
    SignedStatement,
    signed_bytes,
)

PAYLOAD = json.dumps({"_type": STATEMENT_TYPE, "predicateType": PREDICATE_TYPE}).encode()


def test_what_is_signed_is_dsses_encoding_of_lengths_in_bytes() -> None:
    assert signed_bytes(b"hello world") == (
        b"DSSEv1 28 application/vnd.in-toto+json 11 hello world"
    )
    assert signed_bytes("é".encode()) == b"DSSEv1 28 application/vnd.in-toto+json 2 \xc3\xa9"
    assert signed_bytes(b"") == b"DSSEv1 28 application/vnd.in-toto+json 0 "


def test_a_signed_statement_is_an_envelope_and_comes_back_to_the_byte() -> None:
    signed = SignedStatement(payload=PAYLOAD, signatures=(Signature(key_id="k", value=b"\xff>"),))
    envelope = json.loads(signed.to_json())
    assert set(envelope) == {"payloadType", "payload", "signatures"}
    assert envelope["payloadType"] == PAYLOAD_TYPE
    assert base64.b64decode(envelope["payload"]) == PAYLOAD
    assert envelope["signatures"] == [{"keyid": "k", "sig": "/z4="}]
    again = SignedStatement.from_json(signed.to_json())
    assert (again.payload, list(again.signatures)) == (PAYLOAD, list(signed.signatures))
    # Base64 for URLs, and without its end, is allowed.
    envelope["signatures"][0]["sig"] = "_z4"
    assert SignedStatement.from_json(json.dumps(envelope).encode()).signatures[0].value == b"\xff>"


def test_an_unsigned_statement_is_the_statement_itself() -> None:
    signed = SignedStatement(payload=PAYLOAD)
    assert json.loads(signed.to_json()) == signed.statement
    assert SignedStatement.from_json(signed.to_json()) == signed


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no JSON object"),
        (b'{"payloadType": "text/plain", "payload": "", "signatures": []}', "text/plain"),
        (b'{"payloadType": "application/vnd.in-toto+json", "payload": "e30="}', "without payload"),
        (
            b'{"payloadType": "application/vnd.in-toto+json", "payload": "e30=", "signatures": []}',
            "without payload or signatures",
        ),
        (
            b'{"payloadType":"application/vnd.in-toto+json","payload":"!","signatures":[{"sig":""}]}',
            "no base64",
        ),
        (
            b'{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{}]}',
            "a signature of it is none",
        ),
    ],
)
def test_what_is_no_proof_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        SignedStatement.from_json(body)


@pytest.mark.parametrize(
    "payload",
    [b"{}", PAYLOAD.replace(b"backup-proof/v1", b"backup-proof/v2"), b'{"_type": 1}'],
)
def test_a_statement_of_another_kind_is_none_of_ours(payload: bytes) -> None:
    with pytest.raises(ValueError, match="no proof that this version knows"):
        _ = SignedStatement.from_json(payload).statement
