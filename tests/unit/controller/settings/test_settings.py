import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.settings.choices import Mode
from controller.settings.setting import Setting
from controller.settings.settings import SETTINGS, Settings
from dumpers.runtime.errors import ConfigurationError
from dumpers.runtime.version import VERSION
from tests.fakes.recipients import ED25519, RECIPIENTS


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
        "IDENTITY_SECRET": "name/",
        "BOOTSTRAP_FROM": "same",
        "BOOTSTRAP_PAIRS": "production",
        "STATUS_PAGE_LISTEN": "8081",
        "RETENTION_POLICY": "keep-dayly=3",
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


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("AGE-SECRET-KEY-1HUNTER2", "treat the private key as leaked"),
        ("age-secret-key-1hunter2\n", "treat the private key as leaked"),
        (f"{RECIPIENTS[0]},AGE-SECRET-KEY-1HUNTER2", "treat the private key as leaked"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nHUNTER2", "treat the private key as leaked"),
        (
            f"{RECIPIENTS[0]},age1hunter2",
            "recipient 2 of 2 is not an age recipient: it has 11 characters",
        ),
        ("ssh-dss HUNTER2", "ssh-dss"),
    ],
)
def test_a_wrong_recipient_ends_the_process_and_is_never_shown(value: str, why: str) -> None:
    env = {"WATCH_NAMESPACES": "", "DEFAULT_ENCRYPTION_RECIPIENT": value}
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_env(env)
    (fault,) = (fault for fault in caught.value.faults if "RECIPIENT" in fault)
    assert why in fault
    assert len(caught.value.faults) == 2
    assert "hunter2" not in (repr(caught.value) + "".join(caught.value.faults)).lower()


def test_several_recipients_of_the_operator_are_kept_as_they_stand() -> None:
    both = f"{RECIPIENTS[0]}, {ED25519} alice@example"
    env = {"WATCH_NAMESPACES": "a", "DEFAULT_ENCRYPTION_RECIPIENT": both}
    assert Settings.from_env(env).encryption_recipient == both


@pytest.mark.parametrize(
    "key",
    [
        "AGE-SECRET-KEY-1QQQSECRETSECRETSECRET",
        "age-secret-key-1qqqsecretsecretsecret\n",
        f"{RECIPIENTS[0]}, AGE-SECRET-KEY-1QQQSECRETSECRETSECRET",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nSECRETSECRET",
    ],
)
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.env)
def test_a_private_key_in_any_setting_is_never_shown(setting: Setting, key: str) -> None:
    env = {"WATCH_NAMESPACES": "a", setting.env: key}
    try:
        Settings.from_env(env)
    except ConfigurationError as error:
        assert "secret" not in str(error).lower().replace(setting.env.lower(), "")  # noqa: PT017
        assert "leaked" in str(error)  # noqa: PT017
    else:
        assert not setting.hidden


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("keys", "keys/identity"),
        ("keys.of/key.txt", "keys.of/key.txt"),
        ("Keys", None),
        ("a/b/c", None),
        ("/key.txt", None),
    ],
)
def test_the_secret_of_private_keys(text: str, expected: str | None) -> None:
    signing = {"WATCH_NAMESPACES": "a", "PROOF_SIGNING_KEY_SECRET": text}
    env = {"WATCH_NAMESPACES": "a", "IDENTITY_SECRET": text}
    if expected is None:
        with pytest.raises(ConfigurationError, match="IDENTITY_SECRET"):
            Settings.from_env(env)
        with pytest.raises(ConfigurationError, match="PROOF_SIGNING_KEY_SECRET"):
            Settings.from_env(signing)
    else:
        assert Settings.from_env(env).identity_secret == expected
        own = expected.replace("/identity", "/key.pem")
        assert Settings.from_env(signing).signing_key_secret == own


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        (" a:b , c-*:*, ", (("a", "b"), ("c-*", "*"))),
        ("a:", None),
        (":b", None),
        ("a:b:c", None),
        ("a:B", None),
        ("a b:c", None),
    ],
)
def test_pairs_of_namespaces(text: str, expected: tuple[tuple[str, str], ...] | None) -> None:
    env = {"WATCH_NAMESPACES": "a", "BOOTSTRAP_PAIRS": text}
    if expected is None:
        with pytest.raises(ConfigurationError, match="BOOTSTRAP_PAIRS"):
            Settings.from_env(env)
    else:
        assert Settings.from_env(env).bootstrap_pairs == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("*",)),
        ("[]", ()),
        (
            '["*.example.com", "10.0.0.7", "10.1.2.3/8", "fd00::/8"]',
            ("*.example.com", "10.0.0.7", "10.0.0.0/8", "fd00::/8"),
        ),
        ("*", None),
        ('"*"', None),
        ("[1]", None),
        ('{"a": 1}', None),
        ('["a b"]', None),
        ('["10.0.0.0/40"]', None),
        ('["-"]', None),
    ],
)
def test_hosts_that_are_allowed(text: str, expected: tuple[str, ...] | None) -> None:
    env = {"WATCH_NAMESPACES": "a", "HOSTS_ALLOWED": text}
    if expected is None:
        with pytest.raises(ConfigurationError, match="HOSTS_ALLOWED"):
            Settings.from_env(env)
    else:
        assert Settings.from_env(env).allowed_hosts == expected
