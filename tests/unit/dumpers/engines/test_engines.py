import pytest

from dumpers.engines import ENGINES, find, load
from dumpers.errors import ConfigurationError


def test_an_engine_is_found_by_its_type() -> None:
    assert [find(engine.type) for engine in ENGINES] == list(ENGINES)
    assert find("oracle") is None


def test_an_engine_without_its_work_is_a_fault_of_the_image() -> None:
    found = find("postgresql")
    assert found
    assert load(found)
    for engine in ENGINES:
        if engine.type != "postgresql":
            with pytest.raises(ConfigurationError, match="cannot dump") as caught:
                load(engine)
            assert engine.title in str(caught.value)


def test_no_two_credentials_share_a_variable_and_each_login_has_a_sign() -> None:
    for engine in ENGINES:
        variables = [item.variable for item in engine.credentials]
        assert len(set(variables)) == len(variables)
        assert all(item.signs for item in engine.logins)
        assert set(engine.marks) <= engine.source_variables
