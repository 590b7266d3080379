import json

import pytest

from dumpers.runs.restore.exchange.messages import (
    Acknowledged,
    Fetch,
    Hello,
    Message,
    Offer,
    Piece,
    Planned,
    Stop,
    Trouble,
    Verdict,
    decode,
    encode,
    failed_verdict,
    make_error,
    read_trouble,
)
from dumpers.runtime.errors import (
    BackupDamagedError,
    ConfigurationError,
    EncryptionError,
    InterruptedRunError,
    KsnapshotError,
    StorageFailedError,
    TargetFailedError,
)
from tests.fakes.first_meetings import first_meetings

PIECE = Piece(
    name="sh\udc80p", part=("a", "b"), ending=".sql", size=3, metadata={"é": [1, None, "\ud800"]}
)
MESSAGES: list[Message] = [
    Hello(version=1),
    Offer(
        version=1,
        backup="r1",
        began="2026-01-02T03:04:05Z",
        engine="mysql",
        server_version="8",
        request="{}",
        plan_only=True,
        pieces=(PIECE,),
    ),
    Fetch(piece=3),
    Planned(
        plan_only=False,
        target="h:1/d",
        server_version="8",
        actions=("do",),
        creates=(("a", "b"),),
        notes=(),
        size=1,
    ),
    Verdict(succeeded=True, exit_code=0, reason="Succeeded", message="", kept=(("a", "b"),)),
    Acknowledged(),
    Stop(exit_code=14, reason="Interrupted", message="stopped"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    body = encode(message)
    assert body.isascii()
    assert decode(body) == message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"say":"hullo"}',
        b'{"say":"hello"}',
        b'{"say":"fetch","piece":"1"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(ValueError, match="no message"):
        decode(body)


@pytest.mark.parametrize(
    "error",
    [
        *(BackupDamagedError("x"), ConfigurationError("x"), EncryptionError("x")),
        *(InterruptedRunError("x"), StorageFailedError("x"), TargetFailedError("x")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_keeps_its_class(error: KsnapshotError) -> None:
    trouble = Trouble(exit_code=error.exit_code, reason=error.reason, message=str(error))
    found = read_trouble(encode(trouble))
    assert (type(found), str(found)) == (type(error), "x")


def test_an_error_that_nobody_knows_is_one_all_the_same() -> None:
    assert type(make_error("Later", "x")) is KsnapshotError
    assert isinstance(read_trouble(b"nothing"), KsnapshotError)


def test_a_fault_of_ours_is_not_shown_in_a_verdict() -> None:
    verdict = failed_verdict(LookupError("hunter2"), partial=True)
    assert (verdict.succeeded, verdict.target_partial, verdict.exit_code) == (False, True, 1)
    assert "hunter2" not in json.dumps(str(verdict))


def test_every_type_is_met_before_connections_have_threads() -> None:
    code = "".join(
        f"with contextlib.suppress(ValueError): m._convert(b'{{}}', m.{name})\n"
        for name in ("Message", "Trouble", *("Offer", "Planned", "Verdict", "Piece", "Stop"))
    )
    before = "import contextlib; from dumpers.runs.restore.exchange import messages as m"
    assert first_meetings(before, code) == []
