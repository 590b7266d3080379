"""Whether backups of a workload are drilled by its schedule, by which server and in which room."""

import math
from dataclasses import dataclass

from controller.model.names import LAST_DRILL, LAST_RESULT, LAST_SUCCESS
from controller.model.objects import Json, recorded
from controller.model.status import Reason, Rejected
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.drilling.server_image import choose_image
from dumpers.contract import names as variables
from dumpers.contract.drill.result import Outcome
from dumpers.contract.drill.server import ThrowawayServer

# A server needs more room than the dump has bytes: indexes, logs, and what loading takes.
_FACTOR = 3
_SMALLEST = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """A throwaway server: its image, and the bytes that it may need, None where nobody can say."""

    server: ThrowawayServer
    image: str
    room: int | None


def _why_never(spec: BackupSpec, settings: Settings) -> Rejected | None:
    """Why backups of a workload cannot be drilled at all; None where they can."""
    if spec.engine.drill_server is None:
        why = f"backups of {spec.engine.title} cannot be drilled by this version"
    elif spec.request.recipient and not settings.identity_secret:
        why = "its backups are encrypted, and the operator has no identitySecret to read them with"
    else:
        return None
    return Rejected(Reason.NOT_DRILLABLE, f"it is not drilled: {why}")


def drilled_of(
    spec: BackupSpec, settings: Settings, cronjob: Json | None
) -> Drilled | Rejected | None:
    """The server of a workload's drills, or why there are none; None where none are asked for.

    `cronjob` is its dump CronJob, which records what its dumps have told; None before the first.
    """
    server = spec.engine.drill_server
    if not spec.request.drill_schedule:
        return None
    if (why := _why_never(spec, settings)) or server is None:
        return why
    version = server_version_of(cronjob or {})
    image = choose_image(spec.engine, spec.server_image, version, settings)
    if isinstance(image, Rejected):
        return image
    return Drilled(server=server, image=image, room=room_of(cronjob or {}))


def required_proof(
    spec: BackupSpec, drilled: Drilled | Rejected | None, cronjob: Json | None
) -> str:
    """What proves a backup of the workload; empty for no more than that it was stored.

    Drills do only where they can be made, by all that `cronjob`, its dump CronJob, records of the
    last one: else no backup would ever cover another.
    """
    if isinstance(drilled, Drilled) and not _is_impossible(cronjob or {}):
        return variables.PROOF_DRILLED
    return variables.PROOF_READ if spec.request.verify_schedule else ""


def _is_impossible(cronjob: Json) -> bool:
    """Whether the last drill found that no drill can be made of the backup that it was to try."""
    last = recorded(cronjob, LAST_DRILL)
    return last.get("outcome") == Outcome.NOT_DRILLABLE and bool(last.get("backup"))


def server_version_of(cronjob: Json) -> str:
    """The version of the server that was dumped last; empty where no dump has told it."""
    told = (recorded(cronjob, key).get("server_version") for key in (LAST_SUCCESS, LAST_RESULT))
    return next((text for text in told if isinstance(text, str) and text), "")


def room_of(cronjob: Json) -> int | None:
    """The bytes that a server with the last good backup may need; None where nobody can say.

    It is a power of two, so that it seldom changes.
    """
    size = recorded(cronjob, LAST_SUCCESS).get("source_bytes")
    if not isinstance(size, int) or isinstance(size, bool) or size <= 0:
        return None
    return max(_SMALLEST, 1 << math.ceil(math.log2(size * _FACTOR)))
