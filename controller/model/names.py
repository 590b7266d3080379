"""Names of generated objects, to the letter those of ksnapshot 0.6.0 (contract section 6)."""

import hashlib
import re
from functools import lru_cache

PREFIX = "ksnapshot.clickandmortar.fr/"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "ksnapshot"
COMPONENT_LABEL = "app.kubernetes.io/component"
# Marks objects that 0.6.0 must not take for its own: it deletes those it does not know.
PART_OF_LABEL = "app.kubernetes.io/part-of"
SELECTOR = f"{MANAGED_BY_LABEL}={MANAGED_BY}"

# Annotations that the controller writes on its CronJobs.
OWNER = f"{PREFIX}owner"
OWNER_KIND = f"{PREFIX}owner-kind"
OWNER_UID = f"{PREFIX}owner-uid"
MEMBERS = f"{PREFIX}members"
INSTANCE = f"{PREFIX}instance"
CLUSTER = f"{PREFIX}cluster"
OPTIONAL_FIELDS = f"{PREFIX}managed-optional-fields"
GONE_SINCE = f"{PREFIX}gone-since"
LAST_RESULT = f"{PREFIX}last-result"
LAST_SUCCESS = f"{PREFIX}last-success"
HISTORY = f"{PREFIX}history"

# A CronJob's Jobs are named after it with eleven more characters, and a label holds 63.
MAX_CRONJOB_NAME = 52
_HASH_LENGTH = 8


def owner_key(namespace: str, name: str) -> str:
    """`namespace/name`, without the kind, as 0.6.0 recorded owners."""
    return f"{namespace}/{name}"


@lru_cache(maxsize=8192)
def cronjob_name(type_: str, key: str) -> str:
    """Name of the CronJob for an owner key: at most 52 characters, made unique by a hash."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:_HASH_LENGTH]
    head = f"ksnapshot-{type_}-"
    slug = re.sub(r"-+", "-", re.sub(r"[^a-z0-9-]+", "-", key.lower())).strip("-")
    room = MAX_CRONJOB_NAME - len(head) - 1 - _HASH_LENGTH
    return f"{head}{slug[:room].rstrip('-') or 'owner'}-{digest}"


def type_in(cronjob: str) -> str:
    """The engine type, or the component, in the name of a CronJob of ours."""
    return cronjob.removeprefix("ksnapshot-").partition("-")[0]


def secret_name(cronjob: str) -> str:
    """Name of the Secret that mirrors a workload's credentials for this CronJob."""
    return f"{cronjob}-credentials"


CONTAINER = "job"
