"""How the last prune ended, in one sentence of the front page."""

from controller.model.objects import Json
from controller.report.page.markup import Html, element
from controller.report.page.words import counted, moment, shortened
from controller.report.status_document import in_units

_WORTH_A_LOOK = {
    "held_back": "held back, as no newer, proved one covers them",
    "shrunk": "much smaller than the ones before",
}


def prune_sentence(prune: Json) -> Html:
    """Say when the last prune ended, and what it did or why it failed."""
    when = moment(str(prune.get("finished") or ""))
    if prune.get("outcome") != "succeeded":
        why = f": {prune.get('reason')}: {shortened(str(prune.get('message') or ''))}"
        return element("p", "The last prune failed ", when, why, attributes={"class": "old"})
    parts = []
    if isinstance(deleted := prune.get("deleted"), int):
        freed = prune.get("freed_bytes")
        room = f" ({in_units(freed)})" if isinstance(freed, int) else ""
        parts.append(f"{counted(deleted, 'backup', 'backups')} deleted{room}")
    parts += [
        f"{counted(count, 'backup', 'backups')} {what}"
        for name, what in _WORTH_A_LOOK.items()
        if isinstance(count := prune.get(name), int) and count > 0
    ]
    told = f": {', '.join(parts)}" if parts else ""
    return element("p", "The last prune ended well ", when, told)
