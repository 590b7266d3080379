import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.settings.settings import SETTINGS, Mode, Settings
from dumpers.runtime.errors import ConfigurationError
from dumpers.runtime.version import VERSION


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = Settings.from_env({"WATCH_NAMESPACES": " a ,, b,a "})
    assert settings.mode is Mode.LOCAL
    assert settings.watch_namespaces == ("a", "b")
    assert settings.control_namespace == "ksnapshot"
    assert settings.backup_configmap_name == "ksnapshot-cm"
    assert settings.backup_secret_name == ""
    assert settings.backup_service_account == "ksnapshot-backup-sa"
    assert settings.image_pull_policy == "IfNotPresent"
    published = "ghcr.io/clickandmortar/ksnapshot-dumper"
    assert settings.dumper_images == {
        "MYSQL_DUMPER_IMAGE_5_7": f"{published}-mysql-5.7:{VERSION}",
        "MYSQL_DUMPER_IMAGE_8": f"{published}-mysql-8:{VERSION}",
        "POSTGRESQL_DUMPER_IMAGE_16": f"{published}-postgresql-16:{VERSION}",
        "ELASTICSEARCH_DUMPER_IMAGE": f"{published}-elasticsearch:{VERSION}",
        "CLICKHOUSE_DUMPER_IMAGE": f"{published}-clickhouse:{VERSION}",
    }
    assert (settings.poll_interval, settings.gone_passes, settings.gone_grace) == (60, 3, 900)


def test_every_fault_is_told_at_once() -> None:
    broken = {
        "MODE": "remote",
        "WATCH_NAMESPACES": " , ",
        "CONTROL_NAMESPACE": "Not_A_Name",
        "POLL_INTERVAL_SECONDS": "0",
        "HTTP_PORT": "99999",
        "UNWATCHED_POLICY": "drop",
        "GONE_PASSES": "9" * 5000,
        "ENCRYPTION_ENFORCED": "yes",
        "BACKUP_JOB_POD": '{"nodeSelectors": {}}',
    }
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_env(broken)
    assert sorted(fault.split()[0] for fault in caught.value.faults) == sorted(broken)


@pytest.mark.parametrize(
    ("value", "enabled"), [("true", True), ("True", False), ("1", False), ("", False)]
)
def test_encryption_is_on_only_when_exactly_true(value: str, *, enabled: bool) -> None:
    env = {"WATCH_NAMESPACES": "a", "DEFAULT_ENCRYPTION_ENABLED": value}
    assert Settings.from_env(env).encryption_enabled is enabled


def test_enforced_encryption_needs_a_recipient() -> None:
    env = {"WATCH_NAMESPACES": "a", "ENCRYPTION_ENFORCED": "true"}
    with pytest.raises(ConfigurationError, match="DEFAULT_ENCRYPTION_RECIPIENT must be set"):
        Settings.from_env(env)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "nodeSelector: {}",
        '{"nodeSelector": []}',
        '{"labels": {"a": 1}}',
        '{"resources": {"limits": {"cpu": "many"}}}',
        '{"hostNetwork": true}',
    ],
)
def test_of_the_dump_pods_only_what_is_known_can_be_set(text: str) -> None:
    with pytest.raises(ConfigurationError, match="BACKUP_JOB_POD is"):
        Settings.from_env({"WATCH_NAMESPACES": "a", "BACKUP_JOB_POD": text})


def test_no_two_settings_share_a_variable_and_each_has_help() -> None:
    assert len({item.env for item in SETTINGS}) == len(SETTINGS)
    assert all(item.help for item in SETTINGS)


@given(st.dictionaries(st.sampled_from([item.env for item in SETTINGS]), st.text()))
def test_any_text_is_a_value_or_a_configuration_error(env: dict[str, str]) -> None:
    with contextlib.suppress(ConfigurationError):
        Settings.from_env(env)
