"""How a proof comes out of its Job: through the log, which is for lines, and may be cut.

The Statement is compressed and cut into lines of JSON. What arrives is it to the byte, or an error:
a signature counts for these bytes, and for none that somebody put together again.
"""

import base64
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dumpers.contract.proof.envelope import Signature, SignedStatement

# The member that marks the documents, and their kinds.
PROOF = "proof"
READING, PART, END = "reading", "part", "end"
# A container's runtime cuts lines of more than 16 KiB.
_LINE_BYTES = 6000


def deliver(signed: SignedStatement) -> Iterator[Mapping[str, Any]]:
    """Yield the documents that `receive` puts together again: parts, and the end."""
    packed = zlib.compress(signed.payload, 9)
    starts = range(0, len(packed), _LINE_BYTES)
    for number, start in enumerate(starts):
        data = base64.b64encode(packed[start : start + _LINE_BYTES]).decode()
        yield {PROOF: PART, "number": number, "data": data}
    yield {
        PROOF: END,
        "parts": len(starts),
        "bytes": len(signed.payload),
        "sha256": hashlib.sha256(signed.payload).hexdigest(),
        "signatures": [item.to_document() for item in signed.signatures],
    }


def receive(documents: Iterable[Mapping[str, Any]]) -> SignedStatement:
    """Put together what a Job delivered; ValueError says what of it is missing."""
    parts: list[Mapping[str, Any]] = []
    end: Mapping[str, Any] | None = None
    for document in documents:
        if document[PROOF] == PART:
            parts.append(document)
        elif document[PROOF] == END:
            end = document
    if end is None:
        raise ValueError(f"the end is missing, behind {len(parts)} parts")
    match end:
        case {
            "parts": int() as count,
            "bytes": int() as length,
            "sha256": str() as digest,
            "signatures": [*signed],
        } if length > 0:
            pass
        case _:
            raise ValueError("its end does not say how much there is of it")
    if len(parts) != count or [item.get("number") for item in parts] != list(range(len(parts))):
        raise ValueError(f"of {count} parts {len(parts)} arrived")
    unpacker = zlib.decompressobj()
    try:
        packed = b"".join(base64.b64decode(item["data"], validate=True) for item in parts)
        payload = unpacker.decompress(packed, length)
    except (KeyError, ValueError, TypeError, OverflowError, zlib.error) as error:
        raise ValueError(f"a part of it is damaged: {error}") from error
    if hashlib.sha256(payload).hexdigest() != digest:
        raise ValueError("it is not what was sent: the sha256 differs")
    signatures = [Signature.from_document(item) for item in signed]
    return SignedStatement(payload=payload, signatures=signatures)
