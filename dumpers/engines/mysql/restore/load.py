"""Loading the objects of a dump through the stock client."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dumpers.engines.mysql import client, commands, programs
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.errors import (
    NO_SUCH_TABLE,
    NOT_THE_DEFINER,
    UNKNOWN_CHARACTERS,
    error_numbers,
)
from dumpers.engines.mysql.output.note_verbosity import (
    WithoutNoteVerbosity,
    refuses_note_verbosity,
)
from dumpers.engines.mysql.programs import Flavour, Program
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import RESTORE_ERRORS, KsnapshotError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import IterReader, PrefixedReader, Reader
from dumpers.streams.tools.tool import Command, run_with_stdin


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """A server, and the client of its own kind that loads into it.

    `settings` are statements for the session of a load, each with its semicolon.
    """

    server: Server
    program: Program
    settings: str = ""

    def load(
        self,
        database: str,
        piece: StoredDump,
        *,
        cut: Callable[[Reader], Reader] | None = None,
        interrupt: Interrupt,
    ) -> None:
        """Load a piece, or what `cut` takes out of it.

        There is no transaction around a schema: what an error leaves is for the caller to say.
        """
        try:
            with piece.open() as reader:
                source = cut(reader) if cut else reader
                if refuses_note_verbosity(self.server):
                    # Dumps of other servers, and those of before this was left out.
                    source = WithoutNoteVerbosity(source)
                self._run(database, source, first=self.settings, interrupt=interrupt)
        except KsnapshotError as error:
            raise type(error)(f"{error}{cure(str(error))}") from error

    def run(self, statements: Sequence[str], *, database: str = "", interrupt: Interrupt) -> None:
        """Run statements of our own making, in one session, up to the first that fails."""
        script = "".join(f"{statement};\n" for statement in statements).encode()
        self._run(database, IterReader(iter([script])), first="", interrupt=interrupt)

    def _run(self, database: str, source: Reader, *, first: str, interrupt: Interrupt) -> None:
        server = self.server
        argv = [
            self.program.name,
            *programs.arguments(self.program, server.connection),
            *programs.names_in_utf8(),
            "--batch",
            # The client's own commands, such as running a shell, are data in a dump and no more.
            "--binary-mode",
            "--max-allowed-packet=1G",
        ]
        if not database:
            pass
        elif database.isascii() or server.flavour is Flavour.MARIADB or server.number >= (8, 0):
            argv += ["--", database]
        else:
            # What MySQL's newer clients say to 5.7 while they connect is taken for latin1.
            first = f"USE {client.identifier(database)};\n{first}"
        command: Command = commands.command(
            argv, server.connection, database=database, logged_in=True, errors=RESTORE_ERRORS
        )
        run_with_stdin(command, PrefixedReader(first.encode(), source), interrupt=interrupt)


def find_loader(server: Server, *, interrupt: Interrupt) -> Program:
    """The client of the server's own kind; TargetRefusedError where the image lacks it."""
    clients = client.programs(("mariadb", "mysql"), errors=RESTORE_ERRORS, interrupt=interrupt)
    loader = clients.get(server.flavour)
    if loader is None:
        wanted = "mariadb" if server.flavour is Flavour.MARIADB else "MySQL's own mysql"
        raise TargetRefusedError(
            f"the target is {server.flavour} {server.version}, and {wanted} is not in this image: "
            "use a dumper image that has it"
        )
    return loader


def cure(text: str) -> str:
    """Advice on the error that a tool's words hold; empty where there is none."""
    numbers = error_numbers(text)
    if numbers & NOT_THE_DEFINER:
        return (
            " (the dump holds views, routines, triggers or events that are defined by another "
            "account: restore as one with SUPER, or with SET_ANY_DEFINER or SET_USER_ID on MySQL, "
            "SET USER on MariaDB)"
        )
    if NO_SUCH_TABLE in numbers:
        return (
            " (MariaDB names a default's sequence together with the database that was dumped: if "
            "that is what is missing, restore under that database's own name)"
        )
    if numbers & UNKNOWN_CHARACTERS:
        return (
            " (this server does not know the dump's collation: it is too old, or of the other kind)"
        )
    return ""
