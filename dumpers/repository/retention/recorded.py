"""The policy that counts for a CronJob's backups, and the proof: those of its newest manifest."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from dumpers.contract.names import PROOF_DRILLED, PROOF_READ
from dumpers.repository.catalogue import Entry
from dumpers.repository.retention.policy import Policy, PolicyError, parse_policy
from dumpers.repository.retention.proof import Grade

_SHOWN = 40
_GRADES = {"": Grade.STORED, PROOF_READ: Grade.READ, PROOF_DRILLED: Grade.DRILLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedPolicy:
    """A policy, None where everything is kept, and the zone that cuts its days.

    `required` is the proof that a backup needs to cover others. `fault` says why a policy that was
    recorded does not count; empty where there is no fault.
    """

    policy: Policy | None
    zone: tzinfo = UTC
    required: Grade = Grade.STORED
    fault: str = ""


def recorded_policy(entries: Iterable[Entry], now: datetime) -> RecordedPolicy:
    """The policy in the newest good backup of one CronJob, those of the future left out.

    What cannot be read keeps everything: a wrong policy, days of a wrong zone, or less proof than
    was asked for would delete.
    """
    good = [entry for entry in entries if entry.is_restorable and entry.started <= now]
    newest = max(good, key=lambda entry: (entry.started, entry.record), default=None)
    if newest is None or newest.retention is None:
        return RecordedPolicy(policy=None)
    recorded = newest.retention
    try:
        policy = parse_policy(recorded.policy)
    except PolicyError as error:
        return RecordedPolicy(policy=None, fault=f"the policy in {newest.record} {error}")
    try:
        zone = ZoneInfo(recorded.time_zone)
    except (ValueError, OSError, KeyError):
        fault = (
            f"the time zone {recorded.time_zone[:_SHOWN]!r} in {newest.record} is not known here"
        )
        return RecordedPolicy(policy=None, fault=fault)
    required = _GRADES.get(newest.required_proof)
    if required is None:
        shown = repr(newest.required_proof[:_SHOWN])
        fault = f"the proof {shown} that {newest.record} wants is not known here"
        return RecordedPolicy(policy=None, fault=fault)
    return RecordedPolicy(policy=policy, zone=zone, required=required)
