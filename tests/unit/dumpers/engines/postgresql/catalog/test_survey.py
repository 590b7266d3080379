from typing import Any

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.engines.postgresql.catalog import survey
from dumpers.engines.postgresql.catalog.found_notes import leave_out_idle, make_notes
from dumpers.engines.postgresql.catalog.patterns import parse_pattern
from dumpers.engines.postgresql.catalog.server import Server
from dumpers.engines.postgresql.catalog.survey import Survey
from dumpers.engines.postgresql.choice import Choice, Tables
from dumpers.runtime.errors import SourceRefusedError

TABLES = Choice(tables=Tables(with_children=(parse_pattern("orders"),)))
SCHEMAS = Choice(schemas=(parse_pattern("app"),))
SERVER = Server(
    major=18, version="18.1", is_superuser=True, database="shop", standby="", databases={}
)


@pytest.mark.parametrize(
    ("choice", "tool", "found", "arguments", "lists"),
    [
        (TABLES, 15, {"children": [["a", "b"]]}, ['--table="a".("b")'], {}),
        (TABLES, 16, {"children": [["a", "b"]]}, [], {}),
        (
            Choice(),
            15,
            {"unwanted_children": [["a", "b"], ["a", "c"]]},
            ['--exclude-table="a".("b"|"c")'],
            {},
        ),
        (SCHEMAS, 14, {"wanting": ["vector"]}, ['--extension="vector"'], {}),
        (SCHEMAS, 13, {"wanting": ["vector"]}, [], {"wanting": ("vector",)}),
        (Choice(), 13, {"wanting": ["vector"]}, [], {}),
        (
            TABLES,
            18,
            {"lacking": ["sequence b.s", "type b.t"], "lacking_sequences": [["b", "s"]]},
            ['--table="b"."s"'],
            {"lacking": ("schema b", "type b.t")},
        ),
        (
            SCHEMAS,
            18,
            {"lacking": ["sequence b.s"], "lacking_sequences": [["b", "s"]]},
            [],
            {"lacking": ("sequence b.s",)},
        ),
        (SCHEMAS, 18, {"large_objects": ["readable"], "large_object_columns": ["c"]}, ["-b"], {}),
        (
            SCHEMAS,
            18,
            {"large_objects": [""], "large_object_columns": ["c"]},
            [],
            {"large_objects": ("",)},
        ),
        (
            SCHEMAS,
            18,
            {"large_objects": ["readable"], "large_object_columns": []},
            [],
            {"large_objects": ("readable",)},
        ),
    ],
)
def test_what_a_tool_can_take_is_an_argument_and_the_rest_a_list(
    choice: Choice,
    tool: int,
    found: dict[str, Any],
    arguments: list[str],
    lists: dict[str, tuple[str, ...]],
) -> None:
    added = survey._added_arguments(choice, found, tool)
    assert added.arguments == arguments
    assert {name: value for name, value in added.lists.items() if value} == lists


def test_one_note_per_kind_names_the_database_where_there_are_several() -> None:
    first = Survey(database="a", size=1, lists={"foreign": ("public.x",)})
    second = Survey(database="b", size=1, lists={"foreign": ("public.x", "public.y")})
    [note] = make_notes([first, second], Choice(), SERVER, is_custom=False)
    assert note.code is NoteCode.FOREIGN_TABLES
    assert note.objects == ("a.public.x", "b.public.x", "b.public.y")
    [alone] = make_notes([second], Choice(), SERVER, is_custom=False)
    assert alone.objects == ("public.x", "public.y")


def test_a_name_that_fits_in_one_of_several_databases_is_fine() -> None:
    first = Survey(database="a", size=1, matched=(True,))
    second = Survey(database="b", size=1, matched=(False,))
    assert make_notes([first, second], TABLES, SERVER, is_custom=False) == []
    with pytest.raises(SourceRefusedError, match="'orders'"):
        make_notes([second, second], TABLES, SERVER, is_custom=False)


@pytest.mark.parametrize(
    ("choice", "matched", "kept"),
    [
        (TABLES, [(True,), (False,)], ["a"]),
        (TABLES, [(False,), (False,)], ["a", "b"]),
        (TABLES, [(True,), (True,)], ["a", "b"]),
        (
            Choice(
                schemas=(parse_pattern("app"),),
                exclude_tables=Tables(with_children=(parse_pattern("x"),)),
            ),
            [(True, False), (False, True)],
            ["b"],
        ),
        (
            Choice(exclude_tables=Tables(with_children=(parse_pattern("x"),))),
            [(True,), (False,)],
            ["a", "b"],
        ),
        (Choice(), [(), ()], ["a", "b"]),
    ],
)
def test_databases_without_anything_chosen_are_left_out(
    choice: Choice, matched: list[tuple[bool, ...]], kept: list[str]
) -> None:
    surveys = [
        Survey(database=name, size=1, matched=found)
        for name, found in zip("ab", matched, strict=True)
    ]
    left, found = leave_out_idle(surveys, choice)
    assert [survey.database for survey in left] == kept
    named = [name for note in found for name in note.objects]
    assert named == [name for name in "ab" if name not in kept]
