"""What this account is not shown, and what that means for a dump.

Elasticsearch tells every account its own rights. OpenSearch tells them to administrators only, and
what stands in front of a cluster tells them nobody: there, documents are counted.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dumpers.contract.connection import Connection
from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.elasticsearch.client import Server
from dumpers.engines.elasticsearch.indices import Index
from dumpers.engines.elasticsearch.product import Product
from dumpers.engines.elasticsearch.survey.privileges import (
    Privileges,
    of_elasticsearch,
    of_key,
    of_opensearch,
)
from dumpers.runtime.interrupt import Interrupt

# What a dump does with an index, as the server calls it.
_NEEDED = (
    "indices:data/read/search",
    "indices:admin/get",
    "indices:admin/mappings/get",
    "indices:monitor/settings/get",
)
# Keys say whose rights limit theirs since then.
_KEYS_TELL = (8, 5)
DENIED = "not readable for this account: grant it read, view_index_metadata and monitor on them"
_DOCUMENTS = (
    "document-level security hides documents of these indices from this account, and they are not "
    "in the dump: dump as an account whose roles have no query on them"
)
_FIELDS = (
    "field-level security hides or masks fields of these indices from this account, and they are "
    "not in the dump: dump as an account whose roles grant all fields of them"
)
_FEWER = (
    "this account finds fewer documents in these indices than the server counts in them: a role "
    "may hide the others, which are not in the dump: dump as an account that sees all"
)
_UNCOUNTED = (
    "the documents of these indices could not be counted as this account finds them, so whether a "
    "role hides some of them is not known: dump as an account that sees all"
)
_UNKNOWN = (
    "security is on, and this account may not see what its roles hide from it: documents were "
    "counted, but fields that are hidden or masked cannot be found out: dump as an account whose "
    "roles have neither"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account's rights, as far as anybody can know.

    `sides` all have to allow what is allowed; None where they are not known. `keeps_back` says that
    the server has security and does not tell what it does to this account, `counts` that documents
    have to be counted to find that out, as something in front of a server may have security.
    """

    sides: tuple[Privileges, ...] | None = None
    keeps_back: bool = False
    counts: bool = False

    @property
    def is_secured(self) -> bool:
        """Whether the server is known to have accounts."""
        return self.sides is not None or self.keeps_back


def read_account(
    server: Server, product: Product, login: Connection, interrupt: Interrupt
) -> Account:
    """Ask what the account of this login may do."""
    if product.is_opensearch:
        found = _account_of_opensearch(server, interrupt)
    elif login.api_key:
        found = _account_of_key(server, product, interrupt)
    else:
        found = _account_of_user(server, interrupt)
    logged_in = bool(login.username or login.api_key or login.certificate)
    counts_ = found.keeps_back or (found.sides is None and logged_in)
    return replace(found, counts=counts_)


def readable(
    server: Server, account: Account, chosen: Sequence[Index], interrupt: Interrupt
) -> Sequence[Index]:
    """The chosen indices; those that Elasticsearch says this account may not read say so."""
    names = {
        index.name
        for side in account.sides or ()
        if not side.adds_up
        for index in side.doubtful(index for index in chosen if not index.problem)
    }
    denied = _denied(server, sorted(names), interrupt)
    return [replace(index, problem=DENIED) if index.name in denied else index for index in chosen]


def notes(
    account: Account, read: Sequence[Index], fewer: Sequence[str], uncounted: Sequence[str]
) -> tuple[Note, ...]:
    """Notes on what the account does not see of the indices that are read.

    `fewer` are those in which it found fewer documents than there are, `uncounted` those of which
    nobody knows.
    """
    sides = account.sides or ()
    found = (
        (_DOCUMENTS, {name for side in sides for name in side.without_documents(read)}),
        (_FIELDS, {name for side in sides for name in side.without_fields(read)}),
        (_FEWER, fewer),
        (_UNCOUNTED, uncounted),
    )
    unknown = [Note(code=NoteCode.ROW_SECURITY, text=_UNKNOWN)] if account.keeps_back else []
    return (
        *unknown,
        *(
            Note(code=NoteCode.ROW_SECURITY, text=text, objects=tuple(sorted(names)))
            for text, names in found
            if names
        ),
    )


def _account_of_user(server: Server, interrupt: Interrupt) -> Account:
    body = server.if_granted("/_security/user/_privileges", interrupt)
    return Account(sides=(of_elasticsearch(json.loads(body)),)) if body is not None else Account()


def _account_of_opensearch(server: Server, interrupt: Interrupt) -> Account:
    for path in ("/_plugins/_security", "/_opendistro/_security"):
        body = server.if_granted(f"{path}/authinfo", interrupt)
        if body is None:
            continue
        own = json.loads(body).get("roles") or []
        roles = server.if_granted(f"{path}/api/roles", interrupt)
        if roles is not None:
            try:
                return Account(sides=(of_opensearch(json.loads(roles), own),))
            except KeyError:
                pass
        return Account(keeps_back=True)
    return Account()


def _account_of_key(server: Server, product: Product, interrupt: Interrupt) -> Account:
    body = server.if_granted("/_security/_authenticate", interrupt)
    if body is None:
        return Account()
    key = json.loads(body).get("api_key", {}).get("id")
    if key and product.number >= _KEYS_TELL:
        said = server.if_granted(f"/_security/api_key?id={key}&with_limited_by=true", interrupt)
        if said is not None:
            try:
                return Account(sides=tuple(of_key(json.loads(said))))
            except ValueError:
                pass
    return Account(keeps_back=True)


def _denied(server: Server, names: Sequence[str], interrupt: Interrupt) -> frozenset[str]:
    """Of these indices, those that Elasticsearch says this account may not read."""
    if not names:
        return frozenset()
    body = {"index": [{"names": names, "privileges": _NEEDED}]}
    answer = server.json(
        "POST",
        "/_security/user/_has_privileges",
        body=json.dumps(body).encode(),
        interrupt=interrupt,
    )
    listed: Mapping[str, Mapping[str, Any]] = answer.get("index", {})
    return frozenset(name for name in names if not all(listed.get(name, {"": True}).values()))
