"""Fields that are managed only while a setting or an annotation asks for them.

The words of the managed fields are recorded on the CronJob. So a later pass takes back exactly
those that are not asked for any more, and what a user set there by hand stays.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from controller.manifests.sharing.indexed_job import spread_fields
from controller.model import names
from controller.model.objects import DELETE, Json, annotations_of
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec


class Place(Enum):
    """Where in a CronJob a field stands.

    CA_VOLUME is the volume with the certificates to trust and its mount, and its value the name
    of the Secret that holds them. VOLUME and MOUNT are further ones of dump pods, with a whole
    entry as value. JOB_TEMPLATE is for Jobs that wait to be released.
    """

    CRONJOB_SPEC = auto()
    POD_SPEC = auto()
    POD_LABELS = auto()
    POD_ANNOTATIONS = auto()
    CONTAINER = auto()
    CA_VOLUME = auto()
    VOLUME = auto()
    MOUNT = auto()
    JOB_SPEC = auto()
    JOB_TEMPLATE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionalField:
    """One field: the word that records it, where it stands, and its key there."""

    word: str
    place: Place
    key: str


def _field(key: str, place: Place) -> OptionalField:
    return OptionalField(word=key, place=place, key=key)


SUSPEND = _field("suspend", Place.CRONJOB_SPEC)
RESOURCES = _field("resources", Place.CONTAINER)
CA_VOLUME = _field("ca", Place.CA_VOLUME)
TTL = _field("ttlSecondsAfterFinished", Place.JOB_SPEC)
WAITING_JOBS = _field("waiting-jobs", Place.JOB_TEMPLATE)
PULL_SECRETS = _field("imagePullSecrets", Place.POD_SPEC)
SPREAD_FIELDS = tuple(
    _field(key, Place.JOB_SPEC)
    for key in (
        *("completionMode", "completions", "parallelism"),
        *("backoffLimitPerIndex", "maxFailedIndexes"),
    )
)
POD_FIELDS = (
    _field("nodeSelector", Place.POD_SPEC),
    _field("tolerations", Place.POD_SPEC),
    _field("affinity", Place.POD_SPEC),
    _field("topologySpreadConstraints", Place.POD_SPEC),
    _field("priorityClassName", Place.POD_SPEC),
    _field("runtimeClassName", Place.POD_SPEC),
    _field("hostAliases", Place.POD_SPEC),
    _field("dnsConfig", Place.POD_SPEC),
    PULL_SECRETS,
)
_BY_WORD = {
    item.word: item
    for item in (SUSPEND, RESOURCES, CA_VOLUME, TTL, WAITING_JOBS, *SPREAD_FIELDS, *POD_FIELDS)
}
# What is recorded one by one, under these prefixes, and the setting's keys for it.
_PREFIXES = {
    Place.POD_LABELS: "label:",
    Place.POD_ANNOTATIONS: "annotation:",
    Place.VOLUME: "volume:",
    Place.MOUNT: "mount:",
}
_SETTING_KEYS = {
    Place.POD_LABELS: "labels",
    Place.POD_ANNOTATIONS: "annotations",
    Place.VOLUME: "extraVolumes",
    Place.MOUNT: "extraVolumeMounts",
}

# A field's value; DELETE for one that was managed and is not asked for any more.
OptionalValues = Mapping[OptionalField, Any]


def requested_fields(spec: BackupSpec, settings: Settings) -> dict[OptionalField, Any]:
    """The fields that the settings and the workload's annotations ask for."""
    pod, request = settings.job_pod, spec.request
    requested = {item: pod[item.key] for item in (RESOURCES, *POD_FIELDS) if item.key in pod}
    for place, setting in _SETTING_KEYS.items():
        requested |= {keyed_field(place, key): value for key, value in pod.get(setting, {}).items()}
    if request.resources:
        requested[RESOURCES] = json.loads(request.resources)
    if request.suspend is not None:
        requested[SUSPEND] = request.suspend
    if settings.job_ttl:
        requested[TTL] = settings.job_ttl
    if settings.max_concurrent or settings.max_concurrent_per_host:
        requested[WAITING_JOBS] = True
    spread = spread_fields(request.spread, request.retries)
    requested |= {item: spread[item.key] for item in SPREAD_FIELDS if spread}
    if spec.certificates:
        requested[CA_VOLUME] = names.secret_name(spec.name)
    return requested


def recorded_fields(cronjob: Json) -> Iterator[OptionalField]:
    """The fields that a CronJob records as managed; words that nobody knows are skipped."""
    for word in annotations_of(cronjob).get(names.OPTIONAL_FIELDS, "").split():
        if known := _BY_WORD.get(word):
            yield known
        for place, prefix in _PREFIXES.items():
            if word.startswith(prefix):
                yield keyed_field(place, word.removeprefix(prefix))


def managed_fields(requested: OptionalValues, cronjob: Json | None) -> OptionalValues:
    """The requested fields, and with DELETE those that only the existing CronJob records."""
    return {**dict.fromkeys(recorded_fields(cronjob or {}), DELETE), **requested}


def record(requested: OptionalValues) -> str:
    """The words of the requested fields, as a CronJob records them; empty without any."""
    return " ".join(sorted(item.word for item in requested))


def fields_at(place: Place, values: OptionalValues) -> dict[str, Any]:
    """The fields of one place, by their keys there."""
    return {item.key: value for item, value in values.items() if item.place is place}


def keyed_field(place: Place, key: str) -> OptionalField:
    """The field of one label, annotation or volume of the pod, or of one mount, by its path."""
    return OptionalField(word=_PREFIXES[place] + key, place=place, key=key)
