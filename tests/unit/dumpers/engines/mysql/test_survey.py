import pytest

from dumpers.contract.connection import Connection
from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.mysql import client, commands, options
from dumpers.engines.mysql.plan import in_order, views_across
from dumpers.engines.mysql.survey.database import Survey
from dumpers.engines.mysql.survey.notes import merged
from dumpers.engines.mysql.survey.references import Reference, needing
from dumpers.engines.mysql.survey.server.standby import damage_notes, describe, describe_node
from dumpers.runtime.errors import DUMP_ERRORS


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            {
                "Source_Host": "db-0",
                "Replica_IO_Running": "Yes",
                "Replica_SQL_Running": "Yes",
                "Seconds_Behind_Source": "37",
            },
            "replica of db-0 that was 37 s behind",
        ),
        (
            {
                "Master_Host": "db-0",
                "Slave_IO_Running": "Connecting",
                "Slave_SQL_Running": "Yes",
                "Seconds_Behind_Master": "NULL",
            },
            "replica of db-0 that does not receive changes",
        ),
        (
            {"Slave_IO_Running": "Yes", "Slave_SQL_Running": "No", "Seconds_Behind_Master": "0"},
            "replica that does not apply changes",
        ),
        ({"Slave_IO_Running": "No", "Slave_SQL_Running": "No"}, "not receive and apply changes"),
        ({"Slave_IO_Running": "Yes", "Slave_SQL_Running": "Yes"}, "it does not say"),
        (
            {
                "Master_Host": "db-0",
                "Slave_IO_Running": "Yes",
                "Slave_SQL_Running": "Yes",
                "Seconds_Behind_Master": "0",
                "Replicate_Do_DB": "shop",
                "Replicate_Ignore_DB": "",
                "Replicate_Wild_Ignore_Table": "shop.log%",
            },
            (
                "takes but a part of what its source does (Replicate_Do_DB: shop; "
                "Replicate_Wild_Ignore_Table: shop.log%), and that was 0 s behind"
            ),
        ),
    ],
)
def test_how_far_a_replica_is_behind(state: dict[str, str], words: str) -> None:
    assert words in describe(state)


@pytest.mark.parametrize(
    ("on", "provider", "status", "state", "words"),
    [
        ("OFF", "/usr/lib/galera/libgalera_smm.so", "Disconnected", "Initialized", ""),
        ("ON", "none", "Disconnected", "Initialized", ""),
        ("ON", "/usr/lib/galera/libgalera_smm.so", "Primary", "Synced", ""),
        (
            "ON",
            "/usr/lib/galera/libgalera_smm.so",
            "Primary",
            "Donor/Desynced",
            "(Primary, Donor/Desynced)",
        ),
        (
            "ON",
            "/usr/lib/galera/libgalera_smm.so",
            "non-Primary",
            "Initialized",
            "(non-Primary, Initialized)",
        ),
    ],
)
def test_a_node_of_a_cluster(on: str, provider: str, status: str, state: str, words: str) -> None:
    said = describe_node(
        {
            "wsrep_on": on,
            "wsrep_provider": provider,
            "wsrep_cluster_status": status,
            "wsrep_local_state_comment": state,
        }
    )
    assert words in said
    assert bool(said) == bool(words)
    assert describe_node({}) == ""


@pytest.mark.parametrize(("level", "count"), [("0", 0), ("1", 1), ("6", 1)])
def test_a_server_that_passes_over_damage(level: str, count: int) -> None:
    notes = damage_notes({"innodb_force_recovery": level})
    assert [note.code for note in notes] == [NoteCode.NOT_CONSISTENT] * count
    assert all(f"innodb_force_recovery = {level}" in note.text for note in notes)
    assert damage_notes({}) == ()


