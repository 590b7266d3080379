from datetime import UTC, datetime

import pytest

from controller.workloads.restore_values import (
    Source,
    parse_backup,
    parse_instant,
    parse_source,
    show_text,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("latest", "latest"),
        ("latest#2", "latest"),
        ("latest # once more, please", "latest"),
        ("3f9c0a51b2d4", "3f9c0a51b2d4"),
        ("3f", "3f"),
        # All digits, and an id all the same: a time has its dashes.
        ("20260131", "20260131"),
        ("20260131T030000Z-3f9c", "20260131T030000Z-3f9c"),
        ("legacy-20250131T040506Z", "legacy-20250131T040506Z"),
        ("2026-01-31T03:00:00Z", "at:2026-01-31T03:00:00Z"),
        ("2026-01-31 03:00", "at:2026-01-31T03:00:00Z"),
        ("2026-01-31T03:00:00+02:00#2", "at:2026-01-31T01:00:00Z"),
        ("2026-01-31", "at:2026-01-31T23:59:59Z"),
    ],
)
def test_backup(text: str, expected: str) -> None:
    assert parse_backup(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#2",
        "yesterday",
        "5 minutes ago",
        "Latest",
        "2026-13-01",
        "2026-01-01x",
        "at:2026-01-01",
        "../x",
        "3f9c/0a",
        "9999-12-31T23:59:59-23:59",
    ],
)
def test_what_is_no_backup_is_told_the_forms(text: str) -> None:
    with pytest.raises(ValueError, match="must be latest, a backup's id, or a time such as"):
        parse_backup(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("latest#" + "x" * 300, "at most 253 characters"),
        ("latest#\n", "no control characters"),
        ("latest#AGE-SECRET-KEY-1QQQ", "never hold a private key"),
    ],
)
def test_what_may_not_be_kept_or_shown(text: str, why: str) -> None:
    for parse in (parse_backup, lambda text: parse_source(f"db@{text}", "demo")):
        with pytest.raises(ValueError, match=why):
            parse(text)
    shown = show_text(text)
    assert len(shown) < 200
    assert shown.isprintable()
    assert "AGE-" not in shown
    assert show_text("latest#2") == "latest#2"


def source(namespace: str, kind: str, name: str, backup: str = "latest") -> Source:
    return Source(namespace=namespace, kind=kind, name=name, backup=backup)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db", source("demo", "", "db")),
        ("statefulset/db", source("demo", "StatefulSet", "db")),
        ("sts/db@3f9c", source("demo", "StatefulSet", "db", "3f9c")),
        ("Deployment/db@latest#2", source("demo", "Deployment", "db")),
        ("production/db", source("production", "", "db")),
        (
            "production/deployment/db@2026-01-01T00:00:00Z#x",
            source("production", "Deployment", "db", "at:2026-01-01T00:00:00Z"),
        ),
        # A namespace that is called like a kind is meant only before a kind.
        ("deployment/deployment/db", source("deployment", "Deployment", "db")),
        (" production / db @ latest ", source("production", "", "db")),
    ],
)
def test_source(text: str, expected: Source) -> None:
    assert parse_source(text, "demo") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@latest",
        "a/b/c/d",
        "a/job/db",
        "/db",
        "db/",
        "db@",
        "db@soon",
        "UPPER",
        "a b",
        "db@@",
        "production/statefulset/",
    ],
)
def test_what_is_no_source(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_source(text, "demo")


def test_a_moment_without_a_zone_is_in_utc_and_a_day_is_its_last_second() -> None:
    assert parse_instant("2026-01-31T03:00") == datetime(2026, 1, 31, 3, tzinfo=UTC)
    assert parse_instant("20260131") == datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
