"""BackupSpec → every object that its workload wants, in the order of creation.

A new component needs a builder and an entry in `list_manifests`, and in `manifest_refs` or a
function of its own like `reader_refs`; the planner lays whatever is listed here over what exists.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from controller.manifests.cronjob import build_cronjob
from controller.manifests.ownership import DUMP
from controller.manifests.reading.drill_cronjob import build_drill_cronjob
from controller.manifests.reading.drilled import Drilled, drilled_of
from controller.manifests.reading.verify_cronjob import build_verify_cronjob
from controller.manifests.secret import build_secret
from controller.model import names
from controller.model.kinds import CRONJOB, SECRET
from controller.model.objects import Json, ObjectRef
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One object that a workload wants.

    `component` names the part of the backup that the object serves. `body` holds only the fields
    that are ours, without ownerReferences. `owned_by` refers to a CronJob earlier in the list,
    whose deletion takes this object along; None for an object that stands on its own. The
    planner writes the ownerReference, since the owner's uid is known only once the owner exists.
    """

    ref: ObjectRef
    component: str
    body: Json = field(repr=False)
    owned_by: ObjectRef | None = None

    @property
    def kind(self) -> str:
        """Kind of the object."""
        return self.ref.kind

    @property
    def name(self) -> str:
        """Name of the object."""
        return self.ref.name


def list_manifests(
    spec: BackupSpec, settings: Settings, cluster: str, existing: Mapping[ObjectRef, Json]
) -> tuple[Manifest, ...]:
    """List the objects that a backup wants: the dump CronJob first, then what it owns.

    The CronJobs that verify and drill come last: what is wrong with them must keep nothing else
    back.

    `existing` holds the control namespace's objects: a CronJob records which optional fields are
    to be taken back, and what its last dump has told.
    """
    cronjob, credentials = manifest_refs(spec.name)
    manifests = [
        Manifest(
            ref=cronjob,
            component=DUMP,
            body=build_cronjob(spec, settings, cluster, existing.get(cronjob)),
        )
    ]
    if (secret := build_secret(spec, settings)) is not None:
        manifests.append(
            Manifest(
                ref=credentials,
                component=DUMP,
                body=secret,
                owned_by=cronjob,
            )
        )
    verify, drill = reader_refs(spec.name)
    if spec.request.verify_schedule:
        body = build_verify_cronjob(spec, settings, cluster, existing.get(verify))
        manifests.append(_reader(verify, names.VERIFY, body, cronjob))
    drilled = drilled_of(spec, settings, existing.get(cronjob))
    if isinstance(drilled, Drilled):
        body = build_drill_cronjob(spec, settings, cluster, existing.get(drill), drilled)
        manifests.append(_reader(drill, names.DRILL, body, cronjob))
    return tuple(manifests)


def _reader(ref: ObjectRef, component: str, body: Json, cronjob: ObjectRef) -> Manifest:
    return Manifest(ref=ref, component=component, body=body, owned_by=cronjob)


@lru_cache(maxsize=8192)
def manifest_refs(cronjob: str) -> tuple[ObjectRef, ObjectRef]:
    """The objects that `list_manifests` lists for most dump CronJobs, by such a one's name."""
    return (
        ObjectRef(kind=CRONJOB, name=cronjob),
        ObjectRef(kind=SECRET, name=names.secret_name(cronjob)),
    )


@lru_cache(maxsize=8192)
def reader_refs(cronjob: str) -> tuple[ObjectRef, ObjectRef]:
    """The CronJobs that verify and drill the backups of a dump CronJob of this name."""
    verify, drill = names.reader_names(cronjob)
    return ObjectRef(kind=CRONJOB, name=verify), ObjectRef(kind=CRONJOB, name=drill)


@lru_cache(maxsize=8192)
def dependent_refs(cronjob: str) -> tuple[ObjectRef, ...]:
    """The objects that go with a dump CronJob of this name.

    The last one is the mirrored Secret as it was named before 0.6.0.
    """
    return (*manifest_refs(cronjob)[1:], ObjectRef(kind=SECRET, name=cronjob))
