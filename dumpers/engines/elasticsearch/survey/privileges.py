"""What an account's roles hide from it, by what the server's own security says of them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from dumpers.engines.elasticsearch.indices import Index

_READ = frozenset(("all", "read", "*", "indices:*", "indices:data/*", "indices:data/read/*"))
_VIEW = frozenset(("all", "manage", "view_index_metadata", "*", "indices:*"))
_WHOLE = "*"
# What means something in Lucene's regular expressions, and nothing or something else in Python's.
_LUCENE_ONLY = re.compile(r"""[~&@#<>"\\^$]|\(\?""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Rights on the indices whose names fit `patterns`; of a role, or of several as one.

    `hides_documents` says that a query chooses the documents, `hides_fields` that only some fields
    are given, or some are masked.
    """

    patterns: tuple[str, ...]
    privileges: frozenset[str] = _READ
    hides_documents: bool = False
    hides_fields: bool = False

    def means(self, index: Index, *, if_unsure: bool) -> bool:
        """Whether the grant is about this index, by its own name or its data stream's.

        `if_unsure` is the answer where a pattern cannot be understood.
        """
        names = {index.name, index.stream} - {""}
        return any(
            _fits(name, pattern, if_unsure=if_unsure) for name in names for pattern in self.patterns
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Privileges:
    """An account's rights on indices.

    One grant that hides nothing is enough to see everything, but not where `adds_up`: there each
    role takes something away.
    """

    grants: tuple[Grant, ...]
    adds_up: bool = False

    def without_documents(self, indices: Iterable[Index]) -> tuple[str, ...]:
        """The names of the indices of which a role hides documents."""
        return tuple(
            index.name
            for index in indices
            if self._hides(index, lambda grant: grant.hides_documents)
        )

    def without_fields(self, indices: Iterable[Index]) -> tuple[str, ...]:
        """The names of the indices of which a role hides or masks fields."""
        return tuple(
            index.name for index in indices if self._hides(index, lambda grant: grant.hides_fields)
        )

    def doubtful(self, indices: Iterable[Index]) -> Sequence[Index]:
        """The indices that no grant lets read and look at for certain, as words go."""
        return [
            index
            for index in indices
            if not (self._grants(index, _READ) and self._grants(index, _VIEW))
        ]

    def _grants(self, index: Index, wanted: frozenset[str]) -> bool:
        return any(
            grant.privileges & wanted and grant.means(index, if_unsure=False)
            for grant in self.grants
        )

    def _hides(self, index: Index, hides: Callable[[Grant], bool]) -> bool:
        hiding = any(hides(grant) and grant.means(index, if_unsure=True) for grant in self.grants)
        if not hiding or self.adds_up:
            return hiding
        return not any(
            grant.privileges & _READ and not hides(grant) and grant.means(index, if_unsure=False)
            for grant in self.grants
        )


def of_elasticsearch(answer: Mapping[str, Any]) -> Privileges:
    """Read the answer to `GET /_security/user/_privileges`, or a role's own description."""
    grants = []
    for item in answer.get("indices", ()):
        names = item.get("names", ())
        grants.append(
            Grant(
                patterns=(names,) if isinstance(names, str) else tuple(names),
                privileges=frozenset(item.get("privileges", ())),
                hides_documents=bool(item.get("query")),
                hides_fields=_hides_fields(item.get("field_security")),
            )
        )
    return Privileges(grants=tuple(grants))


def of_key(answer: Mapping[str, Any]) -> Sequence[Privileges]:
    """Read the answer to `GET /_security/api_key?with_limited_by=true`.

    An API key may do what its own roles and its owner's both allow: each is returned. ValueError
    where the answer does not name them.
    """
    keys: Sequence[Any] = answer.get("api_keys") or []
    if len(keys) != 1 or "limited_by" not in keys[0]:
        raise ValueError("the roles of this API key are not said")
    described = [keys[0].get("role_descriptors") or {}, *keys[0]["limited_by"]]
    return [
        of_elasticsearch({"indices": [item for role in roles.values() for item in _indices(role)]})
        for roles in described
        if roles
    ]


def of_opensearch(roles: Mapping[str, Any], own: Iterable[str]) -> Privileges:
    """Read the answer to `GET /_plugins/_security/api/roles`, for an account's own roles.

    KeyError where one of them is not described.
    """
    grants = tuple(
        Grant(
            patterns=tuple(item.get("index_patterns", ())),
            hides_documents=bool(item.get("dls")),
            hides_fields=bool(item.get("fls") or item.get("masked_fields")),
        )
        for role in own
        for item in roles[role].get("index_permissions", ())
    )
    return Privileges(grants=grants, adds_up=True)


def _indices(role: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return role.get("indices") or role.get("index") or ()


def _hides_fields(security: Any) -> bool:
    if not security:
        return False
    listed: Sequence[Any] = security if isinstance(security, list) else [security]
    return not any(
        _WHOLE in (item.get("grant") or ()) and not item.get("except") for item in listed
    )


def _fits(name: str, pattern: str, *, if_unsure: bool) -> bool:
    """Whether a name fits a pattern of a role: with wildcards, or Lucene's regular expression."""
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        if _LUCENE_ONLY.search(pattern):
            return if_unsure
        try:
            return re.fullmatch(pattern[1:-1], name) is not None
        except re.error:
            return if_unsure
    return fnmatchcase(name, pattern.replace("[", "[[]"))
