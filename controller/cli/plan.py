import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import click

from controller.cli.common import connect, load_settings
from controller.client.cluster.connection import Connection, connected
from controller.client.status.past_run import read_run
from controller.client.terminal.errors import VerbCommand
from controller.client.terminal.output import note
from controller.loop import reconcile
from controller.loop.release import plan_releases
from controller.manifests import overlay
from controller.model.kinds import SECRET
from controller.model.names import CLASS, LAST_SUCCESS
from controller.model.objects import Json, annotations_of, name_of, recorded
from controller.model.view import ClusterView, failed_reads
from controller.observe import cluster, view_yaml
from controller.plan import owned
from controller.plan.blocked_runs import blocked_runs_of, describe_blocked_run
from controller.plan.changes import Action, Change, WorkloadPlan
from controller.plan.owned import OwnedObjects
from controller.runs.releases.choice import Run, due_since, limits_of
from controller.settings.settings import Settings
from controller.workloads.timing.run_times import next_run
from dumpers.contract.names import ENCRYPTION_RECIPIENT
from dumpers.contract.recipients import check_recipients, holds_private_key

_WATCH_NAMESPACES = "WATCH_NAMESPACES"
_HIDDEN = "(hidden)"
# What begins the lines of what a pass could not read or plan.
_TROUBLE = "! "
_MARKS = {Action.CREATE: "+", Action.UPDATE: "~", Action.DELETE: "-"}


@click.command(cls=VerbCommand)
@click.option(
    "--from-file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Replay a view from YAML instead of reading the cluster.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with 1 where part of the cluster could not be read, or no plan be made.",
)
@connected
def plan(connection: Connection, *, file: Path | None, strict: bool) -> None:
    """Show what a pass would do, and why, without doing it.

    The settings are those of the environment if WATCH_NAMESPACES is set there, else those of the
    installed controller.
    """
    if file:
        lines = _lines_of_file(file, load_settings())
    else:
        lines = _lines_of_cluster(connection, _settings(connection))
    for line in lines:
        click.echo(line)
    if strict and any(line.startswith(_TROUBLE) for line in lines):
        sys.exit(1)


def _settings(connection: Connection) -> Settings:
    """Take the settings from the environment, else from the installed controller."""
    if os.environ.get(_WATCH_NAMESPACES):
        return load_settings()
    install = connection.install
    note(f"with the settings of the controller {install.namespace}/{install.name}")
    if install.elsewhere:
        note(f"not known, as they come from elsewhere: {', '.join(install.elsewhere)}")
    return install.settings


def render(view: ClusterView, settings: Settings) -> Iterator[str]:
    """Write the plan for a person: each workload's state and reason, what changes, what begins."""
    for failure in dict.fromkeys(failed_reads(view)):
        yield f"{_TROUBLE}{failure}"
    owned_objects = owned.index_owned(view, settings)
    writes = 0
    for namespace, namespace_plan in reconcile.plans(view, settings):
        if namespace_plan is None:
            yield f"{_TROUBLE}{namespace}: no plan could be made, see the log"
            continue
        for workload_plan in namespace_plan.items:
            writes += len(workload_plan.changes)
            yield from _workload(workload_plan, view, owned_objects)
    for run, is_released in plan_releases(view.control, settings):
        writes += is_released
        yield _waiting_run(run, settings, is_released=is_released)
    yield f"{writes} write{'' if writes == 1 else 's'}"


def _lines_of_file(file: Path, settings: Settings) -> list[str]:
    """Plan from a view in YAML; print what is wrong with the file and exit with 1."""
    try:
        return list(render(view_yaml.load(file.read_bytes()), settings))
    except (view_yaml.ReplayError, OSError) as error:
        click.echo(f"error: {file}: {error}", err=True)
    except Exception as error:  # noqa: BLE001  whatever the file holds; its content stays out
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
        click.echo(f"error: {file}: no plan can be made of it: {place}", err=True)
    sys.exit(1)


