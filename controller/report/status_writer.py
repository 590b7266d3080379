"""Writes the status ConfigMap and the boards, each only where its content changed.

What cannot be written is logged once for each change, and tried again by the next pass; it never
fails a pass.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias

from controller.kube.client import CONFIG_MAPS, Kube, KubeError, NotFoundError
from controller.model import names
from controller.model.fault_boundary import FaultBoundary
from controller.model.objects import Json, annotations_of, labels_of, metadata
from controller.plan.absence import format_time
from controller.report.boards.places import find_boards, with_boards
from controller.report.status_board import board_rows, status_rows
from controller.report.status_document import board_data, status_data
from controller.report.status_subjects import (
    RowKey,
    Rows,
    Subject,
    Subjects,
    Unseen,
    namespace_of,
)
from controller.report.written_status import (
    DocumentMemory,
    StatusMemory,
    is_status,
    prune_in,
    rows_in,
    written_in,
)
from controller.runs.retention.prunes import Prunes
from controller.settings.settings import Settings
from dumpers.runtime.log import fields

COMPONENT = "status"
_LABELS = {names.PART_OF_LABEL: names.PART_OF, names.COMPONENT_LABEL: COMPONENT}
_log = logging.getLogger(__name__)

_MakeRows: TypeAlias = Callable[[Subjects, Rows], Rows]
_MakeData: TypeAlias = Callable[[Rows, str], Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusWriter:
    """The writes of one pass; `progress` is called after each ConfigMap that had to be looked at.

    `isolate` keeps a fault of ours at one of them.
    """

    kube: Kube
    settings: Settings
    now: datetime
    isolate: FaultBoundary
    progress: Callable[[], None]

    def write(
        self,
        memory: StatusMemory,
        subjects: Mapping[RowKey, Subject],
        unseen: Unseen,
        watched: Mapping[str, bool],
        prunes: Prunes | None = None,
    ) -> None:
        """Bring all of them up to date; `watched` says of each namespace whether it may exist.

        Without `prunes`, or where they are not known, what is written of them stays.
        """
        control = self.settings.control_namespace
        status = _Document(
            namespace=control,
            memory=memory.status,
            subjects=subjects,
            make_rows=partial(status_rows, now=self.now),
            make_data=lambda rows, written: status_data(rows, written, memory.status.prune),
            is_board=False,
            prunes=prunes if prunes and prunes.is_known else None,
        )
        self._bring_up_to_date([status], unseen)
        if self.settings.boards:
            boards = self._boards(memory, subjects, watched)
            # What failed may take long to fail again: the others come first, then in turn.
            never = datetime.min.replace(tzinfo=UTC)
            in_turn = sorted(boards, key=lambda board: board.memory.failed or never)
            self._bring_up_to_date(in_turn, unseen)

    def _boards(
        self,
        memory: StatusMemory,
        subjects: Mapping[RowKey, Subject],
        watched: Mapping[str, bool],
    ) -> Iterator["_Document"]:
        """List the boards of this pass.

        The control namespace has none: its ConfigMap of that name is the status of all.
        """
        by_namespace: dict[str, dict[RowKey, Subject]] = defaultdict(dict)
        for key, subject in subjects.items():
            by_namespace[namespace_of(key[0])][key] = subject
        if self.settings.watches_all:
            find_boards(self.kube, memory, status_name(self.settings), watched)
            watched = with_boards(memory, by_namespace, watched)
        for namespace, may_exist in watched.items():
            if not may_exist:
                memory.boards.pop(namespace, None)
            elif namespace != self.settings.control_namespace:
                yield _Document(
                    namespace=namespace,
                    memory=memory.boards.setdefault(namespace, DocumentMemory()),
                    subjects=by_namespace.get(namespace, {}),
                    make_rows=partial(board_rows, now=self.now, status=memory.status.rows or {}),
                    make_data=partial(board_data, namespace),
                    is_board=True,
                )

    def _bring_up_to_date(self, documents: list["_Document"], unseen: Unseen) -> None:
        lost = 0.0
        for document in documents:
            if document.is_current(unseen):
                continue
            if lost > self.settings.api_timeout:
                # The API server is in trouble; the next pass goes on.
                return
            began = time.monotonic()
            part = partial(self._update, document, unseen)
            if not self.isolate(f"status in {document.namespace}", part):
                lost += time.monotonic() - began
            self.progress()

    def _update(self, document: "_Document", unseen: Unseen) -> bool:
        """Bring one ConfigMap up to date; False where that failed, which is then logged."""
        name = status_name(self.settings)
        try:
            self._write(document, unseen, name)
        except KubeError as error:
            document.memory.failed = self.now
            if document.memory.complaint != str(error):
                document.memory.complaint = str(error)
                line = fields(namespace=document.namespace, name=name, why=str(error))
                _log.warning("status not written", extra=line)
            return False
        document.memory.complaint, document.memory.failed = "", None
        return True

    def _write(self, document: "_Document", unseen: Unseen, name: str) -> None:
        memory = document.memory
        if memory.rows is not None and not document.renew_rows(unseen):
            return
        found = self._existing(document, name)
        data: Mapping[str, str] = (found or {}).get("data") or {}
        if memory.rows is None:
            memory.rows = rows_in(data, is_board=document.is_board)
            memory.prune = prune_in(data)
            document.renew_rows(unseen)
        written = written_in(data, is_board=document.is_board)
        if not (found and written and document.data(written) == data):
            now = document.data(format_time(self.now))
            if found is None:
                self.kube.create(CONFIG_MAPS, document.namespace, self._body(document, name, now))
            else:
                self.kube.replace(CONFIG_MAPS, document.namespace, self._renewed(found, now))
            _log.debug("status written", extra=fields(namespace=document.namespace, name=name))
        memory.is_written = True

    def _existing(self, document: "_Document", name: str) -> Json | None:
        """Read the ConfigMap as it is; None if there is none, KubeError if it is not ours."""
        try:
            found = self.kube.get(CONFIG_MAPS, document.namespace, name)
        except NotFoundError:
            return None
        place = f"the ConfigMap {document.namespace}/{name}"
        if annotations_of(found).get(names.INSTANCE) != self.settings.instance:
            raise KubeError(f"{place} is not ours: it is left alone")
        if document.is_board and is_status(found.get("data") or {}):
            # Of a release that has our name, in a namespace of its own.
            why = "is another release's status: it is left alone, delete it if that is gone"
            raise KubeError(f"{place} {why}")
        return found

    def _body(self, document: "_Document", name: str, data: Mapping[str, str]) -> Json:
        meta = {
            "name": name,
            "namespace": document.namespace,
            "labels": _LABELS,
            "annotations": {names.INSTANCE: self.settings.instance},
        }
        return {"apiVersion": "v1", "kind": CONFIG_MAPS.kind, "metadata": meta, "data": data}

    def _renewed(self, found: Json, data: Mapping[str, str]) -> Json:
        """The existing ConfigMap with our data, at the version that was read."""
        meta: dict[str, Any] = {**metadata(found), "labels": {**labels_of(found), **_LABELS}}
        return {**found, "metadata": meta, "data": data}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """One ConfigMap: where it is, what it should show, and what is known of it."""

    namespace: str
    memory: DocumentMemory
    subjects: Subjects = field(repr=False)
    make_rows: _MakeRows
    make_data: _MakeData
    is_board: bool
    prunes: Prunes | None = None

    def is_current(self, unseen: Unseen) -> bool:
        """Whether it was written, and nothing that its rows are made of changed since."""
        memory = self.memory
        if memory.rows is None or not memory.is_written or self._has_new_prune():
            return False
        subjects = unseen.with_rows(self.subjects, memory.rows)
        if subjects != memory.subjects:
            return False
        # The same objects again next time: comparing those costs next to nothing.
        memory.subjects = subjects
        return True

    def renew_rows(self, unseen: Unseen) -> bool:
        """Make its rows anew, from those that are known; whether it has to be written."""
        memory = self.memory
        assert memory.rows is not None
        memory.subjects = unseen.with_rows(self.subjects, memory.rows)
        rows = self.make_rows(memory.subjects, memory.rows)
        if rows != memory.rows or self._has_new_prune():
            memory.rows, memory.is_written, memory.complaint = rows, False, ""
        if self.prunes:
            memory.prune = self.prunes.document()
        return not memory.is_written

    def _has_new_prune(self) -> bool:
        return self.prunes is not None and self.prunes.document() != self.memory.prune

    def data(self, written: str) -> Mapping[str, str]:
        """The ConfigMap's data."""
        assert self.memory.rows is not None
        return self.make_data(self.memory.rows, written)


def status_name(settings: Settings) -> str:
    """The name of the status ConfigMap, and of every board."""
    return f"{settings.deployment_name}-status"
