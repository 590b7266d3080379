"""A proof arrives as it was sent, whatever its size, or it is an error."""

import base64
import json
import random
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.contract.proof.delivery import deliver, receive
from dumpers.contract.proof.envelope import Signature, SignedStatement

NOISE = random.Random(1).randbytes(20_000)
SIGNED = SignedStatement(payload=NOISE, signatures=[Signature(key_id="k", value=b"s" * 64)])
# A container's runtime cuts lines there.
LINE = 16_384


@given(st.binary(min_size=1, max_size=50_000))
def test_what_is_delivered_is_received(payload: bytes) -> None:
    signed = SignedStatement(payload=payload, signatures=SIGNED.signatures)
    documents = [json.loads(json.dumps(item)) for item in deliver(signed)]
    assert receive(documents) == signed


def test_no_line_is_longer_than_a_runtime_leaves_whole() -> None:
    documents = list(deliver(SIGNED))
    assert len(documents) == 5
    assert max(len(json.dumps(item)) for item in documents) < LINE


_BOMB = base64.b64encode(zlib.compress(bytes(50_000_000))).decode()


def _last(documents: list[dict[str, Any]], **changes: Any) -> None:
    documents[-1] |= changes


_UNSAID = "its end does not say how much there is of it"

_LOSSES: dict[str, tuple[Callable[[list[dict[str, Any]]], object], str]] = {
    "the end": (lambda documents: documents.pop(), "the end is missing, behind 4 parts"),
    "a part": (lambda documents: documents.pop(1), "of 4 parts 3 arrived"),
    "twice": (lambda documents: documents.insert(1, documents[0]), "of 4 parts 5 arrived"),
    "order": (lambda documents: documents.insert(0, documents.pop(1)), "of 4 parts 4 arrived"),
    "no base64": (lambda documents: documents[0].update(data="é"), "damaged"),
    "cut": (lambda documents: documents[0].update(data=documents[0]["data"][:-4]), "damaged"),
    "another": (
        lambda documents: _last(documents, sha256="0" * 64),
        "it is not what was sent",
    ),
    "an end of nothing": (lambda documents: documents[-1].pop("parts"), _UNSAID),
    "parts": (lambda documents: _last(documents, parts="4"), _UNSAID),
    "signatures": (lambda documents: documents[-1].pop("signatures"), _UNSAID),
    # For zlib, no bytes at most are as many as there are.
    "no bytes": (lambda documents: _last(documents, bytes=0), _UNSAID),
    "bytes": (lambda documents: _last(documents, bytes=10**40), "damaged"),
    "many": (lambda documents: _last(documents, parts=10**15), "of 1000000000000000 parts 4"),
    "a bomb": (
        lambda documents: documents.__setitem__(
            slice(0, 4),
            [
                {**documents[0], "number": number, "data": data}
                for number, data in enumerate([_BOMB, "", "", ""])
            ],
        ),
        "it is not what was sent",
    ),
}


@pytest.mark.parametrize("loss", _LOSSES)
def test_what_was_lost_or_changed_on_the_way_is_an_error(loss: str) -> None:
    documents = [dict(item) for item in deliver(SIGNED)]
    change, why = _LOSSES[loss]
    change(documents)
    with pytest.raises(ValueError, match=why):
        receive(documents)
