import pytest

from dumpers.contract.restore.bootstrap import Bootstrap


def test_a_bootstrap_travels_in_a_variable() -> None:
    wanted = Bootstrap(cronjob="c", owner="", asked="production/db@latest#Zoë")
    assert Bootstrap.from_json(wanted.to_json()) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "{}",
        '{"cronjob":"c"}',
        '{"cronjob":"","owner":"","asked":""}',
        '{"cronjob":"c","owner":3,"asked":""}',
        '{"cronjob":"c","owner":"","asked":"","more":""}',
    ],
)
def test_what_is_none_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="cronjob"):
        Bootstrap.from_json(text)
