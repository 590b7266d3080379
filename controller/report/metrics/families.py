"""Every metric of the controller: its name, what it means, and its labels.

docs/operations.md lists them in this order. All are in base units; a moment is in seconds since the
epoch.
"""

from controller.report.metrics.family import Family, Kind, of_workload
from controller.report.metrics.proof_families import DRILL_FAMILIES, VERIFY_FAMILIES
from controller.report.metrics.storage_figures import STORAGE_FAMILIES

LAST_SUCCESS = of_workload(
    "ksnapshot_backup_last_success_timestamp_seconds", "When the last good run ended."
)
LAST_ATTEMPT = of_workload(
    "ksnapshot_backup_last_attempt_timestamp_seconds", "When the last run ended, however it did."
)
DUE = of_workload(
    "ksnapshot_backup_due_timestamp_seconds",
    "When the next good run must have ended, by schedule, last good run and deadlines;"
    " absent while suspended.",
)
RUNNING_SINCE = of_workload(
    "ksnapshot_backup_running_since_timestamp_seconds",
    "When the run began that has not ended yet; absent if there is none.",
)
LAST_DURATION = of_workload("ksnapshot_backup_last_duration_seconds", "How long the last run took.")
LAST_SOURCE = of_workload(
    "ksnapshot_backup_last_source_bytes", "What left the dump tool in the last good run."
)
LAST_STORED = of_workload(
    "ksnapshot_backup_last_stored_bytes", "What the last good run has stored."
)
LAST_STATUS = of_workload(
    "ksnapshot_backup_last_status",
    "Whether the last run was good (1) or failed (0), for which reason, and whose trouble that is.",
    "engine",
    "host",
    "reason",
    "cause",
)
CONSECUTIVE_FAILURES = of_workload(
    "ksnapshot_backup_consecutive_failures", "Runs that failed since the last good one."
)
NOTES = of_workload(
    "ksnapshot_backup_notes", "Kinds of notes on the last good run that nobody accepted."
)
NEW_NOTES = of_workload(
    "ksnapshot_backup_new_notes",
    "Those of them that one of the seven good runs before did not have.",
)
SHRUNK = of_workload(
    "ksnapshot_backup_shrunk",
    "1 if the last good run is smaller than half of what is usual, until that is accepted.",
)
FIRST_RESTORABLE = of_workload(
    "ksnapshot_backup_first_restorable_timestamp_seconds",
    "When the oldest backup in the bucket began, as the last run or proof saw it.",
)
SUSPENDED_SINCE = of_workload(
    "ksnapshot_suspended_since_timestamp_seconds",
    "Since when the schedule is suspended; absent while it is not.",
)
STATE_SINCE = of_workload(
    "ksnapshot_workload_state_since_timestamp_seconds",
    "Since when a workload that is not plainly backed up has this state and reason.",
    "state",
    "reason",
)
RUNS = of_workload(
    "ksnapshot_backup_runs_total",
    "Runs whose end this process has recorded; reasons beyond a few are `Other`.",
    "outcome",
    "reason",
    kind=Kind.COUNTER,
)
DURATIONS = Family(
    name="ksnapshot_backup_duration_seconds",
    help="How long runs took whose end this process has recorded.",
    labels=("engine",),
    kind=Kind.HISTOGRAM,
)
RESTORES = Family(
    name="ksnapshot_restore_runs_total",
    help="Restores whose end this process has seen.",
    labels=("outcome", "reason"),
    kind=Kind.COUNTER,
)
PRUNE_LAST_SUCCESS = Family(
    name="ksnapshot_prune_last_success_timestamp_seconds", help="When the last good prune ended."
)
PRUNE_LAST_ATTEMPT = Family(
    name="ksnapshot_prune_last_attempt_timestamp_seconds",
    help="When the last prune ended, however it did.",
)
PRUNE_DUE = Family(
    name="ksnapshot_prune_due_timestamp_seconds",
    help="When the next good prune must have ended, by schedule, last good one and deadline.",
)
PRUNE_LAST_STATUS = Family(
    name="ksnapshot_prune_last_status",
    help="Whether the last prune was good (1) or failed (0), and for which reason.",
    labels=("reason",),
)
PRUNE_HELD_BACK = Family(
    name="ksnapshot_prune_held_back_backups",
    help="Backups that a policy wants gone and no newer, proved one covers, by the last good prune"
    " of each storage.",
)
PRUNE_SHRUNK = Family(
    name="ksnapshot_prune_shrunk_backups",
    help="Backups that are too small to cover any, until that is accepted, by the last good prune"
    " of each storage.",
)
PRUNE_LEFT = Family(
    name="ksnapshot_prune_left_objects",
    help="Objects that the store does not let go yet, by the last good prune of each storage.",
)
PRUNE_DELETED = Family(
    name="ksnapshot_prune_deleted_backups_total",
    help="Backups that were deleted by prunes whose end this process has seen.",
    kind=Kind.COUNTER,
)
PRUNE_FREED = Family(
    name="ksnapshot_prune_freed_bytes_total",
    help="What the store gave back by them.",
    kind=Kind.COUNTER,
)
WORKLOADS = Family(
    name="ksnapshot_workloads",
    help="Annotated workloads and existing CronJobs by state and reason.",
    labels=("state", "reason"),
)
PASS_DURATION = Family(name="ksnapshot_pass_duration_seconds", help="Wall time of the last pass.")
PASS_FAILURES = Family(name="ksnapshot_pass_failures", help="What the last pass could not do.")
LAST_GOOD_PASS = Family(
    name="ksnapshot_last_successful_pass_timestamp_seconds",
    help="When the last pass without failures ended.",
)
API_REQUESTS = Family(
    name="ksnapshot_api_requests_total",
    help="Requests to the Kubernetes API by verb and code, which is `none` without an answer.",
    labels=("verb", "code"),
    kind=Kind.COUNTER,
)
NOTIFICATIONS = Family(
    name="ksnapshot_notifications_total",
    help="Notifications by target, and whether they were `sent`, `failed` or `dropped`.",
    labels=("target", "outcome"),
    kind=Kind.COUNTER,
)
LEADER = Family(name="ksnapshot_leader", help="Whether this controller is the one that acts.")
BUILD_INFO = Family(
    name="ksnapshot_build_info", help="Always 1; which version this is.", labels=("version",)
)

