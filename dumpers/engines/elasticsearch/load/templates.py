"""What belongs to the whole cluster: made where it is missing, never replaced without a word."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.elasticsearch.load import requests
from dumpers.engines.elasticsearch.load.contents import Contents, Item
from dumpers.engines.elasticsearch.load.target import Target
from dumpers.engines.elasticsearch.survey.texts import read_texts
from dumpers.runtime.errors import TargetFailedError, TargetRefusedError

# What the server adds to a policy.
_ADDED = frozenset(("policy_id", "last_updated_time", "schema_version", "error_notification"))


def are_asked(request: RestoreRequest, items: Sequence[Item]) -> bool:
    """Whether templates, pipelines and so on are restored.

    Beside a live cluster, and with a part of a backup, only where that is asked for: they change
    what becomes of new indices. Data streams cannot be without their templates.
    """
    if request.globals:
        return True
    if request.mode is RestoreMode.BESIDE:
        return False
    return not request.tables or any(item.was_stream for item in items)


def make_missing(to: Target, contents: Contents, request: RestoreRequest) -> Sequence[str]:
    """Make what is missing; return notes on what is different there, or was refused.

    What is different is replaced with OVERWRITE where what belongs to the whole cluster was asked
    for.
    """
    replaces = request.mode is RestoreMode.OVERWRITE and request.globals
    notes: list[str] = []
    for path, body, state in compare(to, contents):
        if state == "same":
            continue
        if state == "other" and not replaces:
            notes.append(f"{path} is another one than in the backup, and was left as it is")
            continue
        try:
            to.ask("PUT", path, body)
        except TargetRefusedError as error:
            notes.append(f"{path} was not taken: {error}")
    return notes


def compare(to: Target, contents: Contents) -> Iterator[tuple[str, bytes, str]]:
    """Path and body of all that is of the whole cluster, with `missing`, `same` or `other`."""
    wanted = requests.requests(contents.texts, to.product)
    if not wanted:
        return
    texts, _ = read_texts(to.server, to.product, frozenset(), to.interrupt)
    there = dict(requests.requests({text.name: text.body for text in texts}, to.product))
    for path, body in wanted:
        if path in there:
            yield path, body, "same" if _plain(there[path]) == _plain(body) else "other"
        else:
            yield path, body, "other" if _is_there(to, path) else "missing"


def _is_there(to: Target, path: str) -> bool:
    """Whether the server has what it did not list: its own, or what this account may not list."""
    try:
        return to.exists(path)
    except (TargetRefusedError, TargetFailedError) as error:
        # Old releases answer so for what they do not have.
        if "not found" in str(error) or "missing" in str(error):
            return False
        if isinstance(error, TargetRefusedError):
            return True
        raise


def _plain(body: bytes) -> Any:
    """A body as it compares."""
    found = json.loads(body)
    policy = found.get("policy")
    if isinstance(policy, dict):
        found["policy"] = {name: value for name, value in policy.items() if name not in _ADDED}
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template of indices: what names it is for, and what it does to them."""

    name: str
    patterns: tuple[str, ...]
    order: int
    composable: bool
    makes_streams: bool = False
    aliases: tuple[str, ...] = ()


def read_templates(to: Target) -> Sequence[Template]:
    """All templates of the cluster; none where this account may not see them."""
    found = list[Template]()
    if to.product.has_composable_templates:
        parts = _asked(to, "/_component_template").get("component_templates", ())
        components = {
            part["name"]: _aliases(part["component_template"].get("template")) for part in parts
        }
        for item in _asked(to, "/_index_template").get("index_templates", ()):
            own = item["index_template"]
            composed = [
                alias for part in own.get("composed_of", ()) for alias in components.get(part, ())
            ]
            found.append(
                Template(
                    name=item["name"],
                    patterns=tuple(own.get("index_patterns", ())),
                    order=int(own.get("priority") or 0),
                    composable=True,
                    makes_streams="data_stream" in own,
                    aliases=(*_aliases(own.get("template")), *composed),
                )
            )
    for name, own in _asked(to, "/_template").items():
        found.append(
            Template(
                name=name,
                patterns=tuple(own.get("index_patterns", ())),
                order=int(own.get("order") or 0),
                composable=False,
                aliases=_aliases(own),
            )
        )
    return found


def applying(templates: Sequence[Template], name: str) -> Sequence[Template]:
    """Those that a server applies to a new index of this name.

    Of composable ones it is the one of the highest priority; only without any, all legacy ones.
    """
    fitting = [
        each
        for each in templates
        if any(fnmatchcase(name, pattern.replace("[", "[[]")) for pattern in each.patterns)
    ]
    composable = [each for each in fitting if each.composable]
    if composable:
        return [max(composable, key=lambda each: each.order)]
    return fitting


def _asked(to: Target, path: str) -> Mapping[str, Any]:
    body = to.server.if_granted(path, to.interrupt)
    found: Mapping[str, Any] = json.loads(body) if body is not None else {}
    return found


def _aliases(template: Mapping[str, Any] | None) -> tuple[str, ...]:
    return tuple((template or {}).get("aliases") or ())
