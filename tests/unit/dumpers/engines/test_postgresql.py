import pytest

from dumpers.contract import DumpJob
from dumpers.engines.postgresql.dump import ENGINE, prove
from dumpers.errors import ConfigurationError, ExitCode
from dumpers.interrupt import Interrupt
from tests.unit.dumpers.test_contract import ENV

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
    found = prove(head, tail)
    assert found is None if fault is None else fault in str(found)


@pytest.mark.parametrize(
    "options",
    ["-f /tmp/x", "--file=x", "-Fc", "--format custom", "-j 4", "-Z9", "--compress=gzip", "'open"],
)
def test_options_that_would_hide_the_end_are_refused(options: str) -> None:
    job = DumpJob.from_env(ENV | {"PG_DUMP_OPTIONS": options})
    with pytest.raises(ConfigurationError, match="PG_DUMP_OPTIONS") as caught:
        ENGINE.preflight(job, Interrupt())
    assert caught.value.exit_code == ExitCode.CONFIGURATION