# At most one series of each for a workload, except RUNS, and for a storage where it has several.
WORKLOAD_FAMILIES = (
    LAST_SUCCESS,
    LAST_ATTEMPT,
    DUE,
    RUNNING_SINCE,
    LAST_DURATION,
    LAST_SOURCE,
    LAST_STORED,
    LAST_STATUS,
    CONSECUTIVE_FAILURES,
    NOTES,
    NEW_NOTES,
    SHRUNK,
    FIRST_RESTORABLE,
    *STORAGE_FAMILIES,
    SUSPENDED_SINCE,
    STATE_SINCE,
    *VERIFY_FAMILIES,
    *DRILL_FAMILIES,
)
FAMILIES = (
    *WORKLOAD_FAMILIES,
    RUNS,
    DURATIONS,
    RESTORES,
    PRUNE_LAST_SUCCESS,
    PRUNE_LAST_ATTEMPT,
    PRUNE_DUE,
    PRUNE_LAST_STATUS,
    PRUNE_HELD_BACK,
    PRUNE_SHRUNK,
    PRUNE_LEFT,
    PRUNE_DELETED,
    PRUNE_FREED,
    WORKLOADS,
    PASS_DURATION,
    PASS_FAILURES,
    LAST_GOOD_PASS,
    API_REQUESTS,
    NOTIFICATIONS,
    LEADER,
    BUILD_INFO,
)
