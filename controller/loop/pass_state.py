"""The state that one pass leaves for the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.model.status import WorkloadStatus
from controller.observe.cluster import ObservationCache
from controller.plan.changes import WrittenObject
from controller.plan.laid_manifests import LaidManifests
from controller.report.events.event_writer import EventMemory
from controller.report.page.findings import Findings
from controller.report.written_status import StatusMemory


@dataclass(slots=True, kw_only=True)
class PassState:
    """Everything here may be lost at any time, as when the process starts anew.

    `gone_passes` counts by CronJob uid how many passes in a row saw its workload gone.
    `last_written` holds by uid the body that was last written and the resourceVersion that this
    made, as long as the plan still changes that object. `last_logged` is the last logged status
    by workload and CronJob. `laid` is what manifests made of the existing objects. `status` is what
    is known of the ConfigMaps that show the state of workloads, `events` what their people were
    told by Events. `findings` are what the status page shows, None before the first pass.
    """

    observation: ObservationCache = field(default_factory=ObservationCache)
    gone_passes: Mapping[str, int] = field(default_factory=dict)
    last_written: Mapping[str, WrittenObject] = field(default_factory=dict, repr=False)
    last_logged: Mapping[tuple[str, str], WorkloadStatus] = field(default_factory=dict)
    laid: LaidManifests = field(default_factory=LaidManifests, repr=False)
    status: StatusMemory = field(default_factory=StatusMemory, repr=False)
    events: EventMemory = field(default_factory=EventMemory, repr=False)
    findings: Findings | None = field(default=None, repr=False)
