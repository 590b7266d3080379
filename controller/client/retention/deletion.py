"""Deletes backups in several storages: first all of them say what they would do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.client.cluster.connection import Connection
from controller.client.retention.job import DELETE, job_that_deletes, words_of
from controller.client.retention.target import Target
from controller.client.retention.told import Told, check_whole, run_told
from controller.client.terminal.errors import CommandError, Exit
from controller.manifests.storages.of_cronjob import of_storage
from dumpers.contract import names as variables
from dumpers.contract.retention.result import DeleteResult

_MISSING = "missing"
# As many ids have room in one variable, whose limit is that of one argument of a process.
_IDS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a Job said of one storage: each run that is meant, and what stays in the bucket."""

    storage: str
    told: Told[DeleteResult] = field(repr=False)

    @property
    def backups(self) -> list[dict[str, Any]]:
        """The runs that are meant, and are there."""
        return self._of_kind("backup")

    @property
    def left(self) -> list[dict[str, Any]]:
        """What stays in the bucket."""
        return self._of_kind("left")

    @property
    def missing(self) -> list[str]:
        """The ids that are meant, and are not there."""
        return [str(item["id"]) for item in self._of_kind(_MISSING)]

    @property
    def going(self) -> list[str]:
        """The ids of the runs that go."""
        return [str(item["id"]) for item in self.backups if item.get("deleted")]

    @property
    def room(self) -> int:
        """The bytes of the backups that go, as stored."""
        return sum(int(it.get("stored_bytes") or 0) for it in self.backups if it.get("deleted"))

    def _of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [
            {name: value for name, value in item.items() if name != DELETE}
            for item in self.told.documents
            if item[DELETE] == kind
        ]

    def check_whole(self) -> None:
        """Raise CommandError where a part of what would happen did not come here."""
        told = self.told
        ends = [item for item in told.documents if item[DELETE] == "end"]
        going = [it for it in told.documents if it[DELETE] == "backup" and it.get("deleted")]
        counted = told.result.deleted if told.result else None
        check_whole([*going, *ends], DELETE, "backup", counted)


def look(connection: Connection, target: Target, wanted: str) -> Iterator[Said]:
    """What each storage would do, one after the other; `wanted` as the variable BACKUPS has it."""
    for storage in target.storages:
        yield _run(connection, target, storage, wanted, dry_run=True)


def delete_shown(
    connection: Connection, target: Target, storage: str, ids: Sequence[str]
) -> Iterator[Said]:
    """Delete in one storage what was shown of it, as many ids at a time as a Job can be told."""
    for start in range(0, len(ids), _IDS):
        batch = ",".join(ids[start : start + _IDS])
        yield _run(connection, target, storage, batch, dry_run=False)


def check_found(said: Sequence[Said], key: str) -> None:
    """Raise CommandError where an id is in none of the storages."""
    missing = set.intersection(*(set(item.missing) for item in said))
    if missing:
        where = ", ".join(item.storage for item in said)
        named = ", ".join(map(repr, sorted(missing)))
        raise CommandError(
            f"there is no backup {named} of {key} in {where}: nothing was deleted", Exit.USAGE
        )


def _run(
    connection: Connection, target: Target, storage: str, wanted: str, *, dry_run: bool
) -> Said:
    is_one_of_many = len(target.storages) > 1
    env = {
        **target.env,
        variables.BACKUPS: wanted,
        variables.DRY_RUN: words_of(yes=dry_run),
        **({variables.SKIP_MISSING: words_of(yes=True)} if is_one_of_many else {}),
    }
    cronjob = of_storage(target.cronjob, storage, connection.install.settings)
    body = job_that_deletes(connection, cronjob, DELETE, target.key, env)
    return Said(storage=storage, told=run_told(connection, body, DELETE, DeleteResult.from_json))
