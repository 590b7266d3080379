"""The ClickHouse server that a sidecar stands beside: its tables, parts and data folder."""

import fnmatch
import http.client
import json
import os
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.testbed.databases.clickhouse import Replica
from tests.testbed.databases.clickhouse_http import Login
from tests.testbed.sidecars.backups.record import DISK, Part, Table, encoded
from tests.testbed.sidecars.errors import wrapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """As its sidecar sees it: by a login, and by the data disk that both have."""

    replica: Replica
    login: Login | None = None

    @property
    def home(self) -> Path:
        """The folder of its configuration files."""
        return self.replica.daemon.log.with_suffix("")

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def backups(self) -> Path:
        return self.data / "backup"

    def sql(self, text: str) -> str:
        try:
            return self.replica.sql(text, login=self.login)
        except http.client.HTTPException as error:
            raise ConnectionError(f"{error}") from error

    def rows(self, text: str) -> list[dict[str, Any]]:
        return [json.loads(row) for row in self.sql(f"{text} FORMAT JSONEachRow").splitlines()]

    def connect(self) -> None:
        """Raises where the server does not answer or takes no such login."""
        with wrapping("can't connect to clickhouse"):
            self.sql("SELECT 1")

    def version(self) -> str:
        return self.sql("SELECT version()")

    def tables(self, pattern: str, skip: Sequence[str] = ()) -> list[Table]:
        """Those that match; `metadata_only` where their engine stores no parts."""
        found = self.rows(
            "SELECT database, name, engine, create_table_query FROM system.tables "
            "WHERE is_temporary = 0 ORDER BY database, name"
        )
        return [
            Table(
                database=one["database"],
                table=one["name"],
                query=one["create_table_query"],
                metadata_only=not one["engine"].endswith("MergeTree"),
            )
            for one in found
            if matches(pattern, one["database"], one["name"])
            and not (skip and matches(",".join(skip), one["database"], one["name"]))
        ]

    def databases(self) -> list[tuple[str, str]]:
        names = self.sql("SELECT name FROM system.databases WHERE name != 'system'").splitlines()
        return [(name, f"CREATE DATABASE IF NOT EXISTS `{name}`") for name in names]

    def partitions(self, table: Table) -> dict[str, str]:
        """The ids of a table's partitions, and their values as ClickHouse shows them."""
        found = self.rows(
            "SELECT DISTINCT partition_id, partition FROM system.parts WHERE active "
            f"AND database = {_text(table.database)} AND table = {_text(table.table)}"
        )
        return {one["partition_id"]: one["partition"] for one in found}

    def freeze(self, table: Table, name: str, partitions: Sequence[str]) -> None:
        """Links every part of these partitions, or of all, into the shadow of that name."""
        for identity in self.partitions(table):
            if partitions and identity not in partitions:
                continue
            which = "tuple()" if identity == "all" else f"ID {_text(identity)}"
            with wrapping(f"can't freeze partition '{identity}'"):
                self.sql(f"ALTER TABLE {of(table)} FREEZE PARTITION {which} WITH NAME '{name}'")

    def shadow(self, table: Table, name: str) -> Path:
        """Where the frozen parts of a table lie."""
        return self.data / "shadow" / name / "data" / _escaped(table)

    def clean_shadow(self, name: str = "") -> None:
        """Removes the shadow of that name, or every one."""
        shadow = self.data / "shadow"
        for folder in [shadow / name] if name else [*shadow.glob("*")]:
            if folder.is_dir():
                shutil.rmtree(folder)
            elif folder.exists():
                folder.unlink()

    def stored(self, backup: str, table: Table) -> Path:
        """Where the local backup has a table's parts."""
        return self.backups / backup / "shadow" / table.folder / DISK

    def attach(self, backup: str, source: Table, table: Table) -> None:
        """Links a backup's parts into `detached` and attaches them, the oldest blocks first."""
        # Where the table lies is for the server to say: it may have been made a moment ago.
        where = self.sql(
            f"SELECT data_path FROM system.tables WHERE database = {_text(table.database)} "
            f"AND name = {_text(table.table)}"
        )
        detached = Path(where) / "detached"
        for part in sorted(source.parts, key=_blocks):
            target = detached / part.name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(self.stored(backup, source) / part.name, target, copy_function=os.link)
            self.own(target)
            with wrapping("AttachDataParts: attach part"):
                self.sql(f"ALTER TABLE {of(table)} ATTACH PART {_text(part.name)}")

    def own(self, path: Path) -> None:
        """Makes it the server's, which runs as another user where root may start it."""
        if os.geteuid() != 0:
            return
        owner = self.data.stat()
        for one in (path, *path.rglob("*")):
            os.chown(one, owner.st_uid, owner.st_gid)


def matches(pattern: str, database: str, table: str) -> bool:
    """Whether one of the patterns `database.table` with * and ? fits; no pattern fits all."""
    name = f"{database}.{table}"
    return not pattern or any(
        fnmatch.fnmatchcase(name, one.strip(" \t\r\n")) for one in pattern.split(",")
    )


def of(table: Table) -> str:
    """A table's name in a statement."""
    return f"`{table.database}`.`{table.table}`"


def read_part(folder: Path) -> Part:
    """What a part's folder holds."""
    return Part(
        name=folder.name,
        size=sum(file.stat().st_size for file in folder.iterdir()),
        checksum=zlib.crc32((folder / "checksums.txt").read_bytes()),
    )


def _blocks(part: Part) -> tuple[str, int]:
    partition, block, *_ = part.name.split("_")
    return partition, int(block)


def _escaped(table: Table) -> str:
    """The folder of a table, as the server itself names it."""
    return f"{encoded(table.database)}/{encoded(table.table)}"


def _text(value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{quoted}'"
