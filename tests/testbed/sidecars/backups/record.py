"""What a backup holds, and where clickhouse-backup and chbackup write that down.

Read in both repositories: the folders of parts, the names and members of the metadata. Not the
same: the numbers that tell two parts apart are of another function, and the members that say how
a disk is made are left out.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import quote

DISK = "default"
METADATA = "metadata.json"
_CARRIED = "carried:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a table, by the name of its folder."""

    name: str
    size: int
    checksum: int
    required: bool = False
    """Whether its bytes lie in the backup that this one requires."""
    key: str = ""
    """Where its bytes lie; clickhouse-backup knows that by the name alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table and its parts; one of another engine has none."""

    database: str
    table: str
    query: str
    parts: Sequence[Part] = ()
    metadata_only: bool = False

    @property
    def folder(self) -> str:
        return f"{encoded(self.database)}/{encoded(self.table)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One backup; of a broken one no more than the name and why it is broken is known."""

    name: str
    created: dt.datetime
    tables: Sequence[Table] = ()
    databases: Sequence[tuple[str, str]] = ()
    """Their names, and the statements that make them."""
    required: str = ""
    data_format: str = ""
    data_size: int = 0
    metadata_size: int = 0
    rbac_size: int = 0
    config_size: int = 0
    compressed_size: int = 0
    tags: str = "regular"
    version: str = ""
    clickhouse_version: str = ""
    broken: str = ""
    uploaded: dt.datetime | None = field(default=None, compare=False)

    @property
    def full_size(self) -> int:
        data = self.compressed_size or self.data_size
        return data + self.metadata_size + self.rbac_size + self.config_size


class Layout(Protocol):
    """Where one of the sidecars keeps what it knows."""

    archive: str
    not_found: str
    """What a remote backup without its last file is called."""
    local_not_found: str

    def part_key(self, table: Table, part: str) -> str: ...

    def files(self, backup: Backup) -> Iterator[tuple[str, bytes]]:
        """The files of what is known, the one that makes a backup whole last."""

    def summary(self, body: bytes) -> Backup:
        """What that last file tells; ValueError."""

    def whole(self, backup: Backup, read: Callable[[str], bytes]) -> Backup:
        """The backup with its tables and their parts."""


def encoded(name: str) -> str:
    """A database's or a table's name as that of a folder."""
    plain = quote(name, safe="")
    return plain.replace(".", "%2E").replace("-", "%2D").replace("~", "%7E")


class GoLayout:
    """clickhouse-backup's: a file for each table, and one that names them."""

    archive = "tar"
    not_found = "broken (can't stat metadata.json)"
    local_not_found = "broken metadata.json not found"

    def part_key(self, table: Table, part: str) -> str:
        return f"shadow/{table.folder}/{DISK}_{encoded(part)}.tar"

    def files(self, backup: Backup) -> Iterator[tuple[str, bytes]]:
        for table in backup.tables:
            yield f"metadata/{table.folder}.json", _json(self._table(table))
        yield METADATA, _json(self._backup(backup))

    def summary(self, body: bytes) -> Backup:
        told = _object(body)
        titles = [Table(**title, query="") for title in told.get("tables") or []]
        return Backup(
            name=told["backup_name"],
            created=dt.datetime.fromisoformat(told["creation_date"]),
            tables=titles,
            databases=[(one["name"], one["query"]) for one in told.get("databases", [])],
            required=told.get("required_backup", ""),
            data_format=told.get("data_format", ""),
            data_size=told.get("data_size", 0),
            metadata_size=told.get("metadata_size", 0),
            rbac_size=told.get("rbac_size", 0),
            config_size=told.get("config_size", 0),
            compressed_size=told.get("compressed_size", 0),
            tags=told.get("tags", ""),
            version=told.get("version", ""),
            clickhouse_version=told.get("clickhouse_version", ""),
        )

    def whole(self, backup: Backup, read: Callable[[str], bytes]) -> Backup:
        return replace(
            backup,
            tables=[self._read(read(f"metadata/{one.folder}.json")) for one in backup.tables],
        )

    @staticmethod
    def _read(body: bytes) -> Table:
        told = _object(body)
        sums = told.get("checksums", {})
        return Table(
            database=told["database"],
            table=told["table"],
            query=told["query"],
            metadata_only=told["metadata_only"],
            parts=[
                Part(
                    name=one["name"],
                    size=one.get("size", 0),
                    checksum=sums.get(one["name"], 0),
                    required=one.get("required", False),
                )
                for one in (told["parts"] or {}).get(DISK, [])
            ],
        )

    def _table(self, table: Table) -> dict[str, Any]:
        parts: list[dict[str, Any]] = [
            {"name": part.name, "size": part.size, **({"required": True} if part.required else {})}
            for part in table.parts
        ]
        told = {"table": table.table, "database": table.database, "query": table.query}
        if table.metadata_only:
            return told | {"parts": None, "size": None, "metadata_only": True}
        keys = [self.part_key(table, part.name) for part in table.parts if not part.required]
        size = sum(part.size for part in table.parts)
        return told | {
            "files": {DISK: [key.rsplit("/", 1)[1] for key in keys]},
            "parts": {DISK: parts},
            "size": {DISK: size},
            "total_bytes": size,
            "checksums": {part.name: part.checksum for part in table.parts},
            "metadata_only": False,
        }

    @staticmethod
    def _backup(backup: Backup) -> dict[str, Any]:
        told = {
            "backup_name": backup.name,
            "disks": {DISK: "/var/lib/clickhouse/"},
            "disk_types": {DISK: "local"},
            "version": backup.version,
            "creation_date": backup.created.isoformat(),
            "tags": backup.tags,
            "clickhouse_version": backup.clickhouse_version,
            "data_size": backup.data_size,
            "metadata_size": backup.metadata_size,
            "rbac_size": backup.rbac_size,
            "config_size": backup.config_size,
            "compressed_size": backup.compressed_size,
            "databases": [
                {"name": name, "engine": "Ordinary", "query": query}
                for name, query in backup.databases
            ],
            "tables": [{"database": one.database, "table": one.table} for one in backup.tables],
            "functions": [],
            "data_format": backup.data_format,
            "required_backup": backup.required,
        }
        must = {"metadata_size", "tables", "functions", "data_format"}
        return {name: value for name, value in told.items() if value or name in must}


def _json(told: object) -> bytes:
    return json.dumps(told, indent="\t").encode()


def _object(body: bytes) -> dict[str, Any]:
    told = json.loads(body)
    if not isinstance(told, dict):
        raise ValueError("no object")  # noqa: TRY004
    return told


def carried_from(part: dict[str, Any]) -> str:
    """The backup whose bytes chbackup's part shares, empty where it has its own."""
    source: str = part.get("source", "")
    return source.removeprefix(_CARRIED) if source.startswith(_CARRIED) else ""
