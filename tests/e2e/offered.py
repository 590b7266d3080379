"""What an admin defined for a tenant, and what is refused of what the tenant asks for."""

import json
from collections.abc import Mapping
from typing import Any

from tests.demo.world import SHOP
from tests.e2e.conftest import STAGING, Stage

GRANTED, FAR, FAR_PATH = "granted", "far", "tenants/shop"
CLASSES = {
    "gold": {
        "schedule": "0 3 1 1 *",
        "timezone": "Europe/Paris",
        "retention": "keep-daily=14",
        "storage": "main,offsite",
        "verify": "read-back",
        "resources": {"limits": {"memory": "384Mi"}},
        "namespaces": [SHOP],
        "allow": ["schedule", "timezone", "storage"],
    },
    "plain": {"schedule": "0 5 1 1 *", "defaultFor": {"labels": {"app": STAGING}}},
    "private": {"schedule": "@daily", "namespaces": ["others-*"]},
}


def storages(endpoint: str) -> Mapping[str, Any]:
    """The value `storages`; the second one has all it says by a Secret of COSI."""
    lock = {"mode": "GOVERNANCE", "days": 1}
    offsite = {"bucketInfoSecret": GRANTED, "path": FAR_PATH, "objectLock": lock}
    vault = {"bucket": "vault", "endpoint": endpoint, "namespaces": ["others-*"]}
    return {"main": {"namespaces": [SHOP]}, "offsite": offsite, "vault": vault}


def bucket_info(stage: Stage) -> str:
    """The Secret's text, as COSI would have written it."""
    access = {
        "endpoint": stage.proxy.url,
        "region": stage.store.region,
        "accessKeyID": stage.store.root.access,
        "accessSecretKey": stage.store.root.secret,
    }
    spec = {"bucketName": FAR, "authenticationType": "KEY", "secretS3": access}
    return json.dumps({"metadata": {"name": GRANTED}, "spec": spec})


# What the tenant sets, the reason on the board, and words that say what to do about it.
REFUSED: tuple[tuple[Mapping[str, str], str, tuple[str, ...]], ...] = (
    ({"class": "vip"}, "ClassInvalid", ("gold", "plain")),
    ({"class": "private"}, "ClassInvalid", (f"not for namespace {SHOP}", "gold")),
    ({"retention": "keep-last=1"}, "NotAllowedByClass", ("retention", "keep-daily=14")),
    ({"type": "oracle"}, "TypeInvalid", ("postgresql",)),
    ({"schedule": "at three"}, "ScheduleInvalid", ("at three",)),
    ({"schedule": "*/5 * * * *"}, "ScheduleTooOften", ("3600",)),
    ({"timezone": "Mars/Olympus"}, "TimeZoneInvalid", ("Mars/Olympus",)),
    ({"port": "many"}, "AnnotationInvalid", ("port",)),
    ({"container": "nowhere"}, "ContainerMissing", ("nowhere",)),
    ({"service": "nowhere"}, "ServiceMissing", ("nowhere",)),
    ({"host": "169.254.169.254"}, "HostNotAllowed", ("169.254.169.254",)),
    ({"host": "db.elsewhere.org"}, "HostNotAllowed", ("db.elsewhere.org",)),
    ({"credentials-secret": "nowhere"}, "CredentialSourceMissing", ("nowhere",)),
    (
        {"credentials-secret": "database-login", "host": "db.example.com"},
        "SecretNotAllowed",
        ("allow-host",),
    ),
    ({"storage": "main,vault"}, "StorageNotAllowed", ("main", "offsite")),
    ({"storage": "nowhere"}, "StorageUnknown", ("main", "offsite")),
)
