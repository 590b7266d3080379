"""BackupSpec → every object that its workload wants, in the order of creation.

A new component needs a builder and an entry in `list_manifests`, and in `manifest_refs` or a
function of its own like `verify_ref`; the planner lays whatever is listed here over what exists.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from controller.manifests.cronjob import build_cronjob
from controller.manifests.ownership import DUMP
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

    A CronJob that verifies comes last: what is wrong with it must keep nothing else back.

    `existing` holds the control namespace's objects: a CronJob records which optional fields are
    to be taken back.
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
    if spec.request.verify_schedule:
        ref = verify_ref(spec.name)
        manifests.append(
            Manifest(
                ref=ref,
                component=names.VERIFY,
                body=build_verify_cronjob(spec, settings, cluster, existing.get(ref)),
                owned_by=cronjob,
            )
        )
    return tuple(manifests)


@lru_cache(maxsize=8192)
def manifest_refs(cronjob: str) -> tuple[ObjectRef, ObjectRef]:
    """The objects that `list_manifests` lists for most dump CronJobs, by such a one's name."""
    return (
        ObjectRef(kind=CRONJOB, name=cronjob),
        ObjectRef(kind=SECRET, name=names.secret_name(cronjob)),
    )


@lru_cache(maxsize=8192)
def verify_ref(cronjob: str) -> ObjectRef:
    """The CronJob that verifies the backups of a dump CronJob of this name."""
    return ObjectRef(kind=CRONJOB, name=names.verify_cronjob_name(cronjob))


@lru_cache(maxsize=8192)
def dependent_refs(cronjob: str) -> tuple[ObjectRef, ...]:
    """The objects that go with a dump CronJob of this name.

    The last one is the mirrored Secret as it was named before 0.6.0.
    """
    return (*manifest_refs(cronjob)[1:], ObjectRef(kind=SECRET, name=cronjob))
