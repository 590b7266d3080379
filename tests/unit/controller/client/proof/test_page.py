"""The page: all of it escaped, nothing loaded, and what is missing said."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from controller.client.proof.page import proof_page
from controller.client.proof.page_tables import rows_of
from controller.client.proof.page_words import not_proved
from controller.client.proof.summary import Summary
from dumpers.contract.proof.envelope import SignedStatement
from tests.unit.controller.client.proof.statements import (
    FAILED_DRILL,
    SIGNATURE,
    backup,
    finding,
    signed,
    workload,
)

EVIL = "</td><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\u202e"
VOID = {"meta"}


class Seen(HTMLParser):
    """The tags of a page, which are all closed, with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in VOID or self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(statement: SignedStatement, without: tuple[str, ...] | None = ()) -> Seen:
    return Seen(proof_page(statement, Summary.of(statement.statement), without))


def _evil(value: Any) -> Any:
    """The same document with every text an attack; numbers and what is looked up stay."""
    if isinstance(value, dict):
        kept = {"state", "grade", "kind", "started", "finished", "when", "since", "until"}
        return {key: item if key in kept else _evil(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_evil(item) for item in value]
    return EVIL if isinstance(value, str) else value


def test_whatever_the_records_say_is_text_and_nothing_else() -> None:
    proofs = [
        finding(kind, good=good, reason="r", message="m", why="w", by="b", target="t", image="i")
        | {"faults": ["f"], "unproved": ["u"], "method": "m", "mode": "m"}
        for kind in ("drilled", "read", "stored", "restored", "unread")
        for good in (True, False, None)
    ]
    odd = backup(1, "stored", *proofs, why="w", notes=["n"], state="damaged")
    plain = signed([workload("demo/db", [backup(2, "read"), odd])], cronjob="x", namespace="n")
    evil = {**plain.statement, "predicate": _evil(plain.statement["predicate"])}
    attacked = SignedStatement(payload=json.dumps(evil).encode(), signatures=(SIGNATURE,))
    found = page(attacked, (EVIL,))
    harmless = page(SignedStatement(payload=plain.payload, signatures=(SIGNATURE,)), ("x",))
    assert set(found.tags) == set(harmless.tags)
    assert not {"script", "img", "a", "link", "iframe", "form"} & set(found.tags)
    assert {name for name, _ in found.attributes} == {name for name, _ in harmless.attributes}
    assert not any(name.startswith("on") or name in {"src", "href"} for name, _ in found.attributes)
    assert "<script>alert(1)</script>" in found.text
    assert "\u202e" not in found.text
    # Of what is looked up, something else is shown as it is.
    strange = backup(1, "<b>", state="<b>")
    found = page(signed([workload("demo/db", [strange])]))
    assert found.text.count("<b>") == 1


def test_the_policy_allows_its_own_style_and_nothing_else() -> None:
    text = proof_page(signed([]), Summary.of(signed([]).statement), ())
    [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    [policy] = [value for name, value in page(signed([])).attributes if "default-src" in str(value)]
    assert policy is not None
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in policy
    assert "url(" not in style
    assert "@import" not in style
    assert "@media print" in style


def test_the_page_names_the_document_and_says_whether_it_is_signed() -> None:
    statement = signed([workload("demo/db", [backup(1, "drilled")])], (SIGNATURE,))
    shown = page(statement).text
    assert hashlib.sha256(statement.payload).hexdigest() in shown
    # A page has not checked it, and says so.
    assert "carries a signature It is said to be by the key c0ffee, and was not checked" in shown
    assert "not signed" not in shown
    assert "If the signature is good, the document was made with" in shown
    assert "openssl pkeyutl -verify" in shown
    unsigned = page(signed([workload("demo/db", [backup(1, "drilled")])])).text
    assert "not signed" in unsigned
    assert "openssl" not in unsigned
    assert "forge" not in unsigned


def test_a_page_of_a_saved_document_says_what_it_cannot_know() -> None:
    statement = signed([workload("demo/db", [backup(1, "drilled")])])
    shown = page(statement, None).text
    assert "Of which workloads there is no record at all is not known here" in shown
    assert "Nothing:" not in shown
    assert "is not known here" not in page(statement, ()).text


@pytest.mark.parametrize("number", [10**400, float("nan"), float("inf"), -1, "1"])
def test_numbers_that_are_none_and_texts_in_place_of_lists_are_left_out(number: Any) -> None:
    odd = finding("drilled", start_seconds=number, tables=number, faults=number, unproved="all")
    shown = page(signed([workload("demo/db", [backup(1, "drilled", odd, stored_bytes=number)])]))
    assert "server started in" not in shown.text
    assert "differs:" not in shown.text


def test_nothing_to_show_is_said() -> None:
    shown = page(signed([]), ("demo/db",)).text
    assert "Everything: there is no record of any backup in this period." in shown
    assert "The cluster knows 1 workload of which the store has no record: demo/db." in shown


@pytest.mark.parametrize(
    ("backups", "expected"),
    [
        ([backup(1, "drilled")], []),
        ([backup(1, "read")], ["No backup of 1 workload is proved by a drill: demo/db."]),
        (
            [backup(1, "none", state="crashed")],
            ["there is no good backup", "1 run that left no backup"],
        ),
        (
            [backup(2, "stored"), backup(1, "none")],
            [
                "2 of 2 good backups neither read nor drilled in the period",
                "and no proof of 1 of them is from this period",
            ],
        ),
        (
            [backup(1, "drilled", finding("read", good=None), finding("unread", good=None))],
            ["1 reading without a verdict", "1 record that cannot be trusted"],
        ),
        (
            [backup(1, "none", finding("drilled", good=False), finding("restored", good=False))],
            ["1 failed drill; 1 failed restore"],
        ),
        (
            [backup(2, "drilled"), backup(1, "none", drill=FAILED_DRILL)],
            ["demo/db: 1 backup whose last drill failed."],
        ),
        ([backup(1, "drilled", state="notes")], ["1 backup that is not all"]),
        (
            [backup(1, "drilled", finding("drilled", unproved=["large objects"]))],
            ["1 drill that could not see all"],
        ),
        (
            [backup(1, "stored", finding("restored"))],
            ["1 of 1 good backup neither read nor drilled in the period."],
        ),
        ([backup(1, "none", state="damaged")], ["1 damaged backup"]),
        ([backup(1, "none", state="unknown")], ["1 run of an unknown format"]),
    ],
)
def test_what_was_not_proved_is_said(backups: list[dict[str, Any]], expected: list[str]) -> None:
    statement = signed([workload("demo/db", backups)])
    said = " ".join(not_proved(Summary.of(statement.statement), ()))
    assert all(each in said for each in expected), said
    assert ("Nothing:" in said) == (not expected)


def test_many_backups_are_cut_with_a_word_and_counted_all_the_same() -> None:
    statement = signed([workload("demo/db", [backup(n, "stored") for n in range(200, 0, -1)])])
    shown = page(statement)
    assert shown.tags.count("tr") == 2 + 1 + rows_of(1)
    assert f"the newest {rows_of(1)} are shown, the document has all" in shown.text
    assert "demo/dbpostgresql, cluster prod, cj-demo-db, 200 runs" in shown.text
    assert rows_of(1) > rows_of(100) > rows_of(1000) == rows_of(10_000) > 0
