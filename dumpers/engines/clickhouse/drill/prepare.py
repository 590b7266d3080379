"""Making an empty throwaway server ready for a restore: names that it must know, and stand-ins."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from dumpers.contract.connection import Connection
from dumpers.contract.drill.server import DRILL_FOLDER
from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.clickhouse.drill.configuration import configuration, read_needs
from dumpers.engines.clickhouse.drill.stand_ins import find_stand_ins
from dumpers.engines.clickhouse.restore.loading import ACCESS
from dumpers.engines.clickhouse.restore.script_runner import ScriptRunner
from dumpers.engines.clickhouse.restore.target import Target, find_target
from dumpers.engines.clickhouse.schema import scripts
from dumpers.engines.clickhouse.schema.lexer import significant
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.errors import code_of
from dumpers.engines.clickhouse.server.sql import identifier
from dumpers.engines.clickhouse.stored.contents import Contents, numbers, read_contents
from dumpers.engines.clickhouse.throwaway import MARKS, MORE_CONFIG, USER
from dumpers.engines.drilling.own_server import check_loopback, check_mark
from dumpers.engines.drilling.protocol import DrilledObject
from dumpers.runtime.errors import TargetFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt

# Words of kinds of access that bind whoever they are for.
_BINDING = ("POLICY", "PROFILE", "QUOTA")
# Releases that do not know one of these have nothing to stop.
_STOPS = ("SYSTEM STOP MERGES", "SYSTEM STOP TTL MERGES", "SYSTEM STOP MOVES")


def prepare_drill(
    server: Connection,
    objects: Sequence[DrilledObject],
    interrupt: Interrupt,
    folder: str = DRILL_FOLDER,
) -> RestoreRequest:
    """Let a throwaway server know what the statements name, and make what they must not run.

    `folder` is the one that the server shares. All tables are made here already, those too that
    only another server than the first one had, and their merges are stopped: a restore finds them
    empty. Accounts are restored, too, unless some of it would bind the drill's own. See
    DrilledEngine.prepare_drill.
    """
    check_loopback(server)
    target = find_target(server, interrupt)
    _check_throwaway(server, target)
    contents = read_contents([item.stored for item in objects])
    needs = read_needs(contents)
    release = target.replicas[0].release
    if numbers(release) < numbers(contents.release):
        raise TargetRefusedError(
            f"the throwaway server is of release {release}, and the backup of the newer "
            f"{contents.release}: set an image with that release or a newer one"
        )
    if needs:
        _write(Path(folder) / MORE_CONFIG, configuration(needs, folder))
        target.servers[0].run("SYSTEM RELOAD CONFIG", interrupt)
    make_tables(target, contents)
    return RestoreRequest(globals=restores_access(contents))


def _check_throwaway(server: Connection, target: Target) -> None:
    shown = target.servers[0].rows(
        "SELECT macro, substitution FROM system.macros", target.interrupt
    )
    there = {name: value for name, value in shown}  # noqa: C416  rows are lists
    named = ", ".join(f"{name} = {value}" for name, value in MARKS.items())
    check_mark(server, has=MARKS.items() <= there.items(), mark=f"the macros {named}")


def restores_access(contents: Contents) -> bool:
    """Whether a drill restores accounts, roles and policies: unless one would bind its own."""
    return not any(
        binds_the_drill(statement.text)
        for script in contents.scripts.values()
        if script.kind == ACCESS
        for statement in script.statements
    )


def binds_the_drill(text: str) -> bool:
    """Whether a policy, profile or quota is for all accounts, or for that of the drill.

    It might hide rows from a comparison, or end its queries.
    """
    words = significant(text)
    if not words[0].is_word("CREATE") or not any(word.is_word(*_BINDING) for word in words[1:3]):
        return False
    to = max((place for place, word in enumerate(words) if word.is_word("TO")), default=len(words))
    return any(word.is_word("ALL") or word.value == USER for word in words[to:])


def make_tables(target: Target, contents: Contents) -> None:
    """Make stand-ins, definers of views, and all tables, and stop what would change rows.

    What cannot be made is left to the restore, which says why.
    """
    server = target.servers[0]
    runner = ScriptRunner(interrupt=target.interrupt, notes=[])
    stand_ins = tuple(find_stand_ins(contents))
    replaced = {stand_in.statement.text for stand_in in stand_ins}
    runner.run_all(server, _definers(target, contents))
    runner.run_all(
        server,
        [
            statement.text
            for script in contents.scripts.values()
            if script.kind == scripts.TABLES_SCRIPT
            for statement in script.statements
            if statement.database and statement.text not in replaced
        ],
    )
    runner.run_all(server, [stand_in.text for stand_in in stand_ins])
    runner.run_all(
        server,
        dict.fromkeys(
            statement.text
            for script in contents.scripts.values()
            if script.kind == scripts.TABLES_SCRIPT
            for statement in script.statements
        ),
    )
    for text in _STOPS:
        _run_if_known(server, text, target.interrupt)


def _definers(target: Target, contents: Contents) -> Iterator[str]:
    """The statements that make the accounts as which views run; servers want them beforehand."""
    names = set[str]()
    for script in contents.scripts.values():
        for statement in script.statements:
            if "DEFINER" in statement.text:
                words = significant(statement.text)
                names |= {
                    words[place + 2].value
                    for place, word in enumerate(words[:-2])
                    if word.is_word("DEFINER") and words[place + 1].text == "="
                }
    if not names:
        return
    rows = target.servers[0].rows("SELECT name FROM system.users", target.interrupt)
    missing = sorted(names - {name for (name,) in rows})
    own = [
        statement.text
        for script in contents.scripts.values()
        if script.kind == ACCESS
        for statement in script.statements
    ]
    for name in missing:
        yield from (text for text in own if makes_user(text, name))
        yield f"CREATE USER IF NOT EXISTS {identifier(name)}"


def makes_user(text: str, name: str) -> bool:
    """Whether a statement creates the account of this name."""
    words = significant(text)
    return (
        len(words) > len(("CREATE", "USER"))
        and words[0].is_word("CREATE")
        and words[1].is_word("USER")
        and words[2].value == name
    )


def _write(path: Path, text: str) -> None:
    """Write a file that the server, which may run as another user, can read, whole or not."""
    beside = path.with_name(f".{path.name}")
    beside.write_text(text)
    beside.chmod(0o644)
    beside.replace(path)


def _run_if_known(server: Server, text: str, interrupt: Interrupt) -> None:
    try:
        server.run(text, interrupt)
    except (TargetFailedError, TargetRefusedError) as error:
        if code_of(error) is None:
            raise
