"""What the statements of a backup need of a server's configuration: names, given to one server."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dumpers.engines.clickhouse.schema.lexer import TokenKind, significant
from dumpers.engines.clickhouse.schema.names.naming import full_name
from dumpers.engines.clickhouse.stored.contents import Contents, Statement
from dumpers.runtime.errors import TargetRefusedError

# An element of XML may be called so, which names in a configuration are.
_NAME = re.compile(r"[A-Za-z_][\w.-]*")
_MACRO = re.compile(r"\{(\w+)\}")
# What the drill's server knows by itself.
_MACROS: Mapping[str, str] = {"cluster": "drill", "shard": "1", "replica": "drill"}
_DISTRIBUTED = frozenset(("Distributed", "cluster", "clusterAllReplicas"))
_DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Names of clusters, macros, storage policies, their volumes, and disks."""

    clusters: set[str] = field(default_factory=set)
    macros: set[str] = field(default_factory=set)
    policies: set[str] = field(default_factory=set)
    volumes: set[str] = field(default_factory=set)
    disks: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return any((self.clusters, self.macros, self.policies, self.volumes, self.disks))


def read_needs(contents: Contents) -> Needs:
    """What a server's configuration must know for these statements to run.

    Raises TargetRefusedError where a table says itself on which disk of another system it lies, and
    for a name that no configuration can have.
    """
    needs = Needs()
    for script in contents.scripts.values():
        for statement in script.statements:
            if statement.create is not None:
                _read(statement, needs)
    for names in (needs.policies, needs.disks):
        names.discard(_DEFAULT)
    needs.clusters.discard(_MACROS["cluster"])
    names = needs.clusters | needs.macros | needs.policies | needs.volumes | needs.disks
    bad = sorted(name for name in names if not _NAME.fullmatch(name))
    if bad:
        raise TargetRefusedError(
            "no configuration of a throwaway server can hold these names of clusters, macros, "
            f"disks or storage policies: {', '.join(map(repr, bad))}"
        )
    return needs


def configuration(needs: Needs, folder: str) -> str:
    """A configuration file in which every name means the one server that reads it.

    `folder` is the server's, for its disks.
    """
    parts = []
    if needs.clusters:
        parts.append(_element("remote_servers", map(_cluster, sorted(needs.clusters))))
    if needs.macros:
        parts.append(_element("macros", (f"<{n}>{n}</{n}>" for n in sorted(needs.macros))))
    if needs.policies or needs.volumes or needs.disks:
        volumes = {name: f"volume_{name}" for name in sorted(needs.volumes)}
        disks = sorted({*needs.disks, *volumes.values()} - {_DEFAULT})
        made = (f"<{name}><path>{folder}/disks/{name}/</path></{name}>" for name in disks)
        policies = (_policy(name, volumes, disks) for name in sorted(needs.policies))
        inside = (_element("disks", made), _element("policies", policies))
        parts.append(_element("storage_configuration", inside))
    return f"{_element('yandex', parts)}\n"


def _read(statement: Statement, needs: Needs) -> None:
    create = statement.create
    assert create is not None
    words = significant(statement.text) if _may_ask_others(statement.text) else []
    for place, word in enumerate(words[:-2]):
        named = words[place + 2]
        is_name = named.is_name or named.kind is TokenKind.STRING
        if word.text in _DISTRIBUTED and words[place + 1].text == "(" and is_name:
            needs.macros.update({*_MACRO.findall(named.value)} - _MACROS.keys())
            needs.clusters.add(_MACRO.sub(_expanded, named.value))
    clauses = [create.tokens[place] for place in create.clauses]
    for place, word in enumerate(clauses[:-2]):
        following, named = clauses[place + 1 : place + 3]
        if word.is_word("DISK") and following.text == "=" and named.is_word("DISK"):
            raise TargetRefusedError(
                f"{full_name(*(statement.key or ('',)))} says itself on which disk it lies, which "
                "a throwaway server does not reach"
            )
        if named.kind is not TokenKind.STRING:
            continue
        if word.is_word("STORAGE_POLICY"):
            needs.policies.add(named.value)
        elif word.is_word("TO") and following.is_word("VOLUME"):
            needs.volumes.add(named.value)
        elif (word.is_word("TO") and following.is_word("DISK")) or (
            word.is_word("DISK") and following.text == "="
        ):
            needs.disks.add(named.value)


def _may_ask_others(text: str) -> bool:
    """Whether a statement may name a cluster: most do not, and are many."""
    return any(f"{word}(" in text for word in _DISTRIBUTED)


def _expanded(macro: re.Match[str]) -> str:
    return _MACROS.get(macro[1], macro[1])


def _cluster(name: str) -> str:
    server = "<host>127.0.0.1</host><port>9000</port>"
    return f"<{name}><shard><replica>{server}</replica></shard></{name}>"


def _policy(name: str, volumes: Mapping[str, str], disks: Iterable[str]) -> str:
    """A policy with all volumes and disks, so that rows may be told to move to any."""
    alone = [disk for disk in disks if disk not in volumes.values()]
    found = [("drill", _DEFAULT), *volumes.items(), *((f"of_{disk}", disk) for disk in alone)]
    inside = (f"<{volume}><disk>{disk}</disk></{volume}>" for volume, disk in found)
    return _element(name, (_element("volumes", inside),))


def _element(name: str, inside: Iterable[str]) -> str:
    return f"<{name}>{''.join(inside)}</{name}>"
