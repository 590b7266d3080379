"""The annotation `storage`: what it may say, and which namespace may use what."""

import json

import pytest

from controller.model.status import Reason, Rejected
from controller.workloads.request import Request, parse_request
from controller.workloads.storages.asked import check_storages
from tests.fakes.worlds import asks, settings

HOW = settings(
    STORAGES=json.dumps(
        {
            "main": {"namespaces": ["shop", "ops"]},
            "offsite": {"bucket": "bb", "namespaces": ["shop", "team-*"]},
            "archive": {"bucket": "cc", "accessMode": "ReadOnly"},
            "hidden": {"bucket": "dd", "namespaces": ["ops"]},
        }
    )
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ("main",)),
        ("", ("main",)),
        ("main", ("main",)),
        ("offsite", ("offsite",)),
        ("main,offsite", ("main", "offsite")),
        (" offsite , main ", ("offsite", "main")),
        ("main,", "holds ''"),
        ("main,main", "names main twice"),
        ("Offsite", "holds 'Offsite'"),
        ("off_site", "holds 'off_site'"),
        (f"{'a' * 33}", "at most 32 small letters"),
    ],
)
def test_the_annotation_names_storages_in_order(text: str | None, expected: object) -> None:
    found = parse_request(asks() if text is None else asks(storage=text), settings())
    if isinstance(found, Request):
        assert found.storages == expected
    else:
        assert found.reason is Reason.ANNOTATION_INVALID
        assert str(expected) in found.message


@pytest.mark.parametrize(
    ("asked", "namespace", "reason"),
    [
        (("main",), "shop", None),
        (("main", "offsite"), "shop", None),
        (("offsite",), "team-a", None),
        (("main",), "team-a", Reason.STORAGE_NOT_ALLOWED),
        (("offsite", "main"), "team-a", Reason.STORAGE_NOT_ALLOWED),
        (("hidden",), "shop", Reason.STORAGE_NOT_ALLOWED),
        (("nowhere",), "shop", Reason.STORAGE_UNKNOWN),
        (("main", "archive"), "shop", Reason.STORAGE_READ_ONLY),
    ],
)
def test_a_namespace_uses_what_is_for_it(
    asked: tuple[str, ...], namespace: str, reason: Reason | None
) -> None:
    found = check_storages(asked, namespace, HOW)
    assert (found and found.reason) is reason


def test_a_refusal_names_what_the_namespace_may_use_and_nothing_of_others() -> None:
    assert check_storages(("nowhere",), "shop", HOW) == Rejected(
        Reason.STORAGE_UNKNOWN,
        "the storage nowhere is not there: backups of shop may go to main, offsite",
    )
    assert check_storages(("main",), "elsewhere", HOW) == Rejected(
        Reason.STORAGE_NOT_ALLOWED,
        "the storage main is not for namespace elsewhere: backups of elsewhere may go to none",
    )


def test_without_storages_everybody_has_main() -> None:
    assert check_storages(("main",), "any", settings()) is None
