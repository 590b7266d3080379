"""Events: whether they can be dumped, and which a load does not give back as they were."""

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.survey.programs import Programs, ask_for, damaged
from dumpers.engines.mysql.survey.server.grants import Grants
from dumpers.runtime.interrupt import Interrupt

_HIDDEN = (
    "events are NOT in this dump, if there are any, as this account may not see them: grant it "
    "EVENT on these databases"
)
_OF_REPLICA = (
    "these events are switched off on a replica, as they run on its source, and so they are in the "
    "dump: after a load ALTER EVENT … ENABLE them"
)
_ENDING = (
    "these events end at a time of their own (AT, or ENDS) and are not kept behind it (ON "
    "COMPLETION NOT PRESERVE): a load after that time does not make them"
)


def events(server: Server, database: str, rights: Grants, *, interrupt: Interrupt) -> Programs:
    """Find what of a database's events a dump holds."""
    if not rights.may("EVENT", database):
        note = Note(code=NoteCode.UNREADABLE, text=_HIDDEN, objects=(database,))
        return Programs(are_dumped=False, notes=(note,))
    rows, words = ask_for(
        server,
        lambda: server.rows(
            "event_name, status LIKE '%SIDE_DISABLED', "
            "on_completion = 'NOT PRESERVE' AND (event_type = 'ONE TIME' OR ends IS NOT NULL)",
            "FROM information_schema.events WHERE event_schema = DATABASE() ORDER BY event_name",
            database=database,
            interrupt=interrupt,
        ),
    )
    if words:
        return damaged("events", database, words)
    found = (
        (_OF_REPLICA, [name for name, is_of_replica, _ in rows if is_of_replica == "1"]),
        (_ENDING, [name for name, _, is_ending in rows if is_ending == "1"]),
    )
    return Programs(
        are_dumped=True,
        notes=tuple(
            Note(
                code=NoteCode.RESTORE_NEEDS,
                text=text,
                objects=tuple(f"{database}.{name}" for name in names),
            )
            for text, names in found
            if names
        ),
    )
