"""What one Event tells, and the Event."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from controller.model.objects import Json

# The API server takes 1,024 bytes; a message may have characters of several.
_LONGEST = 1000
_HASH_LENGTH = 16
_LONGEST_NAME = 200
SOURCE = "ksnapshot"
_REPORTER = "ksnapshot.clickandmortar.fr/controller"
# Kubernetes forgets an Event after an hour: what is not well is told anew before that.
REFRESH_SECONDS = 50 * 60
# What is well again soon after it was told so is told once more.
_NEWS_SECONDS = 10 * 60


class Place(NamedTuple):
    """The object that an Event is about; `uid` is empty where it is not known."""

    namespace: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What one Event tells; `of` tells two equal ones apart, such as two good runs."""

    reason: str
    message: str
    is_warning: bool
    of: str = ""


def make_notice(reason: str, message: str, *, is_warning: bool = False, of: str = "") -> Notice:
    """What an Event tells; a message that is too long is cut."""
    # Half a surrogate pair has no UTF-8 form.
    short = message.encode("utf-8", "replace")[:_LONGEST].decode(errors="ignore")
    return Notice(reason=reason, message=short or reason, is_warning=is_warning, of=of)


def event(notice: Notice, place: Place, instance: str, now: datetime) -> Json:
    """Build the Event; its name follows from what it tells, so that no restart tells it twice."""
    moment = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    slot = int(now.timestamp()) // (REFRESH_SECONDS if notice.is_warning else _NEWS_SECONDS)
    told = f"{place}\n{notice.reason}\n{notice.message}\n{notice.of}\n{slot}"
    digest = hashlib.sha256(told.encode()).hexdigest()[:_HASH_LENGTH]
    kind, _, _ = place.kind.partition(".")
    about = {"kind": kind, "namespace": place.namespace, "name": place.name}
    if version := _VERSIONS.get(place.kind):
        about["apiVersion"] = version
    if place.uid:
        about["uid"] = place.uid
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{place.name[:_LONGEST_NAME]}.{digest}",
            "namespace": place.namespace,
        },
        "involvedObject": about,
        "type": "Warning" if notice.is_warning else "Normal",
        "reason": notice.reason,
        "message": notice.message,
        "source": {"component": SOURCE},
        "reportingComponent": _REPORTER,
        "reportingInstance": instance,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


_VERSIONS = {
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "Pod": "v1",
}
