"""Comparing what a restored server has with the statements of a backup."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dumpers.engines.clickhouse.catalog.accounts import hides_password, subject_of
from dumpers.engines.clickhouse.catalog.server_catalog import ServerCatalog
from dumpers.engines.clickhouse.drill.members import differing_members
from dumpers.engines.clickhouse.drill.prepare import restores_access
from dumpers.engines.clickhouse.drill.stand_ins import StandIn
from dumpers.engines.clickhouse.restore.loading import ACCESS
from dumpers.engines.clickhouse.restore.script_runner import shown
from dumpers.engines.clickhouse.schema import ddl, scripts
from dumpers.engines.clickhouse.schema.lexer import TokenKind, significant
from dumpers.engines.clickhouse.schema.names.naming import Key, full_name
from dumpers.engines.clickhouse.schema.names.rewriting import rewrite
from dumpers.engines.clickhouse.stored.contents import Contents, Statement, numbers
from dumpers.engines.clickhouse.throwaway import USER
from dumpers.engines.names import abbreviate

_AROUND = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureComparison:
    """Holds the statements of a backup against those of the restored server.

    `label` is that of the dumped server whose scripts were run. `faults` and `unproved` grow.
    """

    contents: Contents
    restored: ServerCatalog
    stand_ins: Sequence[StandIn]
    label: str
    faults: list[str] = field(default_factory=list)
    unproved: list[str] = field(default_factory=list)

    def compare(self) -> None:
        """Find what is missing, different, or there besides."""
        expected = self._expected()
        self._tell_of_stand_ins()
        made = {item.table.key: item.table.create for item in self.restored.tables if item.is_saved}
        away = {item.statement.key for item in self.stand_ins if not item.is_alike}
        for key, text in expected.items():
            if key not in made:
                self.faults.append(f"{full_name(*key)} is missing")
            elif key not in away:
                self._hold(full_name(*key), text, made[key])
        more = sorted(made.keys() - expected.keys() - self._optional())
        self.faults.extend(f"{full_name(*key)} is not in the backup" for key in more)
        self._compare_databases()
        self._compare_globals()
        self._compare_access()

    def _expected(self) -> Mapping[Key, str]:
        """The statement that the restored server must have of each table, view and dictionary.

        Tables are made of the scripts of all servers, the rest of those of one.
        """
        own = self._own()
        alike = {item.statement.text: item.text for item in self.stand_ins if item.is_alike}
        optional = self._optional()
        found = {
            key: alike.get(statement.text, statement.text)
            for statement in own
            if (key := statement.key) is not None
        }
        elsewhere = []
        for script in self.contents.scripts.values():
            for statement in script.statements:
                key = statement.key
                if key is None or key in found or key in optional:
                    continue
                if script.kind == scripts.TABLES_SCRIPT:
                    found[key] = alike.get(statement.text, statement.text)
                else:
                    elsewhere.append(full_name(*key))
        if elsewhere:
            self.unproved.append(
                "these are on other servers than the first only, and were not made: "
                f"{abbreviate(elsewhere)}"
            )
        differing = sorted(
            {
                full_name(*statement.key)
                for script in self.contents.scripts.values()
                if self.label not in script.labels
                for statement in script.statements
                if statement.key in found
                and _words(alike.get(statement.text, statement.text))
                != _words(found[statement.key])
            }
        )
        if differing:
            self.unproved.append(
                "servers have other statements for these, and those of the first were tried: "
                f"{abbreviate(differing)}"
            )
        return {key: text for key, text in found.items() if key not in optional}

    def _own(self) -> Iterator[Statement]:
        for script in self.contents.scripts.values():
            if self.label in script.labels:
                yield from script.statements

    def _optional(self) -> set[Key]:
        """Views that need what is not in the backup: a restore does without them."""
        return {
            statement.key
            for script in self.contents.scripts.values()
            if script.kind == scripts.INCOMPLETE_SCRIPT
            for statement in script.statements
            if statement.key is not None
        }

    def _tell_of_stand_ins(self) -> None:
        names: dict[str, list[str]] = {}
        for item in self.stand_ins:
            names.setdefault(item.why, []).append(item.name)
        for why, those in names.items():
            self.unproved.append(f"{why}: {abbreviate(sorted({*those}))}")
        optional = self._optional()
        if optional:
            self.unproved.append(
                "these views need what is not in the backup: "
                f"{abbreviate([full_name(*key) for key in sorted(optional)])}"
            )

    def _hold(self, name: str, expected: str, there: str) -> None:
        if expected == there:
            return
        wanted, found = _words(expected), _words(there)
        if wanted == found:
            return
        place = next(
            (at for at, (a, b) in enumerate(zip(wanted, found, strict=False)) if a != b),
            min(len(wanted), len(found)),
        )
        text = (
            f"{name} is created by another statement: {_near(expected, place)} in the backup, "
            f"{_near(there, place)} restored"
        )
        release = self.restored.replica.release
        members = differing_members(expected, there)
        if numbers(release) == numbers(self.contents.release):
            self.faults.append(text)
        elif members:
            self.faults.append(f"{name} has other {' and '.join(members)}: {text}")
        else:
            # Releases write the same statement in several ways.
            self.unproved.append(
                f"{text}; the server is of release {release}, the backup of {self.contents.release}"
            )

    def _compare_databases(self) -> None:
        replaced = {item.statement.database for item in self.stand_ins} - {""}
        there = {item.name: item.create for item in self.restored.databases}
        for statement in self._own():
            name = statement.database
            if name and name not in there:
                self.faults.append(f"the database {full_name(name)} is missing")
            elif name and name not in replaced:
                self._hold(f"the database {full_name(name)}", statement.text, there[name])

    def _compare_globals(self) -> None:
        """Functions and named collections."""
        objects = self.restored.objects
        text = scripts.tables(
            [], functions=objects.functions, collections=objects.collections, found=[]
        )
        there = {tuple(_plain_words(one)) for one in scripts.statements(text)}
        for script in self.contents.scripts.values():
            if script.kind != scripts.TABLES_SCRIPT or self.label not in script.labels:
                continue
            for statement in script.statements:
                if statement.create is None and tuple(_plain_words(statement.text)) not in there:
                    self.faults.append(f"missing or different: {shown(statement.text)}")

    def _compare_access(self) -> None:
        there = {tuple(_plain_words(text)) for text in self.restored.objects.access}
        wanted = [
            statement.text
            for script in self.contents.scripts.values()
            if script.kind == ACCESS and self.label in script.labels
            for statement in script.statements
        ]
        own = [text for text in wanted if subject_of(text) != ("USER", USER)]
        hidden = [subject_of(text)[1] for text in own if hides_password(text)]
        if hidden:
            self.unproved.append(
                f"the backup has no passwords of these accounts: {abbreviate(sorted(hidden))}"
            )
        kept = [text for text in own if subject_of(text)[1] not in hidden]
        if wanted and not restores_access(self.contents):
            self.unproved.append(
                "accounts, roles and policies were not restored, as one of them is for all "
                "accounts or for the drill's own"
            )
            return
        missing = [text for text in kept if tuple(_plain_words(text)) not in there]
        self.faults.extend(f"missing or different: {shown(text)}" for text in missing)


def _words(text: str) -> list[str]:
    """What makes a difference in a statement: no ids, and no spelling."""
    return _plain_words(rewrite(text)) if ddl.parse(text) else _plain_words(text)


def _plain_words(text: str) -> list[str]:
    return [token.value for token in significant(text)]


def _near(text: str, place: int) -> str:
    """The words around a place, without texts: some are passwords."""
    found = significant(rewrite(text))[max(place - _AROUND, 0) : place + _AROUND]
    words = ("'…'" if one.kind is TokenKind.STRING else one.text for one in found)
    return f"… {' '.join(words)} …" if found else "nothing more"
