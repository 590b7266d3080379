import pytest

from dumpers.contract.names import ENGINE, FORGET, FORGET_OF, UNDO, UNDO_OF
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


def test_restores_that_could_not_say_what_they_left() -> None:
    job = AfterRestoreJob.from_env(LOGIN | {UNDO_OF: '["a"]'}, ENGINES)
    assert (job.kept, job.undo_of, job.forget_of) == ((), ("a",), ())
    job = AfterRestoreJob.from_env(LOGIN | {FORGET_OF: '["b","a"]', FORGET: '["x"]'}, ENGINES)
    assert (job.names, job.undo_of, job.forget_of) == (("x",), (), ("b", "a"))


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
        ({FORGET_OF: '[""]'}, "KSNAPSHOT_FORGET_OF must be a JSON list of names"),
        ({UNDO_OF: '["a"]', FORGET: '["a"]'}, "and not both"),
    ],
)
def test_what_cannot_be_meant(env: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        AfterRestoreJob.from_env(LOGIN | env, ENGINES)


def test_every_fault_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        AfterRestoreJob.from_env({ENGINE: "postgresql", FORGET: "["}, ENGINES)
    assert len(caught.value.faults) >= 3
