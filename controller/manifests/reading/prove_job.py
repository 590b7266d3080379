"""Builds the Job that says what was proved, with the key that signs it, where there is one."""

from typing import Any

from controller.manifests.reading.identity import SecretKey
from controller.manifests.verb_job import (
    VerbJob,
    build_container,
    build_job,
    container_of,
    store_variables,
)
from controller.model import names
from controller.model.objects import Json
from controller.settings.settings import Settings
from dumpers.contract import names as variables

_FOLDER, _FILE = "/run/ksnapshot/signing", "key.pem"
_VOLUME = "signing-key"


def signing_key_of(settings: Settings) -> SecretKey | None:
    """The private key that signs; None where the operator gave none."""
    secret, _, key = settings.signing_key_secret.partition("/")
    return SecretKey(secret=secret, key=key, is_optional=True) if secret else None


def build_prove_job(cronjob: Json, wanted: VerbJob, key: SecretKey | None) -> dict[str, Any]:
    """Build a Job whose only container has the store's variables, those of `wanted`, and the key.

    A Secret that is not there does not keep its pod from beginning, which then says so.
    """
    dump = container_of(cronjob)
    signing = {variables.SIGNING_KEY_FILE: f"{_FOLDER}/{_FILE}"} if key else {}
    mount: Json = {"name": _VOLUME, "mountPath": _FOLDER, "readOnly": True}
    container = build_container(
        dump,
        name=names.CONTAINER,
        verb=wanted.verb,
        env=store_variables(dump, {**wanted.variables, **signing}, wanted.account),
        mounts=[mount] if key else [],
    )
    return build_job(cronjob, wanted, containers=[container], volumes=[_volume(key)] if key else [])


def _volume(key: SecretKey) -> Json:
    source = {
        "secretName": key.secret,
        "items": [{"key": key.key, "path": _FILE}],
        "defaultMode": 0o440,
        "optional": key.is_optional,
    }
    return {"name": _VOLUME, "secret": source}
