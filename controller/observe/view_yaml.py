"""A ClusterView as YAML, so that a pass can be replayed and held in a golden test."""

import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import yaml

from controller.model.kinds import READABLE_KINDS
from controller.model.objects import ObjectRef, Objects
from controller.model.status import ReadFailure, Reason
from controller.model.view import ClusterView, ControlView, NamespaceView, SecretData

_FAILED = "failed"
T = TypeVar("T")


class ReplayError(ValueError):
    """A file that holds no view; the message says what is wrong."""


class _Loader(yaml.SafeLoader):
    """Timestamps stay text, as they are in the API's JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(text: str | bytes) -> ClusterView:
    """Read a view; `{failed: ReadForbidden}` stands for a read without an answer.

    Left out: a list is empty, a namespace exists, nothing is remembered.
    """
    try:
        # A subclass of the safe loader.
        document = yaml.load(text, Loader=_Loader)  # noqa: S506
        return _view(document)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ReplayError(f"no view: {type(error).__name__}{place}") from None
    except yaml.reader.ReaderError as error:
        raise ReplayError(f"no view: no text at byte {error.position}") from None
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        # From None, and the type only: the text may hold what the file does.
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise ReplayError(f"no view: {type(error).__name__} in {last.name}") from None


def _view(document: Mapping[str, Any]) -> ClusterView:
    control = document.get("control") or {}
    now = datetime.fromisoformat(document["now"]).astimezone(UTC)
    return ClusterView(
        now=now,
        cluster=_answer(document.get("cluster", "default"), str),
        namespaces={
            name: _namespace(name, item or {})
            for name, item in (document.get("namespaces") or {}).items()
        },
        control=ControlView(
            cronjobs=_list(control.get("cronjobs")),
            secrets=_list(control.get("secrets")),
            jobs=_list(control.get("jobs")),
            pods=_list(control.get("pods")),
            events=_list(control.get("events")),
            unread=_unread(control),
        ),
        gone_passes=document.get("gonePasses") or {},
    )


def _namespace(name: str, document: Mapping[str, Any]) -> NamespaceView:
    owners = document.get("owners") or {}
    return NamespaceView(
        name=name,
        exists=_answer(document.get("exists", True), bool),
        pods=_list(document.get("pods")),
        services=_list(document.get("services")),
        owners={kind: _list(owners.get(kind)) for kind in READABLE_KINDS},
        unread=_unread(document),
        absent={
            _ref(key): _answer(item, bool) for key, item in (document.get("absent") or {}).items()
        },
        contents={
            _ref(key): _content(item) for key, item in (document.get("contents") or {}).items()
        },
    )


def _unread(document: Mapping[str, Any]) -> Mapping[ObjectRef, ReadFailure]:
    return {_ref(name): _failed(item) for name, item in (document.get("unread") or {}).items()}


def _ref(text: str) -> ObjectRef:
    kind, _, name = text.partition("/")
    return ObjectRef(kind=kind, name=name)


def _is_failed(item: Any) -> bool:
    return isinstance(item, Mapping) and _FAILED in item


def _failed(item: Mapping[str, Any]) -> ReadFailure:
    return ReadFailure(Reason(item[_FAILED]), str(item.get("message", "")))


def _answer(item: Any, kind: type[T]) -> T | ReadFailure:
    if _is_failed(item):
        return _failed(item)
    if not isinstance(item, kind):
        raise TypeError(f"a {type(item).__name__} is no {kind.__name__}")
    return item


def _list(item: Any) -> Objects | ReadFailure:
    return _failed(item) if _is_failed(item) else tuple(_answer(item or [], list))  # type: ignore[arg-type]


def _content(item: Any) -> SecretData | ReadFailure | None:
    if _is_failed(item):
        return _failed(item)
    return None if item is None else SecretData(data=dict(item.get("data") or {}))
