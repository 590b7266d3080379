"""The sentences of the page: what was not proved, and what each proof is worth; pure."""

from collections.abc import Iterator, Sequence

from controller.client.proof.summary import DAMAGED, LOST, NONE, UNREAD, History, Summary
from controller.client.terminal.output import clock
from controller.report.page.words import counted
from dumpers.contract.proof.envelope import PAYLOAD_TYPE

# The strongest first.
KINDS = (
    (
        "drilled",
        (
            "The backup was restored into a throwaway server, and what that held was compared"
            " with what the dump held when it was taken. What a drill could not see, its record"
            " says."
        ),
    ),
    (
        "read",
        (
            "Every object was read from the store to its last byte, and compared with what was"
            " sent: as it is stored (read-back), or decrypted and unpacked to the end besides"
            " (decoded)."
        ),
    ),
    (
        "stored",
        (
            "The store was asked for size and checksum of every object, and confirmed those that"
            " were sent; no byte was read."
        ),
    ),
    (
        "restored",
        (
            "The backup was restored for use, by a person or a workload: the database's own client"
            " loaded all of it, or the chosen parts, and nothing was compared."
        ),
    ),
    (
        "unread",
        "A reading was tried, and came to no verdict: this proves nothing.",
    ),
)
LIMITS = (
    (
        "A run that was due and never began leaves no record: this page cannot know of it. The"
        " longest time between backups that were there shows a gap, whatever made it."
    ),
    (
        "Workloads of which the store has no record at all are not in the document. The command"
        " names them where it asks the cluster; a page of a saved document cannot."
    ),
    (
        "What was deleted from the store with its records is not here; what was pruned by a"
        " policy is listed as removed, without the proofs that it once had."
    ),
    "Dumps without records, which ksnapshot 0.6.0 and other programs made, are not here.",
    (
        "Proofs from before the period are not here, nor are backups from before it of which"
        " nothing was found out since; the table counts their runs as older."
    ),
    "A backup whose last drill failed is no good one, whatever else was found out about it.",
    "All of it is as the records say. Times are those of the clocks of the cluster's nodes.",
)
# Both only where the document carries a signature, which a page does not check.
FORGERS = (
    "If the signature is good, the document was made with the operator's private key, and whoever"
    " carried or showed it has changed nothing. Whoever has that key, or may create Jobs in the"
    " operator's namespace, could have any statement signed; and whoever can write to the bucket"
    " can write records, and so have them proved here. The digests in the document bind it to the"
    " manifests, and these to every stored object."
)
VERIFYING = (
    "This page is a view of the document that `ksnapshot proof --output json` writes. With the"
    " operator's public key, which must have come to you by another way, openssl 3 can check it:"
)
COMMANDS = (
    "jq -r .payload proof.json | base64 -d > statement.json",
    "jq -r '.signatures[0].sig' proof.json | base64 -d > signature",
    f"printf 'DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} %d ' $(wc -c < statement.json) > signed",
    "cat statement.json >> signed",
    "openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in signed -sigfile signature",
    "sha256sum statement.json",
)
UNKNOWN_WITHOUT = (
    "Of which workloads there is no record at all is not known here: this is a saved document, and"
    " no cluster was asked."
)
_NOTHING = (
    "Nothing: as far as the records tell, every good backup was read or drilled in the period, and"
    " no run failed."
)
_NAMED = 10


def not_proved(summary: Summary, without: Sequence[str] | None) -> list[str]:
    """What is missing, in sentences; one that says so where nothing is.

    `without` are workloads without any record, None where nobody knows which there are.
    """
    found = [*_of_all(summary, without)]
    found += filter(None, map(_of_one, summary.histories))
    return found or [_NOTHING]


def _of_all(summary: Summary, without: Sequence[str] | None) -> Iterator[str]:
    if not summary.histories:
        yield "Everything: there is no record of any backup in this period."
    if without is None:
        yield UNKNOWN_WITHOUT
    elif without:
        yield (
            f"The cluster knows {counted(len(without), 'workload', 'workloads')} of which the store"
            f" has no record: {named(without)}. (So the command saw it; it is no part of the"
            " document.)"
        )
    never = [item.name for item in summary.histories if item.grade != "drilled"]
    if never:
        number = counted(len(never), "workload", "workloads")
        yield f"No backup of {number} is proved by a drill: {named(never)}."
    if oldest := summary.oldest_unread:
        history, backup = oldest
        yield (
            "The oldest good backup that was neither read nor drilled in the period is"
            f" {backup.document.get('id')} of {history.name}, from {clock(backup.started)}."
        )


def _of_one(history: History) -> str:
    """What is missing of one workload; empty for nothing."""
    good = history.good
    parts = [] if good else ["there is no good backup in this period"]
    if unread := sum(item.is_unread for item in good):
        nothing = history.graded(NONE)
        worse = f", and no proof of {nothing} of them is from this period" if nothing else ""
        parts.append(
            f"{unread} of {counted(len(good), 'good backup', 'good backups')} neither read nor"
            f" drilled in the period{worse}"
        )
    findings = [item for backup in history.backups for item in backup.proofs()]

    def found(kind: str, *, good: bool | None) -> int:
        return sum(item.get("kind") == kind and item.get("good") is good for item in findings)

    blind = sum(
        item.get("kind") == "drilled" and bool(item.get("good") and item.get("unproved"))
        for item in findings
    )
    odd = sum(item.get("good") is None and item.get("kind") != UNREAD for item in findings)
    counts = (
        (history.drill_failed, "backup whose last drill failed", "backups whose last drill failed"),
        (history.count(DAMAGED), "damaged backup", "damaged backups"),
        (history.count("notes"), "backup that is not all", "backups that are not all"),
        (blind, "drill that could not see all", "drills that could not see all"),
        (history.count(*LOST), "run that left no backup", "runs that left no backup"),
        (history.count("unknown"), "run of an unknown format", "runs of an unknown format"),
        (found("drilled", good=False), "failed drill", "failed drills"),
        (found("restored", good=False), "failed restore", "failed restores"),
        (found(UNREAD, good=None), "reading without a verdict", "readings without a verdict"),
        (odd, "record that cannot be trusted", "records that cannot be trusted"),
    )
    parts += [counted(number, one, many) for number, one, many in counts if number]
    return f"{history.name}: {'; '.join(parts)}." if parts else ""


def named(names: Sequence[str]) -> str:
    """The first of many names, and how many there are besides."""
    more = f", and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
