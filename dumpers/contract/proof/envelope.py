"""The form of a proof: an in-toto Statement, and around a signed one a DSSE envelope.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md and
https://github.com/secure-systems-lab/dsse/blob/master/envelope.md
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
# Names the members of the predicate that docs/proof.md describes; others mean another name.
PREDICATE_TYPE = "https://github.com/clickandmortar/ksnapshot/backup-proof/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature of `signed_bytes`; `key_id` is the sha256 of the public key, as hex."""

    key_id: str
    value: bytes

    def to_document(self) -> Mapping[str, str]:
        """The signature as an envelope has it."""
        return {"keyid": self.key_id, "sig": base64.b64encode(self.value).decode()}

    @classmethod
    def from_document(cls, document: object) -> "Signature":
        """Read one of an envelope's signatures; ValueError where it is none."""
        match document:
            case {"sig": str() as value, **others}:
                return cls(key_id=str(others.get("keyid") or ""), value=_bytes_of(value))
        raise ValueError("a signature of it is none")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedStatement:
    """A Statement as it was written, byte by byte, and its signatures, which may be none."""

    payload: bytes
    signatures: Sequence[Signature] = ()

    def to_json(self) -> bytes:
        """The envelope of a signed Statement, or the bare Statement, with a line end."""
        if not self.signatures:
            return self.payload + b"\n"
        envelope = {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(self.payload).decode(),
            "signatures": [item.to_document() for item in self.signatures],
        }
        return json.dumps(envelope).encode() + b"\n"

    @classmethod
    def from_json(cls, body: bytes) -> "SignedStatement":
        """Read what `to_json` wrote; ValueError says what it is not."""
        document = _object(body)
        if "payloadType" not in document:
            return cls(payload=body.removesuffix(b"\n"))
        match document:
            case {"payloadType": str() as kind} if kind != PAYLOAD_TYPE:
                raise ValueError(f"it is an envelope of {kind[:60]!r}, and not of {PAYLOAD_TYPE}")
            case {"payload": str() as payload, "signatures": [*signatures]} if signatures:
                return cls(
                    payload=_bytes_of(payload),
                    signatures=[Signature.from_document(item) for item in signatures],
                )
        raise ValueError("it is an envelope without payload or signatures")

    @property
    def statement(self) -> Mapping[str, Any]:
        """The Statement; ValueError where the payload is none of ours."""
        document = _object(self.payload)
        kinds = document.get("_type"), document.get("predicateType")
        if kinds != (STATEMENT_TYPE, PREDICATE_TYPE):
            shown = " and ".join(repr(kind)[:80] for kind in kinds)
            raise ValueError(f"it is no proof that this version knows: its types are {shown}")
        return document


def signed_bytes(payload: bytes) -> bytes:
    """What is signed of a payload: DSSE's pre-authentication encoding (PAE), version 1."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON: {type(error).__name__}") from error
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004  one kind of error for what is none
    return document


def _bytes_of(text: str) -> bytes:
    """Decode base64, also that for URLs: DSSE allows either."""
    plain = text.translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(f"a part of it is no base64: {error}") from error
