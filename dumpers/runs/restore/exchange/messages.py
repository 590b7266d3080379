"""What the two containers of a restore tell each other, as JSON; pure.

The client says Hello and is given the Offer; each piece is fetched by a connection of its own,
which begins with Fetch. The client says what it Planned before it changes anything, and its Verdict
at the end, which the reader Acknowledges. Either says Stop where it ends before.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from dumpers.contract.fingerprint import Fingerprint
from dumpers.contract.restore.result import Pairs
from dumpers.engines.drilling.checking import CheckVerdict
from dumpers.engines.drilling.protocol import TableVerdict
from dumpers.runtime.errors import Failure, KsnapshotError, describe_failure

VERSION = 1


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="say"):
    """Base of all messages."""


class Hello(_Message, frozen=True, kw_only=True, tag="hello"):
    """The client's first words on the connection that lasts as long as the restore."""

    version: int


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One object of the backup, as dumpers.engines.protocol.StoredDump has it."""

    name: str
    part: tuple[str, ...]
    ending: str
    size: int
    metadata: Mapping[str, Any]


class Drilling(msgspec.Struct, frozen=True, kw_only=True):
    """What a drill needs besides: the options of the dump, and what each piece held, if known.

    `tool_version` is the manifest's.
    """

    options: Mapping[str, str]
    fingerprints: tuple[Fingerprint | None, ...]
    tool_version: str = ""


class Offer(_Message, frozen=True, kw_only=True, tag="offer"):
    """The backup that is to be restored; `request` is a RestoreRequest as JSON.

    `drilling` is None for a restore; a drill has no request.
    """

    version: int
    backup: str
    began: str
    engine: str
    server_version: str
    request: str
    plan_only: bool
    pieces: tuple[Piece, ...]
    drilling: Drilling | None = None


class Fetch(_Message, frozen=True, kw_only=True, tag="fetch"):
    """The first and only words on a connection for one piece, by its place in the offer."""

    piece: int


class Planned(_Message, frozen=True, kw_only=True, tag="planned"):
    """What the client is going to do; from then on the target may change, unless `plan_only`."""

    plan_only: bool
    target: str
    server_version: str
    actions: tuple[str, ...]
    creates: Pairs
    notes: tuple[str, ...]
    size: int


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """What a drill did and found as far as it came; members are as in a Comparison and a Drill."""

    server_version: str = ""
    method: str = ""
    tables: tuple[TableVerdict, ...] = ()
    faults: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()
    start_seconds: float = 0.0
    restore_seconds: float = 0.0
    compare_seconds: float = 0.0
    checks: tuple[CheckVerdict, ...] = ()
    check_seconds: float = 0.0
    is_compared: bool = False


class Verdict(_Message, frozen=True, kw_only=True, tag="verdict"):
    """How the client's work ended. Members are as in RestoreResult.

    `rehearsal` is None for a restore, and for a drill whose client could not begin.
    """

    succeeded: bool
    exit_code: int
    reason: str
    message: str
    target: str = ""
    target_partial: bool = False
    restored: Pairs = ()
    kept: Pairs = ()
    notes: tuple[str, ...] = ()
    rehearsal: Rehearsal | None = None


class Acknowledged(_Message, frozen=True, kw_only=True, tag="acknowledged"):
    """The reader has the verdict."""


class Stop(_Message, frozen=True, kw_only=True, tag="stop"):
    """The reader ends, and why."""

    exit_code: int
    reason: str
    message: str


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Why a piece has no proven end."""

    exit_code: int
    reason: str
    message: str


Message = Hello | Offer | Fetch | Planned | Verdict | Acknowledged | Stop
# Each connection has its thread, and two that let msgspec meet a type for the first time together
# crash the process: it shows the one what the other has not filled in yet (seen with 0.22).
for _type in (Message, Trouble):
    msgspec.json.Decoder(_type)


def encode(message: Message | Trouble) -> bytes:
    """The message as JSON in ASCII, so that half a surrogate pair in a name travels, too."""
    return json.dumps(msgspec.to_builtins(message), separators=(",", ":")).encode()


def decode(body: bytes) -> Message:
    """Read a message; ValueError where it is none."""
    message: Message = _convert(body, Message)
    return message


def make_trouble(failure: Failure) -> Trouble:
    """A failure as it travels."""
    return Trouble(exit_code=failure.exit_code, reason=failure.reason, message=failure.message)


def failed_verdict(error: BaseException, *, target: str = "", partial: bool = False) -> Verdict:
    """The verdict for an error; `partial` says that the target may hold a part of the backup."""
    failure = describe_failure(error)
    return Verdict(
        succeeded=False,
        exit_code=failure.exit_code,
        reason=failure.reason,
        message=failure.message,
        target=target,
        target_partial=partial,
    )


def state_of_target(*, partial: bool) -> str:
    """What a message says of a target whose own engine did not say it."""
    if partial:
        return "the target may hold a part of the backup"
    return "the target was not changed"


def read_trouble(body: bytes) -> KsnapshotError:
    """The error that a Trouble stands for, of the class that has its reason."""
    try:
        found: Trouble = _convert(body, Trouble)
    except ValueError:
        return KsnapshotError("the reader of the backup has failed, and does not say how")
    return make_error(found.reason, found.message)


def make_error(reason: str, message: str) -> KsnapshotError:
    """An error of the class that has this reason; of the base class where none has."""
    kinds: list[type[KsnapshotError]] = [KsnapshotError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    found = next((kind for kind in kinds if kind.reason == reason), KsnapshotError)
    return found(message)


def _convert(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.convert(json.loads(body), kind)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise ValueError(f"no message: {type(error).__name__}") from error
