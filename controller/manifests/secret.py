"""Builds the Secret that mirrors the credentials of one workload (contract section 5)."""

import base64

from controller.manifests.ownership import LABELS
from controller.model import names
from controller.model.objects import Json
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec
from dumpers.contract import names as variables

_RESTORE_PREFIX = "RESTORE_"


def restore_key(variable: str) -> str:
    """The key of the mirrored Secret that holds a restore's value of a credential's variable."""
    return f"{_RESTORE_PREFIX}{variable}"


def build_secret(spec: BackupSpec, settings: Settings) -> Json | None:
    """Build the mirrored Secret; None where there is nothing to mirror."""
    mirrored = {
        credential.variable: spec.credentials[credential.variable]
        for credential in spec.engine.credentials
        if credential.variable in spec.credentials
    }
    mirrored |= {restore_key(variable): text for variable, text in spec.restore_credentials.items()}
    if spec.certificates:
        mirrored[variables.CA_KEY] = spec.certificates
    if not mirrored:
        return None
    data = {key: base64.b64encode(text.encode()).decode() for key, text in mirrored.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": names.secret_name(spec.name),
            "namespace": settings.control_namespace,
            "labels": dict(LABELS),
            "annotations": {names.INSTANCE: settings.instance},
        },
        "data": data,
    }
