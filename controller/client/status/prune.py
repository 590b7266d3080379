"""How the last prune ended, in one line of `ksnapshot status`; pure."""

from datetime import datetime

from controller.client.terminal.output import age, moment_of, size
from controller.model.fixes import RUN_FIXES
from controller.model.objects import Json


def prune_line(prune: Json, now: datetime) -> str:
    """Say when the last prune ended, and what it did or why it failed.

    `prune` is the member of the controller's status; what it lacks is not said.
    """
    when = age(moment_of(prune.get("finished")), now)
    if prune.get("outcome") != "succeeded":
        good = moment_of(prune.get("last_success"))
        last = f"the last good one was {age(good, now)}" if good else "none is known to be good"
        reason = str(prune.get("reason") or "")
        fix = f"; to do: {RUN_FIXES[reason]}" if reason in RUN_FIXES else ""
        return f"prune: failed {when} ({reason}): {prune.get('message')}; {last}{fix}"
    if "deleted" not in prune:
        return f"prune: succeeded {when}"
    parts = [f"{prune['deleted']} backups deleted ({size(prune.get('freed_bytes'))})"]
    parts += [
        f"{count} {what}"
        for name, what in _WORTH_A_LOOK.items()
        if isinstance(count := prune.get(name), int) and count > 0
    ]
    return f"prune: succeeded {when}: {', '.join(parts)}"


_WORTH_A_LOOK = {
    "held_back": "held back, as no newer, proved one covers them (ksnapshot prune --dry-run)",
    "shrunk": "much smaller than the ones before (ksnapshot accept)",
    "left": "objects that the store does not let go yet",
}
