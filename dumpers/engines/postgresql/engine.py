"""PostgreSQL through its own clients: pg_dump, pg_dumpall, psql, pg_restore."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from dumpers.contract.connection import Connection, DumpSource
from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.drilling.protocol import Comparison, DrilledObject
from dumpers.engines.names import abbreviate
from dumpers.engines.postgresql import clients, options
from dumpers.engines.postgresql.catalog.create_database import database_options, databases_script
from dumpers.engines.postgresql.catalog.found_notes import leave_out_idle, make_notes
from dumpers.engines.postgresql.catalog.server import (
    Database,
    Server,
    ask_server,
    holds_anything,
)
from dumpers.engines.postgresql.catalog.survey import Survey, ask_survey
from dumpers.engines.postgresql.choice import as_told
from dumpers.engines.postgresql.clients import Clients, Session
from dumpers.engines.postgresql.drill.checks import open_checks
from dumpers.engines.postgresql.drill.compare import compare
from dumpers.engines.postgresql.drill.prepare import objects_to_load, prepare_drill
from dumpers.engines.postgresql.errors import is_broken, is_closed
from dumpers.engines.postgresql.heads import TRANSACTION_TIMEOUT_SINCE
from dumpers.engines.postgresql.locks import parse_timeout
from dumpers.engines.postgresql.names import as_argument
from dumpers.engines.postgresql.options import DumpOptions
from dumpers.engines.postgresql.parallel.opening import Lanes, open_parallel
from dumpers.engines.postgresql.restore.counts import count_rows
from dumpers.engines.postgresql.restore.plan import plan_restore
from dumpers.engines.postgresql.restore.run import restore_backup
from dumpers.engines.postgresql.restore.swap import find_left, forget_restored, undo_swap
from dumpers.engines.postgresql.streams import DatabaseStream, globals_stream
from dumpers.engines.protocol import Dump, DumpStream, Engine, SourceInfo
from dumpers.runtime.errors import ConfigurationError, SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt

# Of a run with a short deadline, a quarter of it.
_LOCK_SECONDS = 300
_TEMPLATE = "template1"
_TEMPLATES = frozenset(("template0", _TEMPLATE))


@contextmanager
def open_dump(job: DumpSource, interrupt: Interrupt) -> Iterator[Dump]:
    """Look at the server and its databases; streams share nothing."""
    wanted = options.read_options(job)
    installed = clients.find(interrupt)
    # Any psql talks to any server.
    session = Session(connection=job.connection, folder=installed[max(installed)].folder)
    server = ask_server(session, interrupt)
    chosen = clients.choose(installed, server=server.major, text=server.version)
    session = Session(connection=job.connection, folder=chosen.folder)
    surveys, closed = _survey(session, wanted, server, tool=chosen.major, interrupt=interrupt)
    notes = [*_notes_on_server(server, wanted, chosen), *_notes_on_closed(closed)]
    if wanted.databases == (options.ALL,):
        notes += _notes_on_template(session, server, interrupt)
    surveys, idle = leave_out_idle(surveys, wanted.choice)
    notes += idle
    notes += make_notes(surveys, wanted.choice, server, is_custom=wanted.custom)
    whole = [
        _database(session.at(survey.database), survey, wanted, server, chosen) for survey in surveys
    ]
    info = SourceInfo(
        server_version=server.version,
        tool_version=chosen.version,
        estimate=sum(survey.size for survey in surveys),
        notes=tuple(notes),
        parallel=wanted.parallelism,
    )
    with ExitStack() as opened:
        streams: list[DumpStream] = [*whole]
        if wanted.parallelism > 1:
            major = chosen.major
            lanes = Lanes(
                count=wanted.parallelism,
                choices=[as_told(wanted.choice, one.arguments, major=major) for one in surveys],
                server=server,
                quotes_all=wanted.quotes_all,
            )
            streams = opened.enter_context(open_parallel(session, whole, lanes, interrupt))
        if wanted.globals:
            found = [server.databases[survey.database] for survey in surveys]
            script = databases_script(found, server.settings)
            streams.append(globals_stream(session, passwords=server.is_superuser, databases=script))
        yield Dump(info=info, streams=streams)


class _PostgreSQL:
    """Dumps and restores of PostgreSQL."""

    open = staticmethod(open_dump)
    plan_restore = staticmethod(plan_restore)
    restore = staticmethod(restore_backup)
    undo = staticmethod(undo_swap)
    forget = staticmethod(forget_restored)
    find_left = staticmethod(find_left)
    inspect = staticmethod(count_rows)
    prepare_drill = staticmethod(prepare_drill)
    objects_to_load = staticmethod(objects_to_load)
    open_checks = staticmethod(open_checks)

    def compare(
        self,
        server: Connection,
        objects: Sequence[DrilledObject],
        options: Mapping[str, str],
        interrupt: Interrupt,
    ) -> Comparison:
        """See DrilledEngine."""
        return compare(open_dump, server, objects, options, interrupt)


ENGINE: Engine = _PostgreSQL()


def _survey(
    session: Session, wanted: DumpOptions, server: Server, *, tool: int, interrupt: Interrupt
) -> tuple[list[Survey], Mapping[str, str]]:
    """Survey each database that is asked for; with `*` also return those that are closed to us.

    Each of these with the server's words where it is broken, else with none.
    """
    names, shut = _names(wanted, server)
    closed = dict.fromkeys(shut, "")
    surveys = []
    for name in names:
        try:
            survey = ask_survey(
                session.at(name), wanted.choice, server, tool=tool, interrupt=interrupt
            )
        except (SourceRefusedError, SourceFailedError) as error:
            said = str(error)
            if wanted.databases != (options.ALL,) or not (is_closed(said) or is_broken(said)):
                raise
            closed[name] = "" if is_closed(said) else said
        else:
            surveys.append(survey)
    if not surveys:
        raise SourceRefusedError(
            f"this account may connect to no database of the server: it has {abbreviate([*closed])}"
        )
    return surveys, closed


def _names(wanted: DumpOptions, server: Server) -> tuple[list[str], list[str]]:
    """The databases that are asked for, and with `*` those that are closed to this account."""
    if not wanted.databases:
        return [server.database], []
    if wanted.databases == (options.ALL,):
        every = [item for item in server.databases.values() if item.name not in _TEMPLATES]
        names = [item.name for item in every if not item.is_closed]
        return names, [item.name for item in every if item.is_closed]
    missing = [name for name in wanted.databases if name not in server.databases]
    if missing:
        known = ", ".join(sorted(server.databases))
        raise ConfigurationError(f"there is no database {missing[0]!r}: the server has {known}")
    return list(wanted.databases), []


def _notes_on_server(server: Server, wanted: DumpOptions, chosen: Clients) -> Iterator[Note]:
    if wanted.custom and chosen.major != server.major:
        text = (
            f"dumped by pg_dump {chosen.major}, as there is none of {server.major} here: it needs "
            "a pg_restore that is not older"
        )
        yield Note(code=NoteCode.RESTORE_NEEDS, text=text)
    if server.standby:
        yield Note(code=NoteCode.STANDBY, text=f"dumped from a standby: {server.standby}")
    if wanted.globals and not server.is_superuser:
        text = "roles without their passwords: only a superuser may read those"
        yield Note(code=NoteCode.SECRETS_HIDDEN, text=text)


def _notes_on_template(session: Session, server: Server, interrupt: Interrupt) -> list[Note]:
    """A note where the template of new databases has anything in it, as far as can be seen."""
    known = server.databases.get(_TEMPLATE)
    if known is None or known.is_closed:
        return []
    try:
        if not holds_anything(session.at(_TEMPLATE), interrupt):
            return []
    except (SourceRefusedError, SourceFailedError) as error:
        if not (is_closed(str(error)) or is_broken(str(error))):
            raise
        return []
    text = (
        "what somebody made in the template of new databases is not in the dump: name the "
        "databases by the annotation databases, this one among them, to have it"
    )
    return [Note(code=NoteCode.NOT_DUMPED, text=text, objects=(_TEMPLATE,))]


def _notes_on_closed(closed: Mapping[str, str]) -> Iterator[Note]:
    shut = tuple(name for name, said in closed.items() if not said)
    if shut:
        text = (
            "databases that do not let this account in are not in the dump: grant it CONNECT, or "
            "name the others by the annotation databases"
        )
        yield Note(code=NoteCode.UNREADABLE, text=text, objects=shut)
    broken = {name: said for name, said in closed.items() if said}
    if broken:
        text = (
            "databases that the server itself cannot open are not in the dump: mend or drop them "
            f"(the first: {next(iter(broken.values()))})"
        )
        yield Note(code=NoteCode.UNREADABLE, text=text, objects=tuple(broken))


def _database(
    session: Session, survey: Survey, wanted: DumpOptions, server: Server, chosen: Clients
) -> DatabaseStream:
    seconds: float = min(_LOCK_SECONDS, (wanted.job.deadline or _LOCK_SECONDS * 4) // 4)
    waiting = [f"--lock-wait-timeout={seconds * 1000}"]
    if said := wanted.choice.lock_timeout:
        seconds, waiting = parse_timeout(said), []
    arguments = [*waiting, *wanted.arguments(major=chosen.major), *survey.arguments]
    return DatabaseStream(
        session=session,
        arguments=[as_argument(argument, survey.encoding) for argument in arguments],
        lock_seconds=seconds,
        encoding=survey.encoding,
        estimate=survey.size,
        custom=wanted.custom,
        unknown_setting=chosen.major >= TRANSACTION_TIMEOUT_SINCE > server.major,
        path=survey.path,
        known_metadata=_metadata(server.databases[survey.database], survey, server),
    )


def _metadata(database: Database, survey: Survey, server: Server) -> Mapping[str, Any]:
    return {
        "owner": database.owner,
        "encoding": database.encoding,
        "collate": database.collate,
        "ctype": database.ctype,
        **({"locale": database.locale} if database.locale else {}),
        **({"search_path": list(survey.path)} if survey.path else {}),
        "extensions": dict(survey.extensions),
        "create_options": database_options(database),
        "server_major": server.major,
        "first_role": server.first_role,
        "session": dict(survey.session),
    }
