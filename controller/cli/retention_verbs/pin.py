"""`ksnapshot pin` and `unpin`: which backups are never pruned."""

from typing import Any

from controller.client.cluster.connection import Connection
from controller.client.retention.marking import mark_backup, marking_verb
from controller.client.terminal.output import clock_of
from dumpers.contract.restore.result import BackupResult


@marking_verb
def pin(connection: Connection, **given: Any) -> None:
    """Keep a backup of WORKLOAD for good, in every storage that it is in.

    ID is as `ksnapshot backups` shows it, or `latest`.
    """

    def say(result: BackupResult) -> str:
        return f"backup {result.backup} of {clock_of(result.began)} is pinned"

    mark_backup(connection, "pin", "pinning a backup", given, say=say)


@marking_verb
def unpin(connection: Connection, **given: Any) -> None:
    """Let a pinned backup of WORKLOAD be pruned again, when its time comes."""

    def say(result: BackupResult) -> str:
        return f"backup {result.backup} is no longer pinned"

    mark_backup(connection, "unpin", "unpinning a backup", given, say=say)
