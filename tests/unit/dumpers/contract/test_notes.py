import pytest

from dumpers.contract.notes import Note, NoteCode, codes_of, parse_codes
from dumpers.contract.result import DumpResult
from dumpers.repository.records import NoteRecord


def test_a_note_names_the_first_of_many_objects_and_counts_the_rest() -> None:
    text = "rows that another server holds"
    assert str(Note(code=NoteCode.FOREIGN_TABLES, text=text)) == text
    few = Note(code=NoteCode.FOREIGN_TABLES, text=text, objects=("a.b", "a.c"))
    assert str(few) == f"{text}: a.b, a.c"
    many = Note(code=NoteCode.FOREIGN_TABLES, text=text, objects=tuple(f"t{n}" for n in range(25)))
    assert str(many).endswith("t18, t19 and 5 more")


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("", set()),
        (" , ", set()),
        ("standby", {NoteCode.STANDBY}),
        ("foreign-tables, standby,standby", {NoteCode.STANDBY, NoteCode.FOREIGN_TABLES}),
    ],
)
def test_a_list_of_codes(text: str, codes: set[NoteCode]) -> None:
    assert parse_codes(text) == codes


@pytest.mark.parametrize("text", ["all", "Standby", "standby foreign-tables", "standby,*"])
def test_an_unknown_code_is_named_with_those_that_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="is no code of a note: foreign-tables, ") as caught:
        parse_codes(text)
    assert repr(text.removeprefix("standby,")) in str(caught.value)


def test_a_result_shows_each_code_once_and_no_accepted_one() -> None:
    codes = [NoteCode.STANDBY, NoteCode.ALTERED, NoteCode.STANDBY, NoteCode.DRIFT]
    notes = [NoteRecord(code=code, text="", accepted=code is NoteCode.DRIFT) for code in codes]
    shown, accepted = codes_of(notes), codes_of(notes, accepted=True)
    assert shown == ("altered", "standby")
    assert accepted == ("drift",)
    result = DumpResult(
        succeeded=True, exit_code=0, reason="", message="", notes=shown, accepted=accepted
    )
    assert DumpResult.from_json(result.to_json()) == result


def test_a_result_of_before_there_were_notes_has_none() -> None:
    text = '{"succeeded": true, "exit_code": 0, "reason": "", "message": ""}'
    assert DumpResult.from_json(text).notes == ()
    with pytest.raises(ValueError, match="no DumpResult"):
        DumpResult.from_json(text[:-1] + ', "notes": [1]}')
