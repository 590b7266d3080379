"""Watch mode: a sidecar that makes full and incremental backups by itself, and is busy for ever.

Left out: schedules, and going on with the chain of a former watch.
"""

import datetime as dt
import functools
import re
import time
from dataclasses import replace

from tests.testbed.sidecars.errors import FailedError
from tests.testbed.sidecars.operations import Row, new_id
from tests.testbed.sidecars.requests import Request
from tests.testbed.sidecars.worker import Process

_INTERVAL, _FULL = "1h", "24h"
_TEMPLATE = "shard{shard}-{type}-{time:20060102150405}"
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_POLL = 0.05
# How Go writes a time's layout, for the pieces that names are made of.
_LAYOUT = {"2006": "%Y", "01": "%m", "02": "%d", "15": "%H", "04": "%M", "05": "%S"}


def watch(process: Process, row: Row, request: Request) -> None:
    """Until it is cancelled: a backup at each interval, a full one at each full interval."""
    every = _seconds(request.watch_interval or _INTERVAL)
    full = _seconds(request.full_interval or _FULL)
    if full <= every:
        raise FailedError(
            f"Watch ValidateWatchParams: fullInterval `{request.full_interval or _FULL}` should "
            f"be more than watchInterval `{request.watch_interval or _INTERVAL}`"
        )
    base, full_since = "", time.monotonic()
    while True:
        began = time.monotonic()
        if began - full_since >= full:
            base, full_since = "", began
        name = _name(process, request.template or _TEMPLATE, "increment" if base else "full")
        turn = process.operations.start(f"create_remote {name}", operation_id=new_id())
        # It ends with the watch, and leaves no local copy whatever became of it.
        turn.life = row.life
        asked = replace(request, command="create_remote", name=name, diff_from_remote=base)
        failed = process.operations.run(turn, functools.partial(process.work, request=asked))
        row.life.check()
        if not request.delete_source and process.settings.backups_to_keep_local >= 0:
            process.forget(name)
        if failed:
            raise FailedError(
                "too many errors create_remote: 1, delete local: 0, during watch full_interval: "
                f"{request.full_interval or _FULL}, abort watching"
            )
        base = name
        while time.monotonic() < began + every:
            row.life.check()
            time.sleep(_POLL)


def _seconds(text: str) -> float:
    found = re.findall(r"([\d.]+)(ms|s|m|h)", text)
    if "".join(number + unit for number, unit in found) != text or not text:
        raise FailedError(f'watchInterval `{text}` parsing error: time: invalid duration "{text}"')
    return sum(float(number) * _UNITS[unit] for number, unit in found)


def _name(process: Process, template: str, kind: str) -> str:
    """The template with the server's macros, the kind of the backup, and the time."""
    if "{time:" not in template:
        raise FailedError(
            "Watch NewBackupWatchName: watch_backup_name_template doesn't contain {time:layout}, "
            "backup name will non unique"
        )
    for one in process.server.rows("SELECT macro, substitution FROM system.macros"):
        template = template.replace(f"{{{one['macro']}}}", one["substitution"])

    def shown(found: re.Match[str]) -> str:
        layout = found[1]
        for piece, code in _LAYOUT.items():
            layout = layout.replace(piece, code)
        return dt.datetime.now().astimezone().strftime(layout)

    return re.sub(r"{time:([^}]+)}", shown, template.replace("{type}", kind))
