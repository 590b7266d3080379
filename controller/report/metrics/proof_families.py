"""The metrics of what proves backups: verifications by schedule, and drills."""

from controller.report.metrics.family import of_workload

VERIFY_LAST_SUCCESS = of_workload(
    "ksnapshot_verify_last_success_timestamp_seconds",
    "When the last good run ended that verified by schedule.",
)
VERIFY_LAST_ATTEMPT = of_workload(
    "ksnapshot_verify_last_attempt_timestamp_seconds", "When the last of them ended, however."
)
VERIFY_DUE = of_workload(
    "ksnapshot_verify_due_timestamp_seconds",
    "When the next good one must have ended; absent while suspended.",
)
VERIFY_LAST_STATUS = of_workload(
    "ksnapshot_verify_last_status",
    "Whether the last one was good (1) or failed (0), and for which reason.",
    "reason",
)
VERIFY_DAMAGED = of_workload(
    "ksnapshot_verify_damaged_backups", "Backups that are damaged, as the last one knew."
)
VERIFY_OLDEST_UNREAD = of_workload(
    "ksnapshot_verify_oldest_unread_timestamp_seconds",
    "When the oldest backup began that nobody has read yet; absent if there is none.",
)
DRILL_LAST_SUCCESS = of_workload(
    "ksnapshot_drill_last_success_timestamp_seconds", "When the last drill ended that passed."
)
DRILL_LAST_ATTEMPT = of_workload(
    "ksnapshot_drill_last_attempt_timestamp_seconds", "When the last drill ended, however it did."
)
DRILL_DUE = of_workload(
    "ksnapshot_drill_due_timestamp_seconds",
    "When the next drill by schedule must have passed, or have said that it is not possible;"
    " absent while suspended.",
)
DRILL_LAST_STATUS = of_workload(
    "ksnapshot_drill_last_status",
    "Whether the last drill passed (1) or failed (0), and for which reason;"
    " absent where it was not possible.",
    "reason",
)
DRILL_NOT_DRILLABLE = of_workload(
    "ksnapshot_drill_not_drillable", "1 if the last drill was not possible here."
)
DRILL_IN_DOUBT = of_workload(
    "ksnapshot_drill_in_doubt",
    "1 if a backup did not pass a drill, until one of it or a newer passes.",
)
DRILL_DURATION = of_workload(
    "ksnapshot_drill_last_duration_seconds", "How long the last drill took as a whole."
)
DRILL_START = of_workload(
    "ksnapshot_drill_last_start_seconds", "How long its throwaway server took to start."
)
DRILL_RESTORE = of_workload(
    "ksnapshot_drill_last_restore_seconds", "How long the backup took to be restored into it."
)
DRILL_COMPARE = of_workload(
    "ksnapshot_drill_last_compare_seconds", "How long that took to be compared with the dump."
)
DRILL_DATA_AGE = of_workload(
    "ksnapshot_drill_last_data_age_seconds", "How old the data was when the last drill ended."
)
DRILL_TABLES = of_workload(
    "ksnapshot_drill_last_compared_tables", "Tables that the last drill compared."
)
DRILL_DIFFERING = of_workload("ksnapshot_drill_last_differing_tables", "Those that differ.")

VERIFY_FAMILIES = (
    VERIFY_LAST_SUCCESS,
    VERIFY_LAST_ATTEMPT,
    VERIFY_DUE,
    VERIFY_LAST_STATUS,
    VERIFY_DAMAGED,
    VERIFY_OLDEST_UNREAD,
)
DRILL_FAMILIES = (
    DRILL_LAST_SUCCESS,
    DRILL_LAST_ATTEMPT,
    DRILL_DUE,
    DRILL_LAST_STATUS,
    DRILL_NOT_DRILLABLE,
    DRILL_IN_DOUBT,
    DRILL_DURATION,
    DRILL_START,
    DRILL_RESTORE,
    DRILL_COMPARE,
    DRILL_DATA_AGE,
    DRILL_TABLES,
    DRILL_DIFFERING,
)
