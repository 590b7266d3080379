"""Settings of how work is shared: which replica acts, and how many runs may go on at once."""

from dataclasses import dataclass

from controller.settings import parsers
from controller.settings.reporting import Reporting
from controller.settings.setting import setting_field


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
