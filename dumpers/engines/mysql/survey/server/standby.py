"""Whether the server is a replica, and how far behind its source."""

from collections.abc import Mapping, Sequence

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.commands import GIVEN_LIMIT
from dumpers.engines.mysql.errors import NO_RIGHT, error_numbers
from dumpers.engines.mysql.programs import Flavour
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.interrupt import Interrupt

_TEXT = "the dump was read from a replica"
# As SHOW REPLICA STATUS has them; empty where nothing is left out.
_FILTERS = (
    *("Replicate_Do_DB", "Replicate_Ignore_DB", "Replicate_Do_Table", "Replicate_Ignore_Table"),
    *("Replicate_Wild_Do_Table", "Replicate_Wild_Ignore_Table", "Replicate_Do_Domain_Ids"),
    *("Replicate_Ignore_Domain_Ids", "Replicate_Ignore_Server_Ids"),
)
_VARIABLES = ("wsrep_on", "wsrep_provider", "innodb_force_recovery")
_GALERA_STATE = ("wsrep_cluster_status", "wsrep_local_state_comment")
_IN_STEP = ("Primary", "Synced")


def standby_notes(server: Server, *, interrupt: Interrupt) -> tuple[Note, ...]:
    """Say that the dump is read from a replica, as far as this account may see that.

    Raises the server's refusal where its settings would cut what is read from it.
    """
    limit, read_only, known = _settings(server, interrupt=interrupt)
    if server.flavour is Flavour.MARIADB and limit:
        # Its dump tool cannot be told to set it back.
        raise server.errors.refused(
            f"the server's sql_select_limit is {limit}, so that every table would come with no "
            "more rows than that: set it to DEFAULT, globally and in init_connect"
        )
    node = describe_node(known)
    notes = (*damage_notes(known), *((_note(node),) if node else ()))
    try:
        states = _channels(server, interrupt=interrupt)
    except KsnapshotError as error:
        if not error_numbers(str(error)) & NO_RIGHT:
            raise
        # Those who may not ask are not told of every primary that it could be a replica.
        right = "SLAVE MONITOR" if server.flavour is Flavour.MARIADB else "REPLICATION CLIENT"
        if server.flavour is Flavour.MARIADB and server.number < (10, 5):
            right = "REPLICATION CLIENT"
        unknown = f"and how old its rows are is not known: grant this account {right}"
        if read_only:
            return (*notes, _note(f"the server is read-only, as replicas are, {unknown}"))
        return notes
    if states:
        return (*notes, *(_note(describe(state)) for state in states))
    if read_only:
        alone = "the server is read-only, as replicas are, though it has no source set up"
        return (*notes, _note(alone))
    return notes


def describe_node(cluster: Mapping[str, str]) -> str:
    """Say what may be wrong with the rows of a node of Galera's; empty where it is in step.

    By the server's variables and status; without them it is no such node.
    """
    if not is_node(cluster):
        return ""
    state = tuple(cluster.get(name, "") for name in _GALERA_STATE)
    if state == _IN_STEP:
        return ""
    return (
        f"the dump was read from a node of a Galera cluster that is not in step with the others "
        f"({', '.join(filter(None, state)) or 'it does not say how'}): it may lack what they have "
        "taken in"
    )


def is_node(known: Mapping[str, str]) -> bool:
    """Whether a server is a node of Galera's, by its variables."""
    return known.get("wsrep_on") == "ON" and known.get("wsrep_provider") not in {None, "", "none"}


def read_variables(server: Server, *, interrupt: Interrupt) -> Mapping[str, str]:
    """What a server's variables say of Galera and of damage.

    As a session has them: in Percona XtraDB Cluster `wsrep_on` is a session's alone.
    """
    listed = _listed(_VARIABLES)
    rows = server.raw(f"SHOW VARIABLES WHERE variable_name IN ({listed})", interrupt=interrupt)
    return {row[0]: row[-1] for row in rows}


def damage_notes(known: Mapping[str, str]) -> tuple[Note, ...]:
    """A note where the server's variables say that it passes over damage."""
    level = known.get("innodb_force_recovery", "0")
    if level == "0":
        return ()
    text = (
        f"the server runs with innodb_force_recovery = {level}, which passes over damaged pages "
        "and unfinished transactions: rows may be missing in the dump, or be such as never were"
    )
    return (Note(code=NoteCode.NOT_CONSISTENT, text=text),)


def describe(state: Mapping[str, str]) -> str:
    """Say how far behind a replica is, by a row of SHOW REPLICA STATUS or its older names."""

    def value(*names: str) -> str:
        return next((state[name] for name in names if name in state), "")

    source = value("Source_Host", "Master_Host")
    where = f"{_TEXT} of {source}" if source else _TEXT
    filters = [f"{name}: {state[name]}" for name in _FILTERS if state.get(name)]
    if filters:
        where += f", which takes but a part of what its source does ({'; '.join(filters)}), and"
    stopped = [
        what
        for what, names in (
            ("receive", ("Replica_IO_Running", "Slave_IO_Running")),
            ("apply", ("Replica_SQL_Running", "Slave_SQL_Running")),
        )
        if value(*names) not in {"Yes", "Preparing"}
    ]
    if stopped:
        return (
            f"{where} that does not {' and '.join(stopped)} changes at the moment: it lacks all "
            "that its source has taken in since it stopped"
        )
    seconds = value("Seconds_Behind_Source", "Seconds_Behind_Master")
    if not seconds.isdigit():
        return f"{where}; how far behind it is, it does not say"
    return f"{where} that was {seconds} s behind when the dump began"


def _note(text: str) -> Note:
    return Note(code=NoteCode.STANDBY, text=text)


def _settings(server: Server, *, interrupt: Interrupt) -> tuple[str, bool, Mapping[str, str]]:
    """What holds for whoever sets nothing, by the server's own settings.

    That is the limit of rows, empty if there is none; whether it is read-only; and what it says of
    Galera and of damage.
    """
    # As the tool gets it: the server's global one or that of its `init_connect`.
    [(limit, read_only)] = server.raw(
        f"SELECT {GIVEN_LIMIT}, @@global.read_only", interrupt=interrupt
    )
    no_limit = "18446744073709551615"
    states = server.raw(
        f"SHOW GLOBAL STATUS WHERE variable_name IN ({_listed(_GALERA_STATE)})", interrupt=interrupt
    )
    known = {
        **read_variables(server, interrupt=interrupt),
        **{row[0]: row[-1] for row in states},
    }
    return "" if limit == no_limit else limit, read_only not in {"0", "OFF"}, known


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _channels(server: Server, *, interrupt: Interrupt) -> Sequence[Mapping[str, str]]:
    if server.flavour is Flavour.MARIADB:
        sql = "SHOW ALL SLAVES STATUS"
    else:
        sql = "SHOW REPLICA STATUS" if server.number >= (8, 4) else "SHOW SLAVE STATUS"
    heads, *rows = server.raw(sql, heads=True, interrupt=interrupt) or [()]
    return [dict(zip(heads, row, strict=False)) for row in rows]