def _lines_of_cluster(connection: Connection, settings: Settings) -> list[str]:
    observation = cluster.observe_cluster(
        connect(
            settings,
            Event(),
            kubeconfig=connection.kubeconfig,
            context=connection.context,
        ),
        settings,
        cluster.ObservationCache(),
        now=datetime.now(UTC),
        isolate=reconcile.isolate,
    )
    return list(render(observation.view, settings))


def _workload(
    workload_plan: WorkloadPlan, view: ClusterView, owned_objects: OwnedObjects
) -> Iterator[str]:
    status, kept = workload_plan.status, workload_plan.kept
    why = f": {status.message}" if status.message else ""
    yield f"{workload_plan.workload}  {status.state} ({status.reason}){why}"
    if backup_class := annotations_of(kept or {}).get(CLASS):
        yield f"    class {backup_class}"
    if kept and workload_plan.cronjob and not workload_plan.changes:
        yield f"    keep CronJob {workload_plan.cronjob}{_next_run(kept, view)}"
        yield from _last_backup(kept)
    for line in map(describe_blocked_run, blocked_runs_of(kept, owned_objects, view)):
        if line not in status.message:
            yield f"    {line}"
    for change in workload_plan.changes:
        yield f"  {_MARKS[change.action]} {change.action} {change.kind} {change.name}"
        if change.action is not Action.DELETE:
            yield from _field_changes(change)


def _waiting_run(run: Run, settings: Settings, *, is_released: bool) -> str:
    """Say of a run that waits whether it begins, and for what it waits else."""
    about = f"Job {name_of(run.job)}, due {due_since(run.job):%Y-%m-%d %H:%M %Z}"
    if is_released:
        return f"  > release {about}"
    if run.is_held:
        return f"  . hold {about}: a restore keeps it back"
    return f"  . hold {about}: no place is free ({limits_of(settings).describe()})"


def _last_backup(cronjob: Json) -> Iterator[str]:
    """Write which notes the last backup has; nothing where it has none, or none is known."""
    last = read_run(recorded(cronjob, LAST_SUCCESS))
    if last and last.shown_notes:
        when = f"{last.finished:%Y-%m-%d %H:%M %Z}" if last.finished else "at an unknown time"
        yield f"    last backup, {when}, with notes: {last.shown_notes}"


def _next_run(cronjob: Json, view: ClusterView) -> str:
    """Return `, next run …` of a CronJob; empty if its schedule cannot be read."""
    spec = cronjob.get("spec") or {}
    try:
        following = next_run(spec["schedule"], spec.get("timeZone") or "Etc/UTC", view.now)
    except (KeyError, ValueError):
        return ""
    return f", next run {following:%Y-%m-%d %H:%M %Z}" if following else ", never runs"


def _field_changes(change: Change) -> Iterator[str]:
    """Write one line for each changed field, the values of Secrets hidden."""
    for field in overlay.field_changes(change.before or {}, change.after or {}):
        hidden = change.kind == SECRET and field.path.partition(".")[0] in {"data", "stringData"}
        is_recipient = f"[{ENCRYPTION_RECIPIENT}]" in field.path
        before, after = (
            _HIDDEN if hidden and value is not None else _shown(value, is_recipient=is_recipient)
            for value in (field.before, field.after)
        )
        if field.before is None:
            yield f"      {field.path}: {after}"
        else:
            yield f"      {field.path}: {before} → {after}"


def _shown(value: Any, *, is_recipient: bool) -> str:
    """Show a value, but no private key, and of ENCRYPTION_RECIPIENT nothing but real recipients.

    0.6.0 wrote there whatever was given. Of a private key without its prefix, or in another
    encoding, nothing but the place could be known.
    """
    text = "(absent)" if value is None else str(value)
    if isinstance(value, Mapping):
        is_recipient |= value.get("name") == ENCRYPTION_RECIPIENT
        value = value.get("value")
    try:
        if is_recipient and value:
            check_recipients(str(value))
    except ValueError:
        return _HIDDEN
    return _HIDDEN if holds_private_key(text) else text
