"""One page for an auditor, which loads nothing and runs nothing: made of a proof alone; pure."""

import hashlib
from collections.abc import Sequence

from controller.client.proof.page_style import CSS, POLICY
from controller.client.proof.page_tables import histories_table, history_section, rows_of
from controller.client.proof.page_words import (
    COMMANDS,
    FORGERS,
    KINDS,
    LIMITS,
    VERIFYING,
    not_proved,
)
from controller.client.proof.summary import Summary
from controller.report.page.markup import Child, Html, div, element, join, span
from controller.report.page.words import counted, duration, moment
from dumpers.contract.proof.envelope import PREDICATE_TYPE, SignedStatement


def proof_page(signed: SignedStatement, summary: Summary, without: Sequence[str] | None) -> Html:
    """Make the page.

    `without` are workloads of the cluster of which the store has no record; None where nobody knows
    which there are.
    """
    told = summary.told
    title = f"Proof of backups: {_subject(summary)}"
    return _document(
        title,
        element(
            "header",
            element("h1", title),
            element(
                "p",
                "What was proved of the backups in the bucket ",
                element("code", str(told.get("bucket"))),
                " from ",
                moment(str(told.get("since"))),
                " to ",
                moment(str(told.get("until"))),
                f", as the records beside them say. Made by ksnapshot {_version(summary)}",
                f" for {told['requested_by']}" if told.get("requested_by") else None,
                ". All times are UTC.",
                attributes={"class": "lead"},
            ),
            _signature(signed),
            _counts(summary),
        ),
        element(
            "main",
            element("h2", "What was not proved"),
            _items(not_proved(summary, without)),
            element("h2", "Workloads"),
            histories_table(summary.histories) if summary.histories else _nothing(),
            element("h2", "How each kind of proof works"),
            element("dl", *(each for kind in KINDS for each in _kind(*kind))),
            element("h2", "Backups"),
            *(history_section(item, rows_of(len(summary.histories))) for item in summary.histories),
            element("h2", "What this page cannot say"),
            _items(LIMITS),
            element("h2", "This document"),
            _about(signed),
            *(_checking() if signed.signatures else ()),
        ),
    )


def _subject(summary: Summary) -> str:
    """Of what the page is."""
    told = summary.told
    if told.get("cronjob") and summary.histories:
        return summary.histories[0].name
    parts = (told.get("namespace"), f"cluster {told['cluster']}" if told.get("cluster") else "")
    return ", ".join(filter(None, map(str, parts))) or "all clusters"


def _version(summary: Summary) -> str:
    by = summary.told.get("by")
    return str(by.get("version")) if isinstance(by, dict) else ""


def _signature(signed: SignedStatement) -> Html:
    if signed.signatures:
        keys = ", ".join(item.key_id for item in signed.signatures)
        return element(
            "p",
            span("badge quiet", "carries a signature"),
            " It is said to be by the key ",
            element("code", keys),
            ", and was not checked here: no page can prove that it is good. The document can be"
            " checked, as is said at the end.",
        )
    return element(
        "p",
        span("badge warn", "not signed"),
        " The document carries no signature: nothing but trust in whoever handed this page over"
        " says that it is what the cluster found.",
    )


def _checking() -> tuple[Html, ...]:
    """How to check the signature, and what that is worth."""
    return (
        element("h3", "How to check the signature"),
        element("p", VERIFYING, attributes={"class": "lead"}),
        element("pre", *(element("code", line) for line in COMMANDS)),
        element("h3", "Who could forge it"),
        element("p", FORGERS, attributes={"class": "lead"}),
    )


def _counts(summary: Summary) -> Html:
    workloads = len(summary.histories)
    backups = sum(len(item.good) for item in summary.histories)
    cards: list[tuple[Child, str]] = [
        (str(workloads), counted(workloads, "workload", "workloads").partition(" ")[2]),
        (str(backups), "good backups"),
    ]
    for grade, what in (("drilled", "drilled"), ("read", "read"), ("stored", "confirmed")):
        share = summary.share(grade)
        cards.append((f"{share} of {workloads}", f"workloads with a backup that was {what}"))
    oldest, restore, gap = summary.oldest_unread, summary.longest_restore, summary.longest_gap
    cards += [
        (
            moment(str(oldest[1].document.get("started"))) if oldest else "none",
            "oldest good backup neither read nor drilled"
            + (f", {oldest[0].name}" if oldest else ""),
        ),
        (
            duration(restore[1]) if restore else "unknown",
            "longest restore of a drill (RTO)"
            + (f", {restore[0].name}" if restore else ": there was none"),
        ),
        (
            duration(gap[1]) if gap else "unknown",
            "longest time between backups that were there (RPO)"
            + (f", {gap[0].name}" if gap else ": there was none"),
        ),
    ]
    shown = (element("div", element("b", number), what) for number, what in cards)
    return div("counts", *shown)


def _kind(name: str, sentence: str) -> tuple[Html, Html]:
    return element("dt", name), element("dd", sentence)


def _items(sentences: Sequence[str]) -> Html:
    return element("ul", *(element("li", each) for each in sentences))


def _about(signed: SignedStatement) -> Html:
    rows: list[tuple[str, Child]] = [
        ("sha256 of the Statement", element("code", hashlib.sha256(signed.payload).hexdigest())),
        ("its size", f"{len(signed.payload)} bytes"),
        ("its type", element("code", PREDICATE_TYPE)),
        ("manifests it binds to", str(len(signed.statement["subject"]))),
    ]
    rows += [
        ("signature, unchecked, by", element("code", item.key_id)) for item in signed.signatures
    ]
    rows += [] if signed.signatures else [("signed by", "nobody")]
    return element("dl", *(each for name, value in rows for each in _pair(name, value)))


def _pair(name: str, value: Child) -> tuple[Html, Html]:
    return element("dt", name), element("dd", value)


def _nothing() -> Html:
    return element("p", "There is no record of any backup in this period.")


def _document(title: str, *children: Child) -> Html:
    view = {"name": "viewport", "content": "width=device-width,initial-scale=1"}
    policy = {"http-equiv": "Content-Security-Policy", "content": POLICY}
    head = element(
        "head",
        element("meta", attributes={"charset": "utf-8"}),
        element("meta", attributes=policy),
        element("meta", attributes=view),
        element("meta", attributes={"name": "color-scheme", "content": "light dark"}),
        element("title", f"{title} - ksnapshot"),
        # The style's digest is in the policy: nothing of it may be escaped.
        Html(f"<style>{CSS}</style>"),
    )
    body = element("body", *children)
    return join(Html("<!doctype html>"), element("html", head, body, attributes={"lang": "en"}))
