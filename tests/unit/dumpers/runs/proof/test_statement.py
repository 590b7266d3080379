"""The Statement: an in-toto one, of every run that was added, and of no other."""

import json
from dataclasses import replace
from typing import Any

from dumpers.contract.proof.envelope import PREDICATE_TYPE, STATEMENT_TYPE, SignedStatement
from dumpers.repository.proof.histories import Piece
from dumpers.runs.proof.statement import StatementWriter
from tests.unit.dumpers.repository.proof.test_evidence import evidence
from tests.unit.dumpers.repository.test_catalogue import MANIFEST

GOOD = evidence({}, manifest=MANIFEST)
FAILED = evidence({}, manifest=None)


def _written(writer: StatementWriter) -> dict[str, Any]:
    payload = writer.write({"bucket": "b\ud800"})
    assert SignedStatement(payload=payload).statement
    document: dict[str, Any] = json.loads(payload)
    return document


def test_subjects_are_the_manifests_and_every_run_is_in_the_predicate() -> None:
    writer = StatementWriter()
    writer.begin(cluster="c", cronjob="cj")
    writer.add(Piece(evidence=(GOOD,), older=2))
    writer.add(Piece(evidence=(FAILED,), older=1))
    writer.end()
    document = _written(writer)
    assert set(document) == {"_type", "subject", "predicateType", "predicate"}
    assert (document["_type"], document["predicateType"]) == (STATEMENT_TYPE, PREDICATE_TYPE)
    assert document["subject"] == [{"name": GOOD.subject, "digest": {"sha256": GOOD.manifest}}]
    [workload] = document["predicate"]["workloads"]
    # The record of a failure does not say whose it is.
    assert {name: workload[name] for name in ("workload", "cronjob", "cluster", "older_runs")} == {
        "workload": "demo/db",
        "cronjob": "cj",
        "cluster": "c",
        "older_runs": 3,
    }
    assert [item["state"] for item in workload["backups"]] == [
        "notes" if GOOD.entry.notes else "complete",
        "failed",
    ]
    assert writer.count == 2


def test_what_is_forgotten_and_what_is_empty_is_not_there() -> None:
    writer = StatementWriter()
    writer.begin(cluster="c", cronjob="other")
    writer.add(Piece(evidence=(GOOD,), older=5))
    assert writer.workload == "demo/db"
    writer.forget()
    writer.end()
    writer.begin(cluster="c", cronjob="empty")
    writer.end()
    writer.begin(cluster="c", cronjob="old")
    writer.add(Piece(evidence=(), older=1))
    writer.end()
    document = _written(writer)
    assert (writer.count, document["subject"]) == (0, [])
    assert [item["cronjob"] for item in document["predicate"]["workloads"]] == ["old"]


def test_the_workload_is_that_of_the_newest_run_that_names_one() -> None:
    renamed = replace(GOOD, entry=replace(GOOD.entry, workload="demo/renamed"))
    writer = StatementWriter()
    writer.begin(cluster="c", cronjob="cj")
    writer.add(Piece(evidence=(GOOD, renamed, FAILED), older=0))
    assert writer.workload == "demo/renamed"
