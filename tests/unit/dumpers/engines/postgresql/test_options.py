import pytest

from dumpers.contract.jobs import DumpJob
from dumpers.engines.postgresql import options
from dumpers.engines.postgresql.engine import ENGINE
from dumpers.engines.postgresql.options import read_options, without_snapshot
from dumpers.engines.postgresql.proofs import prove_plain
from dumpers.engines.registry import ENGINES
from dumpers.runtime.errors import ConfigurationError, ExitCode
from dumpers.runtime.interrupt import Interrupt
from tests.unit.dumpers.contract.test_jobs import ENV

HEAD = b"--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n"
END = b"--\n-- PostgreSQL database dump complete\n--\n\n"


@pytest.mark.parametrize(
    ("head", "tail", "fault"),
    [
        (HEAD, b"data\n" + END, None),
        (HEAD, b"data\n" + END + b"\\unrestrict abc\n\n", None),
        (HEAD, b"data\n", "marker is missing"),
        (HEAD, b"", "marker is missing"),
        (HEAD, b"data\n" + END[:30], "marker is missing"),
        (HEAD, END + b"COPY more FROM stdin;\n", "something follows"),
        (b"<html>", b"data\n" + END, "does not start"),
        (b"", b"", "does not start"),
    ],
)
def test_prove(head: bytes, tail: bytes, fault: str | None) -> None:
    found = prove_plain(head, tail)
    assert found is None if fault is None else fault in str(found)


@pytest.mark.parametrize(
    "text",
    [
        "-f /tmp/x",
        "--file=x",
        "-sf /tmp/x",
        "-Fc",
        "-vFc",
        "--format custom",
        "--form=c",
        "-j 4",
        "-Z9",
        "--compress=gzip",
        "-d other",
        "--dbname=postgresql://u:p@h/d",
        "-h elsewhere",
        "-U other",
        "--port=1",
        "-W",
        "--version",
        "other",
        "--schema-only other",
        "--no-such-option",
        "--filter=/tmp/x",
        "'open",
    ],
)
def test_options_that_would_hide_or_turn_the_dump_are_refused(text: str) -> None:
    job = DumpJob.from_env(ENV | {"PG_DUMP_OPTIONS": text}, ENGINES)
    with pytest.raises(ConfigurationError, match="PG_DUMP_OPTIONS") as caught:
        ENGINE.open(job, Interrupt()).__enter__()
    assert caught.value.exit_code == ExitCode.CONFIGURATION


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("--no-owner -x", ["--no-owner", "-x"]),
        ("-n 'my schema' --exclude-table=a.*", ["-n", "my schema", "--exclude-table=a.*"]),
        ("-Oxt people", ["-Oxt", "people"]),
        ("--lock-wait-timeout 5000", ["--lock-wait-timeout", "5000"]),
    ],
)
def test_options_of_what_to_dump_are_taken(text: str, words: list[str]) -> None:
    assert options.parse_pg_dump_options(text)[0] == words


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({"KSNAPSHOT_TABLES": 'a,"b,c"'}, ["--table{children}=a", '--table{children}="b,c"']),
        ({"KSNAPSHOT_EXCLUDE_TABLES": "a"}, ["--exclude-table{children}=a"]),
        ({"KSNAPSHOT_SCHEMAS": "app"}, ["--schema=app"]),
        ({"KSNAPSHOT_EXCLUDE_SCHEMAS": "app"}, ["--exclude-schema=app"]),
        (
            {"KSNAPSHOT_TABLES": "*.a", "KSNAPSHOT_EXCLUDE_SCHEMAS": "old"},
            ["--table{children}=*.a", "--exclude-schema=old", "--exclude-table=old.*"],
        ),
        ({"KSNAPSHOT_FORMAT": "custom"}, ["--format=custom", "--compress=0"]),
    ],
)
@pytest.mark.parametrize(("major", "children"), [(15, ""), (16, "-and-children")])
def test_arguments(
    options: dict[str, str], arguments: list[str], major: int, children: str
) -> None:
    wanted = read_options(DumpJob.from_env(ENV | options, ENGINES))
    assert wanted.arguments(major=major) == [item.format(children=children) for item in arguments]


