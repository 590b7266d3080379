import pytest

from controller.model.status import Reason, Rejected
from controller.workloads.services import choose_service, named_service
from tests.fakes.worlds import Document, owner, pod, service

OWNER = owner()
PODS = (pod(OWNER, 0), pod(OWNER, 1))
HEADLESS = service("headless", clusterIP="None")


@pytest.mark.parametrize(
    ("services", "expected"),
    [
        ([service()], "db"),
        ([HEADLESS], "headless"),
        ([HEADLESS, service()], "db"),
        ([service(port=6432)], "db"),
        ([service(), service("metrics", port=9187)], "db"),
        ([HEADLESS, service("metrics", port=9187)], "headless"),
        ([service("udp", ports=[{"port": 5432, "protocol": "UDP"}]), service()], "db"),
        ([], Reason.SERVICE_MISSING),
        ([service(app="other")], Reason.SERVICE_MISSING),
        ([service(selector={})], Reason.SERVICE_MISSING),
        ([service(), service("ro")], Reason.SERVICE_AMBIGUOUS),
        ([HEADLESS, service(), service("ro")], Reason.SERVICE_AMBIGUOUS),
    ],
)
def test_the_service(services: list[Document], expected: str | Reason) -> None:
    found = choose_service(tuple(services), PODS, 5432)
    assert (found.reason if isinstance(found, Rejected) else found) == expected


def test_one_that_matches_some_pods_counts_only_on_the_port_and_when_none_matches_all() -> None:
    mixed = (pod(OWNER, 0, app="db"), pod(OWNER, 1, app="replica"))
    primary, metrics = service("primary"), service("metrics", port=9187)
    assert choose_service((primary, metrics), mixed, 5432) == "primary"
    assert isinstance(choose_service((metrics,), mixed, 5432), Rejected)


def test_a_named_service_only_has_to_be_there() -> None:
    assert named_service((service(app="other"), HEADLESS), "db") == "db"
    found = named_service((HEADLESS,), "db")
    assert isinstance(found, Rejected)
    assert found.reason is Reason.SERVICE_MISSING
    assert "'db'" in found.message


def test_the_port_that_is_asked_for_is_the_one_that_is_preferred() -> None:
    assert choose_service((service(), service("pooler", port=6432)), PODS, 6432) == "pooler"
