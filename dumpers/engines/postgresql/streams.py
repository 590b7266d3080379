"""The objects of a dump: a database each, and the server's globals."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dumpers.contract.notes import Note
from dumpers.engines.postgresql import locks
from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.errors import is_locked
from dumpers.engines.postgresql.fingerprint import PLAIN_FORM, is_repeatable
from dumpers.engines.postgresql.heads import ChangedHead, Followed, head_changes
from dumpers.engines.postgresql.options import CUSTOM_ENDING, GLOBALS_ENDING, PLAIN_ENDING
from dumpers.engines.postgresql.proofs import prove_custom, prove_globals, prove_plain
from dumpers.engines.protocol import DumpStream
from dumpers.engines.script_scanner import ScriptScanner
from dumpers.engines.simple_stream import SimpleStream
from dumpers.engines.tool_warnings import warning_notes
from dumpers.runtime.errors import KsnapshotError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.fingerprint import Scanner
from dumpers.streams.reader import Reader
from dumpers.streams.tools.tool import ToolReader


@dataclass(kw_only=True)
class DatabaseStream:
    """The dump of the session's database by pg_dump.

    For `unknown_setting`, `path` and `encoding` see head_changes. For a lock it waits
    `lock_seconds`, 0 for ever.
    """

    session: Session
    arguments: Sequence[str]
    estimate: int
    custom: bool
    unknown_setting: bool
    lock_seconds: float
    encoding: str
    path: Sequence[str] = ()
    known_metadata: Mapping[str, Any] = field(default_factory=dict)
    part: tuple[str, ...] = ()
    concurrency_group: str = ""
    _said: str = ""

    @property
    def name(self) -> str:
        """The database."""
        return self.session.connection.database

    @property
    def ending(self) -> str:
        """The format's ending."""
        return CUSTOM_ENDING if self.custom else PLAIN_ENDING

    @contextmanager
    def open(self, interrupt: Interrupt) -> Iterator[Reader]:
        """Run pg_dump; where it gave up on a lock, the error names the lock's holders."""
        watch = locks.Patience(self.session, seconds=self.lock_seconds, interrupt=interrupt)
        command = watch.session.command("pg_dump", self.arguments)
        proof = prove_custom if self.custom else prove_plain
        try:
            with watch, ToolReader(command, proof=proof, interrupt=watch.interrupt) as reader:
                watched = watch.watched(reader)
                yield ChangedHead(watched, self._changes()) if self._changes() else watched
            self._said = reader.complaint
        except SourceFailedError as error:
            if not is_locked(str(error)):
                raise
            # The statement may name many tables: what helps comes first.
            raise SourceFailedError(f"{self._holders(interrupt)}: {error}") from error

    def metadata(self) -> Mapping[str, Any]:
        """Return the known metadata."""
        return self.known_metadata

    def notes(self) -> Sequence[Note]:
        """Return the warnings, pg_dump's and the server's, of a dump that was taken for good."""
        return warning_notes(self._said, self.name)

    def scanner(self) -> Scanner | None:
        """Return a scanner; the custom format has packed its rows."""
        if self.custom or not is_repeatable(self.arguments):
            return None
        return ScriptScanner(PLAIN_FORM)

    def can_retry(self, _error: KsnapshotError) -> bool:
        """Return False: there is no other place to read the same rows from."""
        return False

    def _changes(self) -> Mapping[bytes, bytes]:
        if self.custom:
            return {}
        return head_changes(
            unknown_setting=self.unknown_setting, path=self.path, encoding=self.encoding
        )

    def _holders(self, interrupt: Interrupt) -> str:
        try:
            return locks.describe_holders(self.session, interrupt)
        except KsnapshotError as error:
            return f"who holds it could not be found out: {error}"


def globals_stream(session: Session, *, passwords: bool, databases: bytes) -> DumpStream:
    """The stream of roles, with `passwords` only if the account may read them, and tablespaces.

    The script that makes the databases follows them.
    """
    name = session.connection.database
    without = [] if passwords else ["--no-role-passwords"]
    # Not the name alone, which pg_dumpall would read as a connection string where it looks so.
    quoted = name.replace("\\", "\\\\").replace("'", "\\'")
    arguments = ["--globals-only", f"--database=dbname='{quoted}'", *without]
    command = session.command("pg_dumpall", arguments)

    @contextmanager
    def opener(interrupt: Interrupt) -> Iterator[Reader]:
        with ToolReader(command, proof=prove_globals, interrupt=interrupt) as reader:
            yield Followed(reader, databases)

    return SimpleStream(name=name, ending=GLOBALS_ENDING, estimate=0, opener=opener)
