"""The lists of backups that a sidecar shows, and what it counts in them."""

import datetime as dt

from tests.testbed.sidecars.backups import local, remote
from tests.testbed.sidecars.backups.context import Context
from tests.testbed.sidecars.backups.record import Backup
from tests.testbed.sidecars.errors import KNOWN

# Only these are shown where they are 0.
_ALWAYS = {"name", "created", "metadata_size", "location", "required", "desc"}


def rows(context: Context, where: str = "") -> list[dict[str, object]]:
    """clickhouse-backup's: local ones first, each kind the oldest first."""
    found: list[dict[str, object]] = []
    if where in {"", "local"}:
        found += [_row(one, "local") for one in local.listed(context)]
    if where in {"", "remote"} and context.settings.remote is not None:
        context.server.connect()
        found += [_row(one, "remote") for one in remote.listed(context)]
    return found


def _row(backup: Backup, location: str) -> dict[str, object]:
    created = backup.created.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if backup.broken and location == "remote":
        created = "0001-01-01 00:00:00"
    words = [backup.broken] if backup.broken else [backup.data_format, backup.tags]
    told: dict[str, object] = {
        "name": backup.name,
        "created": created,
        "size": backup.full_size,
        "data_size": backup.data_size,
        "metadata_size": backup.metadata_size,
        "rbac_size": backup.rbac_size,
        "config_size": backup.config_size,
        "compressed_size": backup.compressed_size,
        "location": location,
        "required": backup.required,
        "desc": ", ".join(filter(None, words)),
    }
    return {name: value for name, value in told.items() if value or name in _ALWAYS}


def chbackup_rows(context: Context, where: str = "") -> list[dict[str, object]]:
    """chbackup's on the routes of the other: all by the time of their making.

    What cannot be listed is left out without a word, whether local or remote.
    """
    found: list[tuple[str, dict[str, object]]] = []
    for location, read in (("local", local.listed), ("remote", remote.listed)):
        if where not in {"", location}:
            continue
        try:
            found += [_chbackup_row(one, location) for one in read(context)]
        except KNOWN:
            continue
    return [row for _, row in sorted(found, key=lambda one: (one[0], f"{one[1]['name']}"))]


def _chbackup_row(backup: Backup, location: str) -> tuple[str, dict[str, object]]:
    made = "" if backup.broken else backup.created.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
    if backup.broken:
        desc = f"broken: {backup.broken}"
    else:
        desc = "tar, incremental" if backup.required else "tar, regular"
    return made, {
        "name": backup.name,
        "created": made or "1970-01-01 00:00:00",
        "size": backup.data_size,
        "location": location,
        "required": backup.required,
        "desc": desc,
        "data_size": backup.data_size,
        "object_disk_size": 0,
        "metadata_size": backup.metadata_size,
        "rbac_size": backup.rbac_size,
        "config_size": backup.config_size,
        "compressed_size": backup.compressed_size,
    }


def counts(context: Context) -> dict[str, float]:
    """What the metrics say of them; nothing where they cannot be listed."""
    told: dict[str, float] = {
        "number_backups_local_expected": context.settings.backups_to_keep_local,
        "number_backups_remote_expected": context.settings.backups_to_keep_remote,
    }
    try:
        kept = local.listed(context)
        stored = remote.listed(context) if context.settings.remote else []
    except KNOWN:
        return told
    told |= {"number_backups_local": len(kept), "number_backups_remote": len(stored)}
    told["number_backups_remote_broken"] = sum(bool(one.broken) for one in stored)
    told["last_backup_size_local"] = kept[-1].full_size if kept else 0
    told["last_backup_size_remote"] = stored[-1].full_size if stored else 0
    return told
