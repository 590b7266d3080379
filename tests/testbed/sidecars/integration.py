"""The tables of ClickHouse through which a sidecar is asked by SQL: URL tables onto its routes."""

from urllib.parse import urlencode

from tests.testbed.sidecars.backups.server import Server
from tests.testbed.sidecars.settings import Settings

_LIST = (
    *("data_size UInt64", "object_disk_size UInt64", "metadata_size UInt64", "rbac_size UInt64"),
    *("config_size UInt64", "named_collection_size UInt64", "compressed_size UInt64"),
)
_ACTIONS = ("command String", "start DateTime", "finish DateTime", "status String", "error String")


def create(server: Server, settings: Settings, host: str, port: int) -> None:
    """Makes them anew, as at every start; their address holds the login of the API."""
    shown = ""
    if settings.login is not None and settings.kind == "clickhouse-backup":
        # chbackup's tables hold no login, so with one they are of no use.
        asked = {"user": settings.login.user, "pass": settings.login.password}
        shown = f"?{urlencode(sorted(asked.items()))}"
    drop(server, settings)
    scheme = "https" if settings.tls else "http"
    for table, columns in _tables(settings).items():
        path = table.removeprefix("backup_")
        url = f"{scheme}://{host}:{port}/backup/{path}{shown}"
        server.sql(
            f"CREATE TABLE system.{table} ({', '.join(columns)}) ENGINE = URL('{url}', JSONEachRow)"
        )


def drop(server: Server, settings: Settings) -> None:
    for table in _tables(settings):
        server.sql(f"DROP TABLE IF EXISTS system.{table}")


def _tables(settings: Settings) -> dict[str, list[str]]:
    if settings.kind == "chbackup":
        listed = ["name String", "created DateTime", "size Int64", "location String"]
        listed += ["required String", "desc String"]
        listed += [one for one in _LIST if not one.startswith("named")]
        return {"backup_list": listed, "backup_actions": [*_ACTIONS]}
    return {
        "backup_actions": [*_ACTIONS, "operation_id String"],
        "backup_list": [
            *("name String", "created DateTime", "size UInt64"),
            *(*_LIST, "location String", "required String", "desc String"),
        ],
        "backup_version": ["version String"],
    }
