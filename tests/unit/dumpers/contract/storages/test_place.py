"""Which endpoints are one store."""

import pytest

from dumpers.contract.storages.place import store_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("", ""), ("https://s3.eu-west-3.amazonaws.com", "eu-west-3")),
        (("", "eu-west-3"), ("https://s3.amazonaws.com/", "")),
        (("", "us-east-1"), ("https://s3.dualstack.us-east-1.amazonaws.com:443", "")),
        (("", "cn-north-1"), ("https://s3.cn-north-1.amazonaws.com.cn", "")),
        (("https://h", ""), ("https://h:443/", "eu")),
        (("http://H", ""), ("http://h.:80", "")),
        (("https://[::1]:9000", ""), ("https://[::1]:9000/", "")),
    ],
)
def test_endpoints_of_one_store(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert store_of(*one) == store_of(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("", ""), ("https://h", "")),
        (("", "eu-west-3"), ("", "cn-north-1")),
        (("", "eu-west-3"), ("https://s3.us-gov-west-1.amazonaws.com", "")),
        (("https://h", ""), ("http://h", "")),
        (("https://h:9000", ""), ("https://h:9001", "")),
        (("https://h/a", ""), ("https://h/b", "")),
        (("https://s3.amazonaws.com.example", ""), ("", "")),
        (("https://h:port", ""), ("https://h", "")),
    ],
)
def test_endpoints_of_different_stores(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert store_of(*one) != store_of(*other)
