"""The settings by which several replicas of the controller agree which one acts."""

from dataclasses import dataclass

from controller.settings import parsers
from controller.settings.setting import setting_field


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectionSettings:
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
