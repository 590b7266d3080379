"""An archive of pg_dump's custom format as the plain dump that it stands for."""

from contextlib import AbstractContextManager

from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.proofs import prove_plain
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from dumpers.streams.tools.fed_tool import FedToolReader
from dumpers.streams.tools.tool import Command

_TOO_NEW = "unsupported version"


def as_script(
    session: Session, archive: Reader, interrupt: Interrupt
) -> AbstractContextManager[Reader]:
    """A reader of what pg_restore makes of an archive, which asks no server; proven as that is.

    Raises one of the session's errors where pg_restore cannot read the archive.
    """

    def failure(status: int, said: str) -> KsnapshotError:
        text = f"pg_restore cannot read the dump, it ended with status {status}: {said}"
        if _TOO_NEW in said:
            return session.errors.refused(
                f"{text}: a newer pg_dump made it, restore with an image that has its clients"
            )
        return session.errors.failed(text)

    command = Command(
        argv=[str(session.folder / "pg_restore"), "--file=-"],
        env={"LC_ALL": "C"},
        failure=failure,
        errors=session.errors,
    )
    return FedToolReader(command, archive, proof=prove_plain, interrupt=interrupt)
