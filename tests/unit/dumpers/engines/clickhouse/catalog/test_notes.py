from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse.catalog.notes import gather_notes


def told(text: str, *objects: str, code: NoteCode = NoteCode.NOT_DUMPED) -> Note:
    return Note(code=code, text=text, objects=objects)


def test_each_kind_is_one_note_with_all_names() -> None:
    found = gather_notes(
        {
            "s1r1": [told("rows", "d.b"), told("rows", "d.a"), told("all")],
            "s1r2": [told("all"), told("rows", "d.a"), told("rows", "d.b", "d.a")],
        }
    )
    assert found == (told("rows", "d.a", "d.b"), told("all"))


def test_what_is_not_true_of_all_servers_names_those() -> None:
    found = gather_notes(
        {
            "s1r1": [told("rows", "d.a", "d.b", "d.c"), told("some")],
            "s1r2": [told("rows", "d.a")],
            "s2r1": [told("rows", "d.a", "d.b"), told("some")],
        }
    )
    assert found == (
        told("rows", "d.a"),
        told("rows (s1r1, s2r1)", "d.b"),
        told("rows (s1r1)", "d.c"),
        told("some (s1r1, s2r1)"),
    )


def test_codes_are_kinds_of_their_own() -> None:
    one, other = told("x", "d.a"), told("x", "d.a", code=NoteCode.UNREADABLE)
    assert gather_notes({"s1r1": [one, other]}) == (one, other)
    assert gather_notes({"s1r1": []}) == gather_notes({}) == ()


def test_ten_thousand_tables_are_one_note() -> None:
    notes = [told("rows", f"d.t{number}") for number in range(10_000)]
    [found] = gather_notes(dict.fromkeys(("s1r1", "s1r2"), notes))
    assert len(found.objects) == 10_000
