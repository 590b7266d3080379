"""Reads a ClusterView from YAML, so that a pass can be replayed, and held in a golden test."""

import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import yaml

from controller.model.kinds import READABLE_KINDS
from controller.model.objects import ObjectRef, Objects
from controller.model.status import ReadFailure, Reason
from controller.model.view import (
    ClusterView,
    ControlView,
    NamespaceView,
    SecretData,
    allows_host,
)

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

    A list that is left out is empty, a namespace exists, and no gone passes are remembered. Raises
    ReplayError if the text holds no view.
    """
    try:
        # A subclass of the safe loader.
        document = yaml.load(text, Loader=_Loader)  # noqa: S506
        return view_of(document)
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


def view_of(document: Mapping[str, Any]) -> ClusterView:
    """The view that a document holds; timestamps in it are text.

    Raises AttributeError, KeyError, TypeError or ValueError where it holds none.
    """
    control = document.get("control") or {}
    now = datetime.fromisoformat(document["now"]).astimezone(UTC)
    return ClusterView(
        now=now,
        cluster=_answer(document.get("cluster", "default"), str),
        namespaces={
            name: _namespace(name, namespace or {})
            for name, namespace in (document.get("namespaces") or {}).items()
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
        unlisted=_failure(unlisted) if (unlisted := document.get("unlisted")) else None,
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
            _ref(key): _answer(value, bool) for key, value in (document.get("absent") or {}).items()
        },
        contents={
            _ref(key): _content(value) for key, value in (document.get("contents") or {}).items()
        },
    )


def _unread(document: Mapping[str, Any]) -> Mapping[ObjectRef, ReadFailure]:
    return {_ref(key): _failure(value) for key, value in (document.get("unread") or {}).items()}


def _ref(text: str) -> ObjectRef:
    kind, _, name = text.partition("/")
    return ObjectRef(kind=kind, name=name)


def _is_failure(value: Any) -> bool:
    return isinstance(value, Mapping) and _FAILED in value


def _failure(value: Mapping[str, Any]) -> ReadFailure:
    return ReadFailure(Reason(value[_FAILED]), str(value.get("message", "")))


def _answer(value: Any, kind: type[T]) -> T | ReadFailure:
    if _is_failure(value):
        return _failure(value)
    if not isinstance(value, kind):
        raise TypeError(f"a {type(value).__name__} is no {kind.__name__}")
    return value


def _list(value: Any) -> Objects | ReadFailure:
    return _failure(value) if _is_failure(value) else tuple(_answer(value or [], list))  # type: ignore[arg-type]


def _content(value: Any) -> SecretData | ReadFailure | None:
    if _is_failure(value):
        return _failure(value)
    if value is None:
        return None
    return SecretData(data=dict(value.get("data") or {}), allows_host=allows_host(value))
