from functools import partial

import pytest

from controller.kube.client import Answer, CallCounts


def _answered(code: int) -> Answer:
    return code, {}, bytearray()


def test_requests_are_counted_by_verb_and_code_however_they_end() -> None:
    counts = CallCounts()
    for method, name, code in (
        ("GET", "", 200),
        ("GET", "", 200),
        ("GET", "db", 404),
        ("POST", "", 201),
        ("PUT", "db", 409),
        ("DELETE", "db", 200),
    ):
        assert counts.count(method, name, partial(_answered, code))[0] == code

    def hang() -> Answer:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        counts.count("GET", "db", hang)
    assert counts.counted() == {
        ("list", "200"): 2,
        ("get", "404"): 1,
        ("create", "201"): 1,
        ("update", "409"): 1,
        ("delete", "200"): 1,
        ("get", "none"): 1,
    }
