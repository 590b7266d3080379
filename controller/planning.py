"""What to do with every CronJob and Secret of one namespace's workloads, each with its reason."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from controller import claims, desired, lifecycle, names, results, specs
from controller.config import Settings, UnwatchedPolicy
from controller.diff import overlay
from controller.inventory import CRONJOB, SECRET, Inventory, is_ours, owner_of
from controller.reasons import Failed, Reason, Rejected, State, Verdict
from controller.specs import BackupSpec
from controller.view import (
    ClusterView,
    Json,
    ObjectRef,
    annotations_of,
    name_of,
    owner_references,
    uid_of,
)
from controller.workloads import Workload, Workloads, find
from dumpers.contract import DEFAULT_CLUSTER

_NOTHING = Workloads(items=(), unresolved=True)


class Verb(StrEnum):
    """What is done with one object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One write. `before` is the object as listed, `after` the whole object to send.

    The uid of a CronJob that is yet to be created is empty in its Secret's ownerReference.
    """

    verb: Verb
    kind: str
    name: str
    before: Json | None = field(default=None, repr=False)
    after: Json | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One workload's part of a plan; no steps means that everything is kept as it is.

    `steps` are in order, and a failed one stops those behind it. `cronjob` is empty while there
    is none. `kept` is the CronJob as it will be after the pass, None without one.
    """

    namespace: str
    workload: str
    cronjob: str
    verdict: Verdict
    steps: tuple[Step, ...] = ()
    kept: Json | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a pass does for one namespace; `gone_passes` is to be remembered for the next."""

    items: tuple[Item, ...]
    gone_passes: Mapping[str, int]


def namespaces(view: ClusterView, inventory: Inventory) -> tuple[str, ...]:
    """The namespaces to plan for: the watched ones, and those that existing CronJobs come from."""
    return tuple(sorted({*inventory.ours, *view.namespaces}))


def plan(view: ClusterView, inventory: Inventory, settings: Settings, namespace: str) -> Plan:
    """Decide for one namespace, from nothing but the view."""
    watched = view.namespaces.get(namespace)
    found = find(watched, settings) if watched and watched.exists is not False else _NOTHING
    wanted: dict[str, BackupSpec] = {}
    refused: dict[ObjectRef, Rejected] = {}
    for workload in found.items:
        spec = _parse(workload, found, view, inventory, settings)
        if isinstance(spec, BackupSpec):
            wanted[spec.name] = spec
        else:
            refused[workload.owner.ref] = spec
    existing = inventory.ours.get(namespace, {})
    remembered = {uid_of(cronjob): 0 for cronjob in existing.values()}
    items = [_wanted(spec, view, inventory, settings) for spec in wanted.values()]
    # What is yet to be made replaces nothing.
    standing = frozenset(name for name in wanted if name in inventory.cronjobs)
    for name, cronjob in existing.items():
        if name not in wanted:
            verdict = lifecycle.judge(cronjob, watched, found, standing, refused)
            item, passes = _unwanted(cronjob, verdict, view, inventory, settings)
            items.append(item)
            remembered[uid_of(cronjob)] = passes
    recorded = {owner_of(cronjob)[1] for cronjob in existing.values()}
    items += [
        _rejected(workload, refused[workload.owner.ref])
        for workload in found.items
        if workload.owner.ref in refused and not _stands(workload.owner.ref, recorded)
    ]
    return Plan(items=tuple(sorted(items, key=_order)), gone_passes=remembered)


def _parse(
    workload: Workload,
    found: Workloads,
    view: ClusterView,
    inventory: Inventory,
    settings: Settings,
) -> BackupSpec | Rejected:
    if inventory.failed:
        return Rejected(inventory.failed.reason, inventory.failed.message)
    spec = specs.parse(workload, view.namespaces[workload.owner.namespace])
    if isinstance(spec, Rejected):
        return spec
    refused = claims.refusal(
        workload=workload, spec=spec, found=found, view=view, inventory=inventory, settings=settings
    )
    return refused or spec


def _stands(ref: ObjectRef, recorded: set[ObjectRef]) -> bool:
    """Whether a CronJob, and so an item, stands for this owner already."""
    return ref in recorded or ObjectRef(kind="", name=ref.name) in recorded


def _wanted(spec: BackupSpec, view: ClusterView, inventory: Inventory, settings: Settings) -> Item:
    existing = inventory.cronjobs.get(spec.name)
    item = Item(
        namespace=spec.owner.namespace,
        workload=spec.owner.key,
        cronjob=spec.name,
        verdict=Verdict(state=State.WANTED, reason=Reason.ANNOTATED),
    )
    cluster = _cluster(view, existing)
    if isinstance(cluster, Failed):
        return replace(item, verdict=Verdict.unknown(cluster), kept=existing)
    target = overlay(existing, desired.cronjob(spec, settings, cluster))
    target = _with_results(target, existing, inventory)
    steps = [_write(CRONJOB, existing, target)]
    uid = uid_of(existing) if existing else ""
    if (mirrored := desired.secret(spec, settings, uid)) is not None:
        secret = inventory.secrets.get(names.secret_name(spec.name))
        steps.append(_write(SECRET, secret, overlay(secret, mirrored)))
    return replace(item, steps=tuple(filter(None, steps)), kept=target)


def _cluster(view: ClusterView, existing: Json | None) -> str | Failed:
    """The cluster id; while it cannot be read, the recorded one must not change.

    Without any: no right to read the kube-system namespace is a way to run, and means `default`;
    a read that failed otherwise is to be waited for.
    """
    if not isinstance(view.cluster, Failed):
        return view.cluster
    recorded = annotations_of(existing).get(names.CLUSTER) if existing else None
    if recorded:
        return recorded
    if view.cluster.reason is Reason.FORBIDDEN:
        return DEFAULT_CLUSTER
    return Failed(Reason.CLUSTER_UNKNOWN, f"the cluster id is not known: {view.cluster.message}")


def _write(kind: str, existing: Json | None, target: Json) -> Step | None:
    if existing == target:
        return None
    verb = Verb.UPDATE if existing else Verb.CREATE
    return Step(verb=verb, kind=kind, name=name_of(target), before=existing, after=target)


def _with_results(target: Json, existing: Json | None, inventory: Inventory) -> Json:
    jobs, pods = inventory.jobs, inventory.pods
    if existing is None or isinstance(jobs, Failed) or isinstance(pods, Failed):
        return target
    told = results.annotations(existing, jobs.get(uid_of(existing), ()), pods)
    return overlay(target, {"metadata": {"annotations": told}}) if told else target


def _unwanted(
    cronjob: Json, verdict: Verdict, view: ClusterView, inventory: Inventory, settings: Settings
) -> tuple[Item, int]:
    """The item of a CronJob that is not wanted, and its passes gone in a row."""
    namespace, _ = owner_of(cronjob)
    item = Item(
        namespace=namespace,
        workload=annotations_of(cronjob)[names.OWNER],
        cronjob=name_of(cronjob),
        verdict=verdict,
    )
    target, passes = cronjob, 0
    if _leaves(verdict, settings):
        found = lifecycle.streak(cronjob, view)
        passes = found.passes
        if lifecycle.due(found, settings, view.now) and _idle(cronjob, inventory):
            return replace(item, steps=tuple(_deletion(cronjob, inventory, settings))), passes
        since = {names.GONE_SINCE: lifecycle.stamp(found.since)}
        target = overlay(cronjob, {"metadata": {"annotations": since}})
    if names.INSTANCE in annotations_of(cronjob):
        target = _with_results(target, cronjob, inventory)
    steps = tuple(filter(None, [_write(CRONJOB, cronjob, target)]))
    return replace(item, steps=steps, kept=target), passes


def _leaves(verdict: Verdict, settings: Settings) -> bool:
    if verdict.state is State.UNWATCHED:
        return settings.unwatched_policy is UnwatchedPolicy.DELETE
    return verdict.state in {State.GONE, State.REPLACED}


def _idle(cronjob: Json, inventory: Inventory) -> bool:
    """Whether it is known that no Job of it is active, and which Secret goes with it."""
    jobs = inventory.jobs
    if isinstance(jobs, Failed) or inventory.failed:
        return False
    return not results.active(cronjob, jobs.get(uid_of(cronjob), ()))


def _deletion(cronjob: Json, inventory: Inventory, settings: Settings) -> Iterator[Step]:
    """The CronJob goes and takes its Secret along, except one that does not name it as owner."""
    name, uid = name_of(cronjob), uid_of(cronjob)
    yield Step(verb=Verb.DELETE, kind=CRONJOB, name=name, before=cronjob)
    secret = inventory.secrets.get(names.secret_name(name))
    if secret is None or not is_ours(secret, settings):
        return
    if all(owner.get("uid") != uid for owner in owner_references(secret)):
        yield Step(verb=Verb.DELETE, kind=SECRET, name=name_of(secret), before=secret)


def _rejected(workload: Workload, why: Rejected) -> Item:
    return Item(
        namespace=workload.owner.namespace,
        workload=workload.key,
        cronjob="",
        verdict=Verdict.unknown(why),
    )


def _order(item: Item) -> tuple[str, str, str]:
    return item.workload, item.cronjob, item.verdict.reason
