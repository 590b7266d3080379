"""What a cluster limits, so that nothing is asked for that it has to refuse."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dumpers.engines.elasticsearch.client import Server
from dumpers.runtime.interrupt import Interrupt

_DAY = 86_400.0
_SOON = 60.0
_SHARDS = "action.search.shard_count.limit"
_LIMITS = (
    "search.max_keep_alive",
    "point_in_time.max_keep_alive",
    "point_in_time.init.keep_alive",
    "search.max_open_scroll_context",
    "search.max_open_pit_context",
    "cluster.default.index.refresh_interval",
    _SHARDS,
)
_SECONDS = {
    "nanos": 1e-9,
    "micros": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": _DAY,
}
_TIME = re.compile(r"(\d+)([a-z]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A cluster's limits, the server's defaults where it does not say.

    `keep_alive` is for how many seconds a search context may be kept, `scrolls` and `points` how
    many of them a node holds, `shards` how many shards one search may ask. `settings` are the names
    of the cluster settings that somebody made. `refreshes` says whether indices that do not say it
    make new documents visible soon.
    """

    keep_alive: float = _DAY
    scrolls: int = 500
    points: int = 300
    shards: int = 1 << 62
    settings: tuple[str, ...] = ()
    refreshes: bool = True


def read_limits(server: Server, interrupt: Interrupt) -> Limits:
    """Ask for the cluster's settings."""
    wanted = ",".join(("persistent", "transient", *(f"defaults.{name}" for name in _LIMITS)))
    path = f"/_cluster/settings?include_defaults=true&filter_path={wanted}"
    body = server.if_granted(path, interrupt)
    return parse_limits(json.loads(body)) if body is not None else Limits()


def parse_limits(answer: Mapping[str, Any]) -> Limits:
    """Read the answer to `GET /_cluster/settings`; transient settings come before persistent."""
    made = {name: dict(flat(answer.get(name) or {})) for name in ("persistent", "transient")}
    values = {
        **dict(flat(answer.get("defaults") or {})),
        **made["persistent"],
        **made["transient"],
    }
    usual = Limits()
    point = _seconds(values.get("point_in_time.max_keep_alive"))
    # OpenSearch opens a point in time for so long, whatever it is asked for, and may refuse itself.
    opens = _seconds(values.get("point_in_time.init.keep_alive", "30s")) <= point
    return Limits(
        keep_alive=min(_seconds(values.get("search.max_keep_alive")), point),
        scrolls=_number(values.get("search.max_open_scroll_context"), usual.scrolls),
        points=_number(values.get("search.max_open_pit_context"), usual.points) if opens else 0,
        shards=_number(values.get(_SHARDS), usual.shards),
        settings=tuple(sorted(made["persistent"].keys() | made["transient"].keys())),
        refreshes=refreshes_soon(values.get("cluster.default.index.refresh_interval", "1s")),
    )


def refreshes_soon(interval: object) -> bool:
    """Whether an index with this refresh interval shows new documents within a minute."""
    return _seconds(interval) <= _SOON


def flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested settings, each with its full name, apart by dots."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _seconds(text: object) -> float:
    """A time as servers write them, in seconds; a day where it is none."""
    found = _TIME.fullmatch(str(text))
    if found is None or found[2] not in _SECONDS:
        return _DAY
    return int(found[1]) * _SECONDS[found[2]]


def _number(text: object, usual: int) -> int:
    return int(text) if isinstance(text, str) and text.isdigit() else usual
