"""What restore-now and restore-from may say: which backup, and of which workload."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from controller.model.names import owner_key
from controller.settings import parsers
from dumpers.contract.recipients import holds_private_key
from dumpers.contract.restore.request import AT, LATEST

_DAY = re.compile(r"\d{4}-?\d{2}-?\d{2}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}.*", re.ASCII)
# A run's id or the beginning of one, a folder's name, which begins with a time, or a legacy dump's.
_ID = re.compile(r"[0-9a-f]{1,64}|(legacy-)?\d{8}T\d{6}Z(-[0-9a-f]{0,64})?", re.ASCII)
_FORMS = (
    "latest, a backup's id, or a time such as 2026-01-31T03:00:00Z; `#` and any text may follow"
)
_LONGEST, _SHOWN = 253, 100
# Behind it a value may go on with anything, so that the same is asked for again.
_AGAIN = "#"
# How people and kubectl write the kinds of owners.
_KINDS = {
    "deployment": "Deployment",
    "deployments": "Deployment",
    "deploy": "Deployment",
    "statefulset": "StatefulSet",
    "statefulsets": "StatefulSet",
    "sts": "StatefulSet",
    "replicaset": "ReplicaSet",
    "group": "Group",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The workload whose backup is meant, and which one, as the variable BACKUP has it.

    `kind` is empty where it was not named.
    """

    namespace: str
    kind: str
    name: str
    backup: str

    @property
    def key(self) -> str:
        """Owner key of the workload."""
        return owner_key(self.namespace, self.name)


def check_text(text: str) -> str:
    """A value that may be kept and shown; ValueError says what is wrong with any other."""
    if holds_private_key(text):
        raise ValueError("must never hold a private key: treat it as leaked")
    if len(text) > _LONGEST:
        raise ValueError(f"must have at most {_LONGEST} characters")
    return parsers.printable(text)


def show_text(text: str) -> str:
    """A value in a message: as it stands where it is short and plain, and never a secret."""
    try:
        return check_text(text)
    except ValueError:
        return parsers.describe_value(text, longest=_SHOWN)


def parse_backup(text: str) -> str:
    """Which backup a value means, as the variable BACKUP has it; ValueError names the forms."""
    return _backup(check_text(text))


def _backup(text: str) -> str:
    wanted = text.partition(_AGAIN)[0].strip()
    if wanted == LATEST:
        return LATEST
    try:
        if _TIME.fullmatch(wanted):
            return f"{AT}{parse_instant(wanted):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError):
        wanted = ""
    if not _ID.fullmatch(wanted):
        raise ValueError(f"must be {_FORMS}")
    return wanted


def parse_source(text: str, namespace: str) -> Source:
    """Read `[NAMESPACE/][KIND/]NAME[@BACKUP]`; `namespace` is meant where none is named.

    ValueError says what is wrong.
    """
    owner, at, backup = check_text(text).partition(_AGAIN)[0].partition("@")
    *places, name = map(str.strip, owner.split("/"))
    kind = ""
    # A namespace that is called like a kind is meant only before a kind.
    if places and places[-1].lower() in _KINDS:
        kind = _KINDS[places.pop().lower()]
    if len(places) > 1:
        raise ValueError(
            "must name a workload as NAME, KIND/NAME, NAMESPACE/NAME or NAMESPACE/KIND/NAME, of "
            "kind deployment or statefulset"
        )
    return Source(
        namespace=parsers.label(places[0]) if places else namespace,
        kind=kind,
        name=parsers.object_name(name),
        backup=_backup(backup) if at else LATEST,
    )


def parse_instant(text: str) -> datetime:
    """A moment in RFC 3339, in UTC; without a zone UTC is meant, of a day its last second."""
    moment = datetime.fromisoformat(text)
    if _DAY.fullmatch(text):
        moment += timedelta(days=1) - timedelta(seconds=1)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
