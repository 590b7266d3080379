"""The options of `ksnapshot restore` as values, checked against each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from controller.client.restore.moments import choose_backup
from controller.client.restore.options import (
    Address,
    OptionError,
    parse_address,
    parse_list,
    parse_names,
)
from dumpers.contract.restore.request import RestoreMode, RestoreRequest

_MODES = (RestoreMode.BESIDE, RestoreMode.OVERWRITE, RestoreMode.SWAP)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreWanted:
    """What a person wants; `backup` is as the variable BACKUP has it, what is not said is empty."""

    backup: str
    request: RestoreRequest
    address: Address
    to_workload: str
    credentials_secret: str
    identity: Path | None
    identity_secret: str
    from_cluster: str
    plan: bool

    @property
    def writes_in_place(self) -> bool:
        """Whether it writes what a dump of the target's CronJob would read meanwhile."""
        return not self.plan and self.request.mode is not RestoreMode.BESIDE


def read_wanted(options: Mapping[str, Any], now: datetime | None = None) -> RestoreWanted:
    """Read the options by their names; OptionError where they cannot be meant."""
    if options["identity"] and options["identity_secret"]:
        raise OptionError("--identity and --identity-secret: give one of them")
    if options["to_workload"] and options["to"]:
        raise OptionError("--to and --to-workload: give one of them")
    return RestoreWanted(
        backup=choose_backup(
            options["backup"], options["at"], now or datetime.now(UTC), named="--backup"
        ),
        request=_request(options),
        address=parse_address(options["to"]) if options["to"] else Address(),
        to_workload=options["to_workload"],
        credentials_secret=options["credentials_secret"],
        identity=options["identity"],
        identity_secret=options["identity_secret"],
        from_cluster=options["from_cluster"],
        plan=options["plan"],
    )


def _request(options: Mapping[str, Any]) -> RestoreRequest:
    default = RestoreRequest()
    return RestoreRequest(
        mode=_mode([mode for mode in _MODES if options[mode.value]]),
        databases=parse_list(options["databases"]),
        tables=parse_list(options["tables"]),
        partitions=options["partitions"],
        names=parse_names(options["renamed"]) or None,
        suffix=options["suffix"] or default.suffix,
        globals=options["with_globals"],
        parallelism=options["parallelism"],
    )


def _mode(chosen: Sequence[RestoreMode]) -> RestoreMode:
    if len(chosen) > 1:
        raise OptionError(f"{' and '.join(f'--{mode}' for mode in chosen)}: give one of them")
    return chosen[0] if chosen else RestoreMode.EMPTY
