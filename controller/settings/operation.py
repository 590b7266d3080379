"""Settings of how work is shared: which replica acts, and how much tenants may ask for."""

from dataclasses import dataclass

from controller.settings import parsers
from controller.settings.reporting import Reporting
from controller.settings.setting import setting_field

# The patterns where every host is allowed.
ALL_HOSTS = ("*",)
# So many seconds a Job stays at least: passes have to read how its run ended.
_SHORTEST_TTL = 3600


def _time_to_live(text: str) -> int:
    found = parsers.whole(0)(text)
    if 0 < found < _SHORTEST_TTL:
        raise ValueError(f"must be 0, or a whole number from {_SHORTEST_TTL} on")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSettings(Reporting):
    """See Settings, which has these fields."""

    leader_election: bool = setting_field(
        env="LEADER_ELECTION",
        chart="leaderElection.enabled",
        default="false",
        help="`true`: act only while holding the Lease. Empty in the chart: with several replicas.",
        read=parsers.boolean,
    )
    lease_seconds: int = setting_field(
        env="LEASE_DURATION_SECONDS",
        chart="leaderElection.leaseDurationSeconds",
        default="15",
        help="How long another replica waits for a leader that does not renew the Lease.",
        read=parsers.whole(3, 600),
    )
    successful_jobs: int = setting_field(
        env="BACKUP_SUCCESSFUL_JOBS_HISTORY_LIMIT",
        chart="backupJob.successfulJobsHistoryLimit",
        default="3",
        help="How many Jobs that succeeded stay, of each CronJob.",
        read=parsers.whole(1, 100),
    )
    failed_jobs: int = setting_field(
        env="BACKUP_FAILED_JOBS_HISTORY_LIMIT",
        chart="backupJob.failedJobsHistoryLimit",
        default="3",
        help="How many Jobs that failed stay, of each CronJob.",
        read=parsers.whole(1, 100),
    )
    job_ttl: int = setting_field(
        env="BACKUP_JOB_TTL_SECONDS",
        chart="backupJob.ttlSecondsAfterFinished",
        default="0",
        help="Seconds after its end until a Job of a dump goes in any case; 0: never.",
        read=_time_to_live,
    )
    max_concurrent: int = setting_field(
        env="BACKUP_MAX_CONCURRENT",
        chart="backupJob.maxConcurrent",
        default="0",
        help="How many runs by schedule may go on at once; 0: no limit. Needs a living controller.",
        read=parsers.whole(0),
    )
    max_concurrent_per_host: int = setting_field(
        env="BACKUP_MAX_CONCURRENT_PER_HOST",
        chart="backupJob.maxConcurrentPerHost",
        default="0",
        help="How many of them may read one database host at once; 0: no limit.",
        read=parsers.whole(0),
    )
    allowed_hosts: tuple[str, ...] = setting_field(
        env="HOSTS_ALLOWED",
        chart="hosts.allowed",
        default='["*"]',
        help="Hosts that annotations may choose besides Services, as a JSON list: names in which "
        "`*` stands for any characters, addresses, networks.",
        read=parsers.host_patterns,
    )
    workloads_per_namespace: int = setting_field(
        env="LIMITS_WORKLOADS_PER_NAMESPACE",
        chart="limits.workloadsPerNamespace",
        default="0",
        help="How many workloads of one namespace are backed up; 0: no limit.",
        read=parsers.whole(0),
    )
    min_interval: int = setting_field(
        env="LIMITS_MIN_INTERVAL_SECONDS",
        chart="limits.minIntervalSeconds",
        default="0",
        help="Fewest seconds between two runs of a schedule that an annotation asks for; 0: any.",
        read=parsers.whole(0),
    )
