import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import click

from controller.cli.common import connect, load_settings
from controller.loop import reconcile
from controller.model.kinds import SECRET
from controller.model.view import ClusterView, failed_reads
from controller.observe import cluster, view_yaml
from controller.plan import overlay
from controller.plan.changes import Action, Change, WorkloadPlan
from controller.settings.settings import Settings
from controller.workloads.schedules import next_run

_HIDDEN = "(hidden)"
_MARKS = {Action.CREATE: "+", Action.UPDATE: "~", Action.DELETE: "-"}


@click.command()
@click.option(
    "--from-file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Replay a view from YAML instead of reading the cluster.",
)
def plan(file: Path | None) -> None:
    """Show what a pass would do, and why, without doing it."""
    settings = load_settings()
    if file:
        try:
            view = view_yaml.load(file.read_bytes())
            lines = list(render(view, settings))
        except (view_yaml.ReplayError, OSError) as error:
            click.echo(f"error: {file}: {error}", err=True)
            sys.exit(1)
        except Exception as error:  # noqa: BLE001  whatever the file holds; its content stays out
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
            click.echo(f"error: {file}: no plan can be made of it: {place}", err=True)
            sys.exit(1)
    else:
        api = connect(settings, Event())
        now = datetime.now(UTC)
        made = cluster.observe_cluster(
            api, settings, cluster.ObservationCache(), now=now, isolate=reconcile.isolate
        )
        lines = list(render(made.view, settings))
    for line in lines:
        click.echo(line)


def render(view: ClusterView, settings: Settings) -> Iterator[str]:
    """The plan for a person: each workload's state and reason, then what changes."""
    for failure in failed_reads(view):
        yield f"! {failure}"
    writes = 0
    for namespace, made in reconcile.plans(view, settings):
        if made is None:
            yield f"! {namespace}: no plan could be made, see the log"
            continue
        for item in made.items:
            writes += len(item.changes)
            yield from _item(item, view)
    yield f"{writes} write{'' if writes == 1 else 's'}"


def _item(item: WorkloadPlan, view: ClusterView) -> Iterator[str]:
    verdict = item.status
    why = f": {verdict.message}" if verdict.message else ""
    yield f"{item.workload}  {verdict.state} ({verdict.reason}){why}"
    if item.kept and item.cronjob and not item.changes:
        yield f"    keep CronJob {item.cronjob}{_next(item.kept, view)}"
    for step in item.changes:
        yield f"  {_MARKS[step.action]} {step.action} {step.kind} {step.name}"
        if step.action is not Action.DELETE:
            yield from _changes(step)


def _next(cronjob: Any, view: ClusterView) -> str:
    spec = cronjob.get("spec") or {}
    try:
        following = next_run(spec["schedule"], spec.get("timeZone") or "Etc/UTC", view.now)
    except (KeyError, ValueError):
        return ""
    return f", next run {following:%Y-%m-%d %H:%M %Z}" if following else ", never runs"


def _changes(step: Change) -> Iterator[str]:
    for change in overlay.field_changes(step.before or {}, step.after or {}):
        hidden = step.kind == SECRET and change.path.partition(".")[0] in {"data", "stringData"}
        before, after = (
            _HIDDEN if hidden and value is not None else _short(value)
            for value in (change.before, change.after)
        )
        if change.before is None:
            yield f"      {change.path}: {after}"
        else:
            yield f"      {change.path}: {before} → {after}"


def _short(value: Any) -> str:
    return "(absent)" if value is None else str(value)
