"""Owners of pods: a Deployment, a StatefulSet, any other object, or a group of such objects."""

from dataclasses import dataclass, field

from controller.model.names import owner_key
from controller.model.objects import Json, ObjectRef

_PLAIN_GROUPS = ("", "apps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """An owner of pods. `uid` and `created` are empty where only the pods are seen.

    `makers` are the uids of the objects that own the owner itself.
    """

    namespace: str
    ref: ObjectRef
    uid: str = ""
    created: str = ""
    makers: tuple[str, ...] = field(default=(), compare=False)

    @property
    def key(self) -> str:
        """Owner key as 0.6.0 wrote it: `namespace/name`, without the kind."""
        return owner_key(self.namespace, self.ref.name)


def kind_of(reference: Json) -> str:
    """Kind of an ownerReference, in the form of ObjectRef."""
    group, slash, _ = str(reference.get("apiVersion", "")).partition("/")
    kind = str(reference.get("kind", ""))
    return kind if not slash or group in _PLAIN_GROUPS else f"{kind}.{group}"
