"""A workload's manifests, laid over what exists: the objects as they should be."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.manifests.manifest import Manifest, list_manifests
from controller.manifests.overlay import overlay
from controller.manifests.ownership import with_owner
from controller.model.objects import Json, ObjectRef, uid_of
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidManifest:
    """One of them: `target` is `before` itself where nothing has to be written."""

    ref: ObjectRef
    owned_by: ObjectRef | None
    before: Json | None = field(repr=False)
    target: Json = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """The arguments of a call, and what it returned."""

    spec: BackupSpec
    cluster: str
    settings: Settings
    laid: tuple[LaidManifest, ...] = field(repr=False)

    def holds(
        self, spec: BackupSpec, cluster: str, settings: Settings, existing: Mapping[ObjectRef, Json]
    ) -> bool:
        """Whether a call with these arguments returns the same."""
        return (
            # Equal, not the same: Secrets are read anew in each pass.
            all(existing.get(item.ref) == item.before for item in self.laid)
            and cluster == self.cluster
            and settings is self.settings
            and spec == self.spec
        )


@dataclass(slots=True)
class LaidManifests:
    """Lays manifests, and remembers from pass to pass where that changes nothing.

    `lay_manifests` depends on its arguments alone, and makes the same of the same ones. What it
    makes in most passes are existing objects themselves, so remembering them takes little memory.
    """

    _known: dict[str, _Known] = field(default_factory=dict, repr=False)
    _used: dict[str, _Known] = field(default_factory=dict, repr=False)

    def lay(
        self, spec: BackupSpec, cluster: str, settings: Settings, existing: Mapping[ObjectRef, Json]
    ) -> tuple[LaidManifest, ...]:
        """See `lay_manifests`."""
        known = self._known.get(spec.name)
        if known is None or not known.holds(spec, cluster, settings, existing):
            laid = lay_manifests(spec, cluster, settings, existing)
            if any(item.target is not item.before for item in laid):
                return laid
            known = _Known(spec=spec, cluster=cluster, settings=settings, laid=laid)
        self._used[spec.name] = known
        return known.laid

    def end_pass(self) -> None:
        """Forget what this pass has not asked for."""
        self._known, self._used = self._used, {}


def lay_manifests(
    spec: BackupSpec, cluster: str, settings: Settings, existing: Mapping[ObjectRef, Json]
) -> tuple[LaidManifest, ...]:
    """Lay what a workload wants over the control namespace's objects, the dump CronJob first."""

    def lay(manifest: Manifest) -> LaidManifest:
        body, before = manifest.body, existing.get(manifest.ref)
        if owner := manifest.owned_by:
            body = with_owner(body, owner.name, uid_of(existing.get(owner, {})))
        target = overlay(before, body)
        return LaidManifest(
            ref=manifest.ref, owned_by=manifest.owned_by, before=before, target=target
        )

    return tuple(map(lay, list_manifests(spec, settings, cluster, existing)))
