"""The routes of clickhouse-backup that tell what there is and what was done."""

from typing import Any

from tests.testbed.sidecars.api import lists
from tests.testbed.sidecars.api.refusals import error
from tests.testbed.sidecars.api.wire import Answer, Asked, lines
from tests.testbed.sidecars.errors import KNOWN, text_of
from tests.testbed.sidecars.worker import Process


def status(process: Process, asked: Asked, named: dict[str, str]) -> Answer:
    identity = asked.query.get("operationid", [""])[0]
    if identity and process.settings.has_remote_routes:
        return lines(process.operations.by_id(identity))
    return lines(process.operations.listed(last=1))


def actions(process: Process, asked: Asked, named: dict[str, str]) -> Answer:
    if asked.method == "HEAD":
        return lines([""])
    last = asked.query.get("last", [""])[0]
    try:
        rows = process.operations.listed(asked.query.get("filter", [""])[0], int(last or 0))
    except ValueError:
        return error(500, "actions", f'strconv.ParseInt: parsing "{last}": invalid syntax')
    return lines(rows)


def list_of(process: Process, asked: Asked, named: dict[str, str]) -> Answer:
    if asked.method == "HEAD":
        return lines([""])
    where = named.get("where", "")
    seen = "list" not in process.settings.skip_actions
    row = process.operations.start(f"list {where}".strip()) if seen else process.operations.unseen()
    found: list[dict[str, object]] = []

    def read(row: Any) -> None:
        found.extend(lists.rows(process.context(row), where))

    failed = process.operations.run(row, read)
    return error(500, "list", failed) if failed else lines(found)


def tables(process: Process, asked: Asked, named: dict[str, str]) -> Answer:
    context = process.context(process.operations.unseen())
    skip = () if asked.path.endswith("/all") else process.settings.skip_tables
    try:
        found = context.server.tables(asked.query.get("table", [""])[0], skip)
    except KNOWN as failed:
        return error(500, "tables", text_of(failed))
    told = [
        {"Database": one.database, "Name": one.table, "CreateTableQuery": one.query, "Skip": False}
        for one in found
    ]
    return lines(told)


def metrics(process: Process, asked: Asked, named: dict[str, str]) -> Answer:
    more = lists.counts(process.context(process.operations.unseen()))
    return Answer(body=process.metrics.text(more).encode(), content="text/plain; version=0.0.4")
