import pytest

from dumpers.contract.restore.request import RestoreMode, RestoreRequest


def test_what_is_at_its_default_does_not_travel() -> None:
    assert RestoreRequest().to_json() == "{}"
    assert RestoreRequest.from_json("") == RestoreRequest()


def test_a_request_comes_back() -> None:
    request = RestoreRequest(
        mode=RestoreMode.SWAP,
        databases=("naïve",),
        tables=("a.b",),
        partitions="a.b: 1",
        names={"x": 'y"z'},
        suffix="_é",
        globals=True,
    )
    assert RestoreRequest.from_json(request.to_json()) == request


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "no JSON"),
        ("[]", "no JSON object"),
        ('{"mood": 1}', "unknown members: mood"),
        ('{"mode": "clobber"}', "its member mode"),
        ('{"tables": "t"}', "its member tables"),
        ('{"databases": [1]}', "its member databases"),
        ('{"names": {"a": 1}}', "its member names"),
        ('{"globals": "yes"}', "its member globals"),
        ('{"suffix": null}', "its member suffix"),
    ],
)
def test_what_is_no_request(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        RestoreRequest.from_json(text)