@pytest.mark.parametrize(
    ("given", "attribute", "value"),
    [
        ("-s", "rows", False),
        ("--section=pre-data", "rows", False),
        ("--section=data", "definitions", False),
        ("-a", "definitions", False),
        ("", "rows", True),
        ("--no-data", "rows", False),
        ("-B", "large_objects", True),
        ("--enable-row-sec", "row_security", True),
        ("-e vector", "extensions", True),
        ("--role=x", "role", "x"),
        ("--lock-wait-timeout=1", "lock_timeout", "1"),
        ("--encoding=latin1", "encoding", "LATIN1"),
        ("-E UTF8", "encoding", "UTF8"),
        ("--no-unlogged-table-data", "unlogged_rows", False),
    ],
)
def test_pg_dump_options_are_understood(given: str, attribute: str, value: object) -> None:
    wanted = read_options(DumpJob.from_env(ENV | {"PG_DUMP_OPTIONS": given}, ENGINES))
    assert getattr(wanted.choice, attribute) == value


@pytest.mark.parametrize(
    "options",
    [
        {"KSNAPSHOT_TABLES": "a", "KSNAPSHOT_SCHEMAS": "b"},
        {"KSNAPSHOT_TABLES": "a", "PG_DUMP_OPTIONS": "-n b"},
        {"PG_DUMP_OPTIONS": "-t a --schema=b"},
    ],
)
def test_tables_and_schemas_are_not_for_one_dump(options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="tables only"):
        read_options(DumpJob.from_env(ENV | options, ENGINES))


def test_the_moment_of_a_dump_is_left_out_of_the_next_one() -> None:
    given = "-Ot 'a b' --snap=00-1 --exclude-table=x --inserts --snapshot 00-2"
    assert without_snapshot(given) == "-O '-ta b' --exclude-table=x --inserts"


@pytest.mark.parametrize(
    "options",
    [
        *(f"--{name}" for name in ("inserts", "column-inserts", "rows-per-insert=9", "clean")),
        *("-a", "-s", "-c", "-C", "-E LATIN1", "--section=data", "--snap=00-1", "--data-on"),
        *("--extra-float-digits=0", "--load-via-partition-root", "--serializable-deferrable"),
    ],
)
def test_what_one_stream_only_can_do_is_refused_of_several(options: str) -> None:
    given = {"KSNAPSHOT_PARALLELISM": "2", "PG_DUMP_OPTIONS": f"-O {options}"}
    with pytest.raises(ConfigurationError, match=r"KSNAPSHOT_PARALLELISM is 2.*PG_DUMP_OPTIONS"):
        read_options(DumpJob.from_env(ENV | given, ENGINES))
    for single in ({}, {"KSNAPSHOT_PARALLELISM": "1"}):
        job = DumpJob.from_env(ENV | given | {"KSNAPSHOT_PARALLELISM": ""} | single, ENGINES)
        assert read_options(job).parallelism == 1


def test_the_custom_format_is_one_stream() -> None:
    given = {"KSNAPSHOT_PARALLELISM": "64", "KSNAPSHOT_FORMAT": "custom"}
    with pytest.raises(ConfigurationError, match="leave out KSNAPSHOT_FORMAT=custom"):
        read_options(DumpJob.from_env(ENV | given, ENGINES))


@pytest.mark.parametrize("options", ["", "-O -x", "-b --quote-all-identifiers", "--role=me"])
def test_other_options_are_for_several_streams_too(options: str) -> None:
    given = {"KSNAPSHOT_PARALLELISM": "64", "PG_DUMP_OPTIONS": options}
    wanted = read_options(DumpJob.from_env(ENV | given, ENGINES))
    assert wanted.parallelism == 64
    assert wanted.quotes_all == ("quote" in options)


@pytest.mark.parametrize("text", ["0", "65", "many", "-1", "2.5", "04"])
def test_how_many_streams_is_a_whole_number(text: str) -> None:
    with pytest.raises(ConfigurationError, match="KSNAPSHOT_PARALLELISM"):
        DumpJob.from_env(ENV | {"KSNAPSHOT_PARALLELISM": text}, ENGINES)
