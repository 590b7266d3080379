from dataclasses import replace

import pytest

from dumpers.engines.postgresql.catalog.create_database import database_options, databases_script
from dumpers.engines.postgresql.catalog.server import Database

_DEFAULT = frozenset({(None, "CONNECT", False), (None, "TEMPORARY", False), ("o", "CREATE", False)})
DATABASE = Database(
    name="shop",
    owner="o",
    encoding="UTF8",
    collate="C",
    ctype="C",
    provider="",
    locale="",
    rules="",
    tablespace="pg_default",
    comment="",
    template=False,
    allows=True,
    may_connect=True,
    connections=-1,
    settings=(),
    labels=(),
    rights=_DEFAULT,
    default_rights=_DEFAULT,
)


def script(**changes: object) -> str:
    return databases_script([replace(DATABASE, **changes)]).decode()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({}, ""),
        ({"provider": "c"}, " LOCALE_PROVIDER libc"),
        ({"provider": "i", "locale": "fr", "rules": "&a < g"}, " LOCALE_PROVIDER icu"),
        ({"provider": "b", "locale": "C.UTF-8"}, " LOCALE_PROVIDER builtin"),
    ],
)
def test_options_of_a_database(changes: dict[str, str], more: str) -> None:
    found = database_options(replace(DATABASE, **changes))  # type: ignore[arg-type]
    tail = {
        "i": " ICU_LOCALE 'fr' ICU_RULES '&a < g'",
        "b": " BUILTIN_LOCALE 'C.UTF-8'",
    }.get(changes.get("provider", ""), "")
    start = f"TEMPLATE template0 ENCODING 'UTF8'{more} LC_COLLATE 'C' LC_CTYPE 'C'"
    assert found == start + tail


@pytest.mark.parametrize(
    ("setting", "sql"),
    [
        ((None, "work_mem=4MB"), "ALTER DATABASE :\"database\" SET work_mem TO '4MB';"),
        ((None, "TimeZone=UTC"), 'ALTER DATABASE :"database" SET "TimeZone" TO \'UTC\';'),
        ((None, "my.Odd=a=b"), 'ALTER DATABASE :"database" SET "my"."Odd" TO \'a=b\';'),
        ((None, "x=it's\\"), "ALTER DATABASE :\"database\" SET x TO E'it''s\\\\';"),
        (
            (None, 'search_path="$user", app, "a "", b"'),
            "ALTER DATABASE :\"database\" SET search_path TO '$user', 'app', 'a \", b';",
        ),
        ((None, "search_path="), "ALTER DATABASE :\"database\" SET search_path TO '';"),
        ((None, 'search_path=""'), "ALTER DATABASE :\"database\" SET search_path TO '';"),
        (
            ('R"s', "statement_timeout=5s"),
            'ALTER ROLE "R""s" IN DATABASE :"database" SET statement_timeout TO \'5s\';',
        ),
    ],
)
def test_a_setting(setting: tuple[str | None, str], sql: str) -> None:
    assert sql in script(settings=(setting,)).splitlines()


def test_rights_are_what_differs_from_those_of_a_new_database() -> None:
    assert "GRANT" not in script()
    assert "REVOKE" not in script()
    lines = script(rights=frozenset({("o", "CREATE", False), ("R", "CONNECT", True)})).splitlines()
    assert [line for line in lines if line.startswith(("GRANT", "REVOKE"))] == [
        'REVOKE CONNECT ON DATABASE :"database" FROM PUBLIC;',
        'REVOKE TEMPORARY ON DATABASE :"database" FROM PUBLIC;',
        'GRANT CONNECT ON DATABASE :"database" TO "R" WITH GRANT OPTION;',
    ]


@pytest.mark.parametrize(
    ("name", "shown", "set_"),
    [
        ("it's", "it's", "\\set database 'it''s'"),
        ("a\n\\! rm", "a?\\! rm", "\\set database 'a\\n\\\\! rm'"),
    ],
)
def test_a_name_cannot_break_out(name: str, shown: str, set_: str) -> None:
    lines = script(name=name).splitlines()
    assert f"-- Database {shown}" in lines
    assert set_ in lines
    assert not [line for line in lines if line.startswith("\\!")]


def test_what_a_database_may_have_besides() -> None:
    text = script(
        tablespace="fast", connections=3, template=True, comment="it's", labels=(("se", "l"),)
    )
    for line in (
        'ALTER DATABASE :"database" SET TABLESPACE "fast";',
        'ALTER DATABASE :"database" CONNECTION LIMIT 3;',
        'ALTER DATABASE :"database" IS_TEMPLATE true;',
        "COMMENT ON DATABASE :\"database\" IS 'it''s';",
        'SECURITY LABEL FOR "se" ON DATABASE :"database" IS \'l\';',
    ):
        assert line in text.splitlines()
