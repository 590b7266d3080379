import pytest

from dumpers.engines.clickhouse.restore.script_runner import Renamer, shown
from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.names.naming import Naming
from dumpers.engines.clickhouse.stored.contents import Statement

NEW = Naming(databases={"shop": "new"}, tables={("shop", "t"): ("new", "t")})
SAME = Naming(databases={"shop": "shop"}, tables={("shop", "t"): ("shop", "t")})


def statement(text: str) -> Statement:
    return Statement(text=text, create=ddl.parse(text))


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        ("CREATE DATABASE shop ENGINE = Atomic", "CREATE DATABASE `new` ENGINE = Atomic"),
        ("CREATE TABLE shop.t (a UInt8)", "CREATE TABLE `new`.t (a UInt8)"),
        (
            "CREATE VIEW shop.v AS SELECT 1 FROM shop.t",
            "CREATE VIEW `new`.v AS SELECT 1 FROM `new`.t",
        ),
        ("CREATE TABLE web.shop (shop_id UInt8)", "CREATE TABLE web.shop (shop_id UInt8)"),
        ("CREATE DATABASE web", "CREATE DATABASE web"),
        ("CREATE FUNCTION f AS x -> x", "CREATE FUNCTION f AS x -> x"),
    ],
)
def test_statements_are_for_the_new_database(text: str, renamed: str) -> None:
    assert Renamer(own=NEW, references=NEW).rename(statement(text)) == (renamed, ())
    assert Renamer(own=SAME, references=SAME).rename(statement(text)) == (text, ())


def test_what_is_loaded_to_change_places_speaks_of_the_live_tables() -> None:
    text = "CREATE TABLE shop.t (a UInt8 DEFAULT joinGet('shop.t', 'a', 1)) ENGINE = Log"
    renamed, _ = Renamer(own=NEW, references=SAME, mark="m").rename(statement(text))
    assert renamed == text.replace("shop.t (", "`new`.t (")


def test_paths_and_ids_are_others_each_time_but_where_it_is_loaded_again() -> None:
    replicated = (
        "CREATE TABLE shop.t UUID '95cc8b85-7fa3-429c-ba55-47a40f420001' (a UInt8) "
        "ENGINE = ReplicatedMergeTree('/c/{}', 'r') ORDER BY a"
    )
    for path in ("t", "{uuid}"):
        of = statement(replicated.format(path))
        found = [
            Renamer(own=NEW, references=NEW, mark=mark).rename(of)[0]
            for mark in ("", "", "one", "two")
        ]
        assert found[0] == found[1]
        assert len({*found, of.text}) == 4


def test_secrets_of_a_statement_are_not_shown() -> None:
    assert "s3cret" not in shown("CREATE TABLE a.b (x UInt8) ENGINE = MySQL('h', 'd', 's3cret')")
