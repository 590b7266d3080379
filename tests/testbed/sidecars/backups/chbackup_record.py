"""Where chbackup 0.1.0 writes down what a backup holds: all in one file, each part by its key.

A backup names the keys of parts that lie in other backups' folders: it is read without those, but
not without their objects. Parts are stored uncompressed (its `compression: none`).
"""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.testbed.sidecars.backups.record import (
    DISK,
    METADATA,
    Backup,
    Part,
    Table,
    carried_from,
)


class RustLayout:
    """chbackup's."""

    archive = "tar"
    not_found = "metadata.json not found"
    local_not_found = "metadata.json not found"

    def part_key(self, table: Table, part: str) -> str:
        return f"data/{table.folder}/{part}.tar"

    def files(self, backup: Backup) -> Iterator[tuple[str, bytes]]:
        tables = {f"{one.database}.{one.table}": self._table(backup, one) for one in backup.tables}
        told: dict[str, Any] = {
            "manifest_version": 1,
            "name": backup.name,
            "timestamp": backup.created.astimezone(dt.UTC).isoformat(),
            "clickhouse_version": backup.clickhouse_version,
            "chbackup_version": backup.version,
            "data_format": "none",
            "compressed_size": backup.compressed_size,
            "metadata_size": backup.metadata_size,
            "tables": tables,
            "databases": [{"name": name, "ddl": query} for name, query in backup.databases],
            "rbac_size": backup.rbac_size,
            "config_size": backup.config_size,
        }
        yield METADATA, json.dumps(told, indent=2).encode()

    def summary(self, body: bytes) -> Backup:
        told = json.loads(body)
        tables = [self._read(title, one) for title, one in told.get("tables", {}).items()]
        carried = [
            carried_from(part)
            for one in told.get("tables", {}).values()
            for part in one.get("parts", {}).get(DISK, [])
        ]
        return Backup(
            name=told["name"],
            created=dt.datetime.fromisoformat(told["timestamp"]),
            tables=tables,
            databases=[(one["name"], one["ddl"]) for one in told.get("databases", [])],
            required=next(filter(None, carried), ""),
            data_format="tar",
            data_size=sum(part.size for one in tables for part in one.parts),
            metadata_size=told.get("metadata_size", 0),
            rbac_size=told.get("rbac_size", 0),
            config_size=told.get("config_size", 0),
            compressed_size=told.get("compressed_size", 0),
            version=told.get("chbackup_version", ""),
            clickhouse_version=told.get("clickhouse_version", ""),
        )

    def whole(self, backup: Backup, read: Callable[[str], bytes]) -> Backup:
        """The last file has told all."""
        return backup

    @staticmethod
    def _read(title: str, told: dict[str, Any]) -> Table:
        database, _, table = title.partition(".")
        return Table(
            database=database,
            table=table,
            query=told["ddl"],
            metadata_only=told.get("metadata_only", False),
            parts=[
                Part(
                    name=one["name"],
                    size=one["size"],
                    checksum=one["checksum_crc64"],
                    required=bool(carried_from(one)),
                    key=one["backup_key"],
                )
                for one in told.get("parts", {}).get(DISK, [])
            ],
        )

    @staticmethod
    def _table(backup: Backup, table: Table) -> dict[str, Any]:
        parts = [
            {
                "name": part.name,
                "size": part.size,
                "backup_key": part.key,
                "source": f"carried:{part.key.split('/')[0]}" if part.required else "uploaded",
                "checksum_crc64": part.checksum,
            }
            for part in table.parts
        ]
        return {
            "ddl": table.query,
            "total_bytes": sum(part.size for part in table.parts),
            "parts": {DISK: parts} if parts else {},
            "metadata_only": table.metadata_only,
        }
