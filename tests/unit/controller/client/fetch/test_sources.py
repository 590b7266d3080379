"""When URLs are renewed, and what of a backup must not have changed by then."""

from dataclasses import replace
from typing import Any, cast

import pytest

from controller.client.fetch.asking import Asking
from controller.client.fetch.sources import Presigned
from dumpers.contract.fetch.offer import Offer
from dumpers.runtime.errors import BackupDamagedError
from tests.unit.dumpers.contract.fetch.test_offer import OBJECT, OFFER


class Asked:
    """Offers, one after the other, and what was asked for."""

    def __init__(self, *offers: Offer) -> None:
        self.offers = list(offers)
        self.backups: list[str] = []

    def ask(self, verb: str, backup: str) -> tuple[Offer, Any]:
        assert verb == "presign"
        self.backups.append(backup)
        return self.offers.pop(0), None


def offer(number: int, **changes: Any) -> Offer:
    return replace(
        OFFER, objects=(replace(OBJECT, place=f"https://store/{number}"),), seconds=3600, **changes
    )


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def source(asked: Asked, clock: Clock) -> Presigned:
    return Presigned(cast("Asking", asked), "latest", clock)


def test_urls_are_renewed_before_their_time_is_over() -> None:
    asked, clock = Asked(offer(1), offer(2), offer(3)), Clock()
    made = source(asked, clock)
    for passed, number in ((0, 1), (3530, 1), (10, 2), (3530, 2), (10, 3)):
        clock.now += passed
        assert made.target(0).url == f"https://store/{number}"
    # The very backup that was chosen first, whatever is the latest by now.
    assert asked.backups == ["latest", OFFER.backup, OFFER.backup]


def test_short_times_have_a_short_margin() -> None:
    asked, clock = Asked(replace(offer(1), seconds=10), offer(2)), Clock()
    made = source(asked, clock)
    for passed, number in ((0, 1), (8.5, 1), (1, 2)):
        clock.now += passed
        assert made.target(0).url == f"https://store/{number}"


def test_urls_that_are_refused_are_renewed() -> None:
    made = source(Asked(offer(1), offer(2)), Clock())
    made.renew()
    assert made.target(0).url == "https://store/2"


@pytest.mark.parametrize(
    "changed",
    [
        {"backup": "another"},
        {"objects": ()},
        {"objects": (replace(OBJECT, sha256="cc"),)},
        {"objects": (replace(OBJECT, key="another"),)},
        {"objects": (replace(OBJECT, size=11),)},
        {"objects": (replace(OBJECT, source_sha256="cc"),)},
    ],
)
def test_a_backup_that_changed_meanwhile_is_not_gone_on_with(changed: dict[str, Any]) -> None:
    made = source(Asked(offer(1), replace(offer(2), **changed)), Clock())
    with pytest.raises(BackupDamagedError, match="changed while it was fetched"):
        made.renew()
