"""The golden views as a cluster in memory, so that what they decide can also be carried out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from controller.kube.client import RESOURCES, ForbiddenError, KubeError, Resource, UnavailableError
from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model.names import ALLOW_HOST_LABEL, GONE_SINCE
from controller.model.objects import Objects, annotations_of, name_of
from controller.model.status import ReadFailure, Reason
from controller.model.view import ClusterView, NamespaceView
from controller.observe import view_yaml
from controller.plan.changes import PassResult
from controller.settings.settings import Settings
from tests import libyaml
from tests.fakes.kube_memory import Document, MemoryApi
from tests.paths import GOLDEN

# Each as `topic/case`.
CASES = sorted(
    f"{path.parent.parent.name}/{path.parent.name}" for path in GOLDEN.glob("*/*/view.yaml")
)
_KUBE_SYSTEM = "kube-system"


class GoldenApi(MemoryApi):
    """What a view holds; `unread` are the objects that cannot be read by their name."""

    def __init__(self) -> None:
        super().__init__()
        self.unread: dict[tuple[str, str, str], KubeError] = {}

    def get(self, resource: Resource, namespace: str, name: str, *, since: str = "") -> Document:
        if error := self.unread.get((resource.kind, namespace, name)):
            raise error
        return super().get(resource, namespace, name, since=since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """A golden case: its view, the settings that go with it and the plan that it makes."""

    view: ClusterView
    settings: Settings
    plan: Mapping[str, Any]

    @classmethod
    def read(cls, case: str) -> "Golden":
        # How the product itself reads a view is held by the golden tests.
        document = libyaml.read((GOLDEN / case / "view.yaml").read_text())
        env = {"WATCH_NAMESPACES": ",".join(document["namespaces"])} | document.get("settings", {})
        plan = libyaml.read((GOLDEN / case / "plan.yaml").read_text())
        view = view_yaml.view_of(document)
        return cls(view=view, settings=Settings.from_env(env), plan=plan)

    def memory(self) -> PassState:
        """Of the process that the view is from."""
        return PassState(gone_passes=self.view.gone_passes)

    def one_pass(self, api: MemoryApi, memory: PassState, minutes: int = 0) -> PassResult:
        now = self.view.now + timedelta(minutes=minutes)
        return run(api, self.settings, memory, now=now)

    def noted_as_gone(self) -> list[tuple[str, str]]:
        """Kind and name of the CronJobs that tell since when their workload is gone."""
        listed = self.view.control.cronjobs
        cronjobs = () if isinstance(listed, ReadFailure) else listed
        return [
            ("CronJob", name_of(item)) for item in cronjobs if GONE_SINCE in annotations_of(item)
        ]

    def cluster(self) -> GoldenApi:
        """Everything that the view tells, and failing what it says is not known."""
        api = GoldenApi()
        if isinstance(self.view.cluster, ReadFailure):
            api.unread["Namespace", "", _KUBE_SYSTEM] = _error(self.view.cluster)
        else:
            meta = {"name": _KUBE_SYSTEM, "uid": f"{self.view.cluster}-aaaa"}
            api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        for space in self.view.namespaces.values():
            _fill(api, space)
        if self.view.unlisted:
            error, read = _error(self.view.unlisted), api.list

            def unlisted(resource: Resource, *place: str, **how: Any) -> list[Document]:
                if resource.kind == "Namespace":
                    raise error
                return read(resource, *place, **how)

            api.list = unlisted  # type: ignore[method-assign]
        control, place = self.view.control, self.settings.control_namespace
        lists = {"CronJob": control.cronjobs, "Secret": control.secrets}
        runs = {"Job": control.jobs, "Pod": control.pods, "Event": control.events}
        _put(api, place, lists | runs)
        for ref, failed in control.unread.items():
            # Lists show that there is something, if not in the view then by its name alone.
            listed = (lists | runs)[ref.kind]
            if isinstance(listed, ReadFailure) or ref.name not in map(name_of, listed):
                bare = {"kind": ref.kind, "metadata": {"name": ref.name, "namespace": place}}
                api.put({"apiVersion": RESOURCES[ref.kind].version, **bare})
            api.unread[ref.kind, place, ref.name] = _error(failed)
        return api


def _fill(api: GoldenApi, space: NamespaceView) -> None:
    if isinstance(space.exists, ReadFailure):
        api.unread["Namespace", "", space.name] = _error(space.exists)
    elif space.exists:
        meta = {"name": space.name}
        api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    _put(api, space.name, {"Pod": space.pods, "Service": space.services, **space.owners})
    for ref, absent in space.absent.items():
        assert absent is not False, "no case knows of an owner that only its list lacks"
        if isinstance(absent, ReadFailure):
            api.unread[ref.kind, space.name, ref.name] = _error(absent)
    for ref, failed in space.unread.items():
        api.unread[ref.kind, space.name, ref.name] = _error(failed)
    for ref, content in space.contents.items():
        if isinstance(content, ReadFailure):
            api.unread[ref.kind, space.name, ref.name] = _error(content)
        elif content is not None:
            labels = {ALLOW_HOST_LABEL: str(content.allows_host).lower()}
            named: Document = {"name": ref.name, "namespace": space.name, "labels": labels}
            data = dict(content.data)
            api.put({"apiVersion": "v1", "kind": ref.kind, "metadata": named, "data": data})


def _put(api: GoldenApi, namespace: str, lists: Mapping[str, Objects | ReadFailure]) -> None:
    for kind, listed in lists.items():
        if isinstance(listed, ReadFailure):
            api.fail(kind, namespace, _error(listed))
        else:
            for item in _whole(listed, kind, namespace):
                api.put(item)


def _whole(listed: Objects, kind: str, namespace: str) -> Iterator[Document]:
    for item in listed:
        meta = {"namespace": namespace} | item["metadata"]
        yield {"kind": kind} | dict(item) | {"metadata": meta}


def _error(failed: ReadFailure) -> KubeError:
    kind = ForbiddenError if failed.reason is Reason.FORBIDDEN else UnavailableError
    return kind(failed.message)
