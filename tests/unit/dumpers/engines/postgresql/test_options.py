import pytest

from dumpers.contract.jobs import DumpJob
from dumpers.engines.postgresql import options
from dumpers.engines.postgresql.engine import ENGINE
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
