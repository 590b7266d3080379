"""The private keys that containers get which read the store: one key of a Secret, as a file."""

from dataclasses import dataclass

from controller.model.objects import Json
from controller.settings.settings import Settings

_FOLDER, _FILE = "/run/ksnapshot/identity", "identity"
IDENTITY_PATH = f"{_FOLDER}/{_FILE}"
# The name of the volume.
IDENTITY = "identity"
IDENTITY_MOUNT: Json = {"name": IDENTITY, "mountPath": _FOLDER, "readOnly": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKey:
    """One key of a Secret of the control namespace.

    A volume with an optional one is empty without it, so that a pod begins and says so.
    """

    secret: str
    key: str
    is_optional: bool = False


def identity_of(settings: Settings) -> SecretKey | None:
    """The private keys to read backups with; None where the operator gave none.

    Optional to its pod, which says then that it is not there, instead of waiting for it.
    """
    secret, _, key = settings.identity_secret.partition("/")
    return SecretKey(secret=secret, key=key, is_optional=True) if secret else None


def identity_volume(identity: SecretKey) -> Json:
    """The volume with the private keys."""
    source = {
        "secretName": identity.secret,
        "items": [{"key": identity.key, "path": _FILE}],
        "defaultMode": 0o440,
        **({"optional": True} if identity.is_optional else {}),
    }
    return {"name": IDENTITY, "secret": source}
