import json
from dataclasses import replace
from typing import Any

import pytest

from dumpers.contract.fetch.offer import Offer, OfferedObject

OBJECT = OfferedObject(
    key="2026/01/02/postgresql/dump-x.sql.gz.age",
    name="shop",
    part=("s1r1", "app"),
    ending=".sql",
    size=10,
    sha256="aa",
    source_size=20,
    source_sha256="bb",
    place="https://store.example/x?X-Amz-Signature=secret",
)
OFFER = Offer(
    backup="3f9c0a51b2d4",
    began="2026-01-02T03:04:05Z",
    engine="postgresql",
    workload="demo/db",
    compression="gzip",
    recipients=("age1x",),
    is_legacy=False,
    notes=("ForeignTables",),
    objects=(OBJECT,),
    seconds=60,
    token="secret-token",
)


@pytest.mark.parametrize(
    "offer",
    [OFFER, replace(OFFER, recipients=None, objects=(), ca="PEM", port=8080, is_legacy=True)],
)
def test_an_offer_comes_back(offer: Offer) -> None:
    assert Offer.from_json(offer.to_json()) == offer


def test_members_of_later_versions_do_not_count() -> None:
    document = json.loads(OFFER.to_json())
    document["later"] = 1
    document["objects"][0]["later"] = 1
    assert Offer.from_json(json.dumps(document)) == OFFER


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"objects": None},
        {"objects": [{}]},
        {"objects": ["x"]},
        {"recipients": [1]},
        {"recipients": "age1x"},
        {"backup": 7},
        {"seconds": -1},
        {"seconds": True},
        {"is_legacy": "no"},
        {"notes": None},
    ],
)
def test_what_is_no_offer_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="it is"):
        Offer.from_json(json.dumps(json.loads(OFFER.to_json()) | change))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "[" * 100_000])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  json's own among them
        Offer.from_json(text)


def test_secrets_do_not_show() -> None:
    assert "secret" not in repr(OFFER)
