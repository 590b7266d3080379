import pytest

from dumpers.contract.names import ENGINE, FORGET, UNDO
from dumpers.contract.restore.after import AfterRestoreJob
from dumpers.engines.registry import ENGINES
from dumpers.runtime.errors import ConfigurationError

LOGIN = {
    ENGINE: "postgresql",
    "POSTGRESQL_HOST": "db",
    "POSTGRESQL_USERNAME": "u",
    "POSTGRESQL_PASSWORD": "p",
    "POSTGRESQL_DATABASE": "shop",
}


def test_what_is_to_be_taken_back_or_dropped() -> None:
    job = AfterRestoreJob.from_env(LOGIN | {UNDO: '[["shop","shop_replaced"]]'}, ENGINES)
    assert (job.kept, job.names) == ((("shop", "shop_replaced"),), ())
    assert job.connection.host == "db"
    job = AfterRestoreJob.from_env(LOGIN | {FORGET: '["shop_restored"]'}, ENGINES)
    assert (job.kept, job.names) == ((), ("shop_restored",))


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ({}, "one of KSNAPSHOT_UNDO and KSNAPSHOT_FORGET must be set"),
        ({UNDO: '[["a","b"]]', FORGET: '["a"]'}, "and not both"),
        ({UNDO: "{"}, "KSNAPSHOT_UNDO must be a JSON list"),
        ({UNDO: '{"a": "b"}'}, "KSNAPSHOT_UNDO must be a JSON list"),
        ({UNDO: '[["a"]]'}, "pairs of names"),
        ({UNDO: '["ab"]'}, "pairs of names"),
        ({UNDO: '[["a", ""]]'}, "pairs of names"),
        ({FORGET: "[1]"}, "list of names"),
        ({FORGET: '[""]'}, "list of names"),
    ],
)
def test_what_cannot_be_meant(env: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        AfterRestoreJob.from_env(LOGIN | env, ENGINES)


def test_every_fault_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        AfterRestoreJob.from_env({ENGINE: "postgresql", FORGET: "["}, ENGINES)
    assert len(caught.value.faults) >= 3
