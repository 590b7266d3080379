"""Builds the variables of a dump container, which the dumper reads (contract section 7)."""

from functools import cache
from typing import Any

from controller.model import names
from controller.model.objects import Json
from controller.settings.choices import Verify
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec
from dumpers.contract import location
from dumpers.contract import names as variables
from dumpers.repository.retention.policy import NONE

_BACKEND_PATH = "ksnapshot"
# Variable, key in the user's ConfigMap or Secret, and whether it is optional, as in 0.6.0.
_CONFIGMAP_KEYS = (
    (location.S3_REGION, "S3_REGION", True),
    (location.S3_ENDPOINT, "S3_ENDPOINT", True),
    (location.S3_BUCKET, "S3_BUCKET", False),
)
_SECRET_KEYS = (
    (location.S3_ACCESS_KEY, "AWS_ACCESS_KEY_ID"),
    (location.S3_SECRET_KEY, "AWS_SECRET_ACCESS_KEY"),
)
# The variables with the keys of the store.
KEYS = frozenset(name for name, _ in _SECRET_KEYS)
# Keys of the ConfigMap that 0.6.0 did not know, all of them optional.
_MORE_CONFIGMAP_KEYS = (
    (location.S3_PATH_STYLE, "S3_PATH_STYLE", True),
    (location.S3_CA_BUNDLE, "S3_CA_BUNDLE", True),
    (location.S3_STORAGE_CLASS, "S3_STORAGE_CLASS", True),
    (location.S3_SSE, "S3_SSE", True),
    (location.S3_SSE_KMS_KEY_ID, "S3_SSE_KMS_KEY_ID", True),
    (location.S3_TAGS, "S3_TAGS", True),
    (location.S3_MAX_BANDWIDTH, "S3_MAX_BANDWIDTH", True),
    (location.S3_PATIENCE, "S3_PATIENCE", True),
    *((name, name, True) for name in location.PROXIES),
)
# Where the certificates to trust are mounted.
CA_FOLDER = "/etc/ksnapshot/ca"


def build_env(spec: BackupSpec, settings: Settings, cluster: str) -> list[Json]:
    """Build the variables: first those of 0.6.0 in its order, then ours."""
    config, keys = settings.backup_configmap_name, settings.backup_secret_name
    env = [
        *store(config, keys),
        plain_variable(spec.engine.host_variable, spec.host),
        plain_variable(spec.engine.port_variable, str(spec.port)),
        *(plain_variable(name, str(number)) for name, number in spec.request.numbers),
    ]
    mirrored = names.secret_name(spec.name)
    env += [
        _from_secret(mirrored, credential.variable, credential.variable)
        for credential in spec.engine.credentials
        if credential.variable in spec.credentials
    ]
    if spec.request.recipient:
        env.append(plain_variable(variables.ENCRYPTION_ENABLED, "true"))
        env.append(plain_variable(variables.ENCRYPTION_RECIPIENT, spec.request.recipient))
    env += [
        plain_variable(variables.CLUSTER, cluster),
        plain_variable(variables.WORKLOAD, spec.owner.key),
        plain_variable(variables.CRONJOB, spec.name),
        plain_variable(variables.DEADLINE, str(spec.request.deadline)),
        *more_of_store(config),
        *(plain_variable(name, text) for name, text in spec.request.texts),
    ]
    if spec.request.tls:
        env.append(plain_variable(spec.engine.tls_variable, spec.request.tls))
    if spec.certificates:
        env.append(plain_variable(spec.engine.ca_file_variable, f"{CA_FOLDER}/{variables.CA_KEY}"))
    if spec.request.verify is Verify.READ_BACK:
        env.append(plain_variable(variables.VERIFY, variables.READ_BACK))
    if spec.request.accept:
        env.append(plain_variable(variables.ACCEPT, spec.request.accept))
    if spec.request.retention != NONE:
        env.append(plain_variable(variables.RETENTION, spec.request.retention))
        env.append(plain_variable(variables.TIME_ZONE, spec.request.time_zone))
    if spec.request.verify_schedule:
        env.append(plain_variable(variables.REQUIRED_PROOF, variables.PROOF_READ))
    if spec.request.log_level:
        env.append(plain_variable(variables.LOG_LEVEL, spec.request.log_level))
    return env


# All CronJobs share these: they are most of what a CronJob holds.
@cache
def store(config: str, keys: str) -> tuple[Json, ...]:
    """The variables of the store that 0.6.0 knew; `keys` is a Secret, or empty for no keys."""
    return (
        plain_variable(location.BACKEND_TYPE, location.BACKEND_S3),
        plain_variable(location.BACKEND_PATH, _BACKEND_PATH),
        *(_from_configmap(config, *entry) for entry in _CONFIGMAP_KEYS),
        *(key_variables(keys) if keys else ()),
    )


def key_variables(secret: str) -> tuple[Json, ...]:
    """The variables with the keys of the store, from this Secret of the control namespace."""
    return tuple(_from_secret(secret, *entry) for entry in _SECRET_KEYS)


@cache
def more_of_store(config: str) -> tuple[Json, ...]:
    """The other variables of the store."""
    return tuple(_from_configmap(config, *entry) for entry in _MORE_CONFIGMAP_KEYS)


def plain_variable(name: str, value: str) -> Json:
    """A variable whose value stands in the object itself, so it must be no secret."""
    # Kubernetes would replace `$(NAME)` by another variable's value, which may be a secret.
    return {"name": name, "value": value.replace("$", "$$")}


def _from_secret(secret: str, name: str, key: str) -> Json:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _from_configmap(config: str, name: str, key: str, optional: bool) -> Json:  # noqa: FBT001
    source: dict[str, Any] = {"name": config, "key": key}
    if optional:
        source["optional"] = True
    return {"name": name, "valueFrom": {"configMapKeyRef": source}}