@pytest.mark.parametrize(
    ("lacking", "references", "found"),
    [
        ([], {("a", "v"): [("a", "t")]}, {}),
        ([("a", "t")], {("a", "v"): [("a", "t"), ("a", "u")]}, {("a", "v"): ("a", "t")}),
        (
            [("a", "t")],
            {("a", "w"): [("a", "v")], ("a", "v"): [("a", "t")], ("a", "x"): [("a", "u")]},
            {("a", "v"): ("a", "t"), ("a", "w"): ("a", "v")},
        ),
        # Views of each other, of which none needs what is lacking.
        ([("a", "t")], {("a", "v"): [("a", "w")], ("a", "w"): [("a", "v")]}, {}),
    ],
)
def test_views_that_need_what_is_lacking(
    lacking: list[Reference],
    references: dict[Reference, list[Reference]],
    found: dict[Reference, Reference],
) -> None:
    assert needing(lacking, references) == found


def survey(
    database: str,
    references: dict[str, list[Reference]] | None = None,
    sequences_of: tuple[str, ...] = (),
) -> Survey:
    return Survey(
        database=database,
        options=(),
        tables=(),
        sizes={},
        left_out=(),
        all_tables=True,
        bytewise=False,
        opening="",
        defaults="",
        references={view: frozenset(needs) for view, needs in (references or {}).items()},
        sequences_of=frozenset(sequences_of),
        notes=(),
    )


def test_views_across_databases_and_the_views_on_them() -> None:
    surveys = [
        survey("a", {"own": [("a", "t")], "abroad": [("b", "t")], "on": [("a", "abroad")]}),
        survey("b", {"back": [("a", "on")], "elsewhere": [("x", "t")]}),
    ]
    assert views_across(surveys) == {("a", "abroad"), ("a", "on"), ("b", "back")}
    assert views_across(surveys[:1]) == frozenset()


@pytest.mark.parametrize(
    ("draws", "order"),
    [
        ({"a": (), "b": ()}, "ab"),
        ({"a": ("b",), "b": ()}, "ba"),
        ({"a": ("b",), "b": ("c",), "c": ()}, "cba"),
        ({"a": ("a", "elsewhere"), "b": ()}, "ab"),
        ({"a": ("b",), "b": ("a",)}, "ab"),
    ],
)
def test_databases_come_behind_those_whose_sequences_they_use(
    draws: dict[str, tuple[str, ...]], order: str
) -> None:
    surveys = [survey(name, sequences_of=used) for name, used in draws.items()]
    assert "".join(found.database for found in in_order(surveys)) == order


def test_notes_that_say_the_same_are_one() -> None:
    def note(text: str, *objects: str) -> Note:
        return Note(code=NoteCode.UNREADABLE, text=text, objects=objects)

    assert merged([note("x", "a.t"), note("y"), note("x", "b.t", "a.t")]) == (
        note("x", "a.t", "b.t"),
        note("y"),
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ""),
        ("--default-character-set=utf8mb4", ""),
        ("--default-character-set=latin1", "latin1"),
        ("--default_character_set UTF8", "utf8"),
        ("--loose-default-character-set=sjis -q", "sjis"),
        ("--default-character-set=sjis --default-character-set=utf8mb4", ""),
    ],
)
def test_the_character_set_of_a_users_options(text: str, found: str) -> None:
    assert options.character_set(options.parse(text)) == found


@pytest.mark.parametrize(
    ("password", "hint"),
    [("pw\n", "line end"), ("pw\r\n", "line end"), (" pw", "blank"), ("p w", "")],
)
def test_a_refused_login_with_a_line_end(password: str, hint: str) -> None:
    connection = Connection(host="h", port=1, username="u", password=password)
    command = commands.command(
        ["mysql"], connection, database="", logged_in=False, errors=DUMP_ERRORS
    )
    said = str(command.failure(1, "ERROR 1045 (28000): Access denied for user 'u'@'h'"))
    assert (hint in said) if hint else said.endswith("'u'@'h'")
    assert "the password" not in str(command.failure(1, "ERROR 1049 (42000): Unknown database"))
    assert password not in said


def test_a_literal_of_any_text() -> None:
    assert client.literal('it\'s \\ "x"') == "'it''s \\\\ \"x\"'"
