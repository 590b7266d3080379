import base64
from typing import Any

import pyrage
import pytest

from controller.client.cluster.workload_names import Workload
from controller.client.keys.age_library import AgeLibrary
from controller.client.keys.key_check import KeyRow, Verdict, check_key
from dumpers.contract.fetch.age_header import cut_header

IDENTITY = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()


def header(*recipients: Any) -> str:
    found = cut_header(pyrage.encrypt(b"x" * 5000, list(recipients)))
    assert found is not None
    return base64.b64encode(found).decode()


def document(**members: Any) -> dict[str, Any]:
    return {
        "keys": "backup",
        "cluster": "c",
        "cronjob": "ksnapshot-db",
        "workload": "demo/db",
        "backup": "3f9c0a51b2d4",
        "began": "2026-01-02T03:04:05Z",
        "recipients": [str(IDENTITY.to_public())],
        "header": header(IDENTITY.to_public()),
        "why": "",
    } | members


def check(*documents: dict[str, Any], workloads: tuple[Workload, ...] = ()) -> list[KeyRow]:
    return check_key(documents, workloads, age=AgeLibrary(), identity=f"{IDENTITY}\n")


def workload(name: str, cronjob: str) -> Workload:
    found = {"metadata": {"name": cronjob}} if cronjob else None
    return Workload(
        namespace="demo", name=name, kind="StatefulSet", type="postgresql", cronjob=found
    )


def raw(stanzas: bytes) -> str:
    text = b"age-encryption.org/v1\n" + stanzas + b"--- " + b"A" * 43 + b"\n"
    return base64.b64encode(text).decode()


PIECE = b"A" * 43
DAMAGED = base64.b64encode(
    base64.b64decode(header(IDENTITY.to_public()))[:-10] + b"AAAAAAAAA\n"
).decode()


@pytest.mark.parametrize(
    ("members", "verdict", "why"),
    [
        ({}, Verdict.OPENS, ""),
        ({"header": header(OTHER.to_public(), IDENTITY.to_public())}, Verdict.OPENS, ""),
        ({"header": header(OTHER.to_public())}, Verdict.OTHER, ""),
        ({"recipients": None, "header": ""}, Verdict.CLEAR, ""),
        ({"backup": "", "recipients": None, "why": "no backup"}, Verdict.NONE, "no backup"),
        ({"header": "", "why": "x is gone"}, Verdict.UNREADABLE, "x is gone"),
        ({"header": "?"}, Verdict.UNREADABLE, "did not arrive"),
        ({"header": DAMAGED}, Verdict.UNREADABLE, "not those that were encrypted"),
        ({"header": raw(b"-> scrypt abc 18\n" + PIECE + b"\n")}, Verdict.OTHER, "a passphrase"),
        ({"header": raw(b"-> piv-p256 abc\n" + PIECE + b"\n")}, Verdict.OTHER, "piv-p256"),
    ],
)
def test_what_a_key_is_for_a_backup(members: dict[str, Any], verdict: Verdict, why: str) -> None:
    [row] = check(document(**members))
    assert row.verdict is verdict
    assert why in row.why
    assert row.workload == "demo/db"


def test_every_workload_has_its_row() -> None:
    rows = check(
        document(cronjob="c1", workload="demo/b"),
        # Of a CronJob that is gone, and of one whose records do not say whose they are.
        document(cronjob="c2", workload="demo/gone"),
        document(cronjob="c3", workload="", backup=""),
        document(cronjob="c4", workload="", backup=""),
        workloads=(
            workload("b", "c1"),
            workload("a", "c3"),
            workload("new", "c9"),
            workload("rejected", ""),
        ),
    )
    assert [(row.workload, row.verdict) for row in rows] == [
        ("c4", Verdict.NONE),
        ("demo/a", Verdict.NONE),
        ("demo/b", Verdict.OPENS),
        ("demo/gone", Verdict.OPENS),
        ("demo/new", Verdict.NONE),
        ("demo/rejected", Verdict.NONE),
    ]
    assert "has no CronJob" in rows[-1].why


def test_a_row_as_json() -> None:
    [row] = check(document(backup="", began="", recipients=None, header=""))
    assert row.to_document() == {
        "workload": "demo/db",
        "verdict": "no backup",
        "backup": None,
        "began": None,
        "recipients": [],
        "kinds": [],
        "why": "",
    }


def test_a_workload_that_writes_to_another_storage_was_not_looked_for() -> None:
    others = {"demo/db": "offsite"}
    [row] = check_key(
        (),
        (workload("db", "ksnapshot-db"),),
        age=AgeLibrary(),
        identity=f"{IDENTITY}\n",
        elsewhere=others,
    )
    assert row.verdict is Verdict.ELSEWHERE
    assert row.why == "its backups go to offsite: name that by --storage"
