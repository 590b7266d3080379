"""Services that keep some APIs for themselves, and security that only its own API tells of."""

import json

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.engines.elasticsearch.engine import ENGINE
from dumpers.engines.protocol import SourceInfo
from dumpers.runtime.errors import SourceRefusedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.elasticsearch.conftest import Dump, dump, job
from tests.testbed.databases.search import SearchServer
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Rule, Status
from tests.testbed.proxies.http_faults import HttpProxy

pytestmark = pytest.mark.parametrize("server", ["opensearch-3"], indirect=True)
# What a dump asks for besides indices and documents.
_KEPT = "/_cluster/|/_ingest/|/_template|/_plugins/|/_alias"
_REFUSALS = {
    "a service of AWS": Status(401, b'{"Message":"Your request: \'/_x\' is not allowed."}'),
    "serverless": Status(
        410,
        b'{"error":{"root_cause":[{"type":"api_not_available_exception","reason":"Request for uri '
        b'[/_x] exists but is not available when running in serverless mode"}]},"status":410}',
    ),
    "serverless, before": Status(
        404,
        b'{"error":"Request for uri [/_x] with method [GET] exists but is not available when '
        b'running in serverless mode"}',
    ),
    "a proxy": Status(403, b"<html>no</html>"),
}


@pytest.fixture
def proxy(server: SearchServer, faults: Faults) -> HttpProxy:
    for name in ("tenants", "orders"):
        server.bulk(name, {f"{number}": '{"n":1}' for number in range(10)})
    return faults.http(server.port)


def dumped(server: SearchServer, proxy: HttpProxy, **changes: str) -> tuple[SourceInfo, Dump]:
    where = {"ELASTICSEARCH_PORT": str(proxy.port), "ELASTICSEARCH_TLS": "disable"}
    return dump(job(server, **where, **changes))


@pytest.mark.parametrize("refusal", _REFUSALS.values(), ids=_REFUSALS)
def test_apis_that_are_kept_back(server: SearchServer, proxy: HttpProxy, refusal: Status) -> None:
    proxy.set(Rule(refusal, path=_KEPT))
    source, parts = dumped(server, proxy)
    assert parts["data"][1] == {"documents": {"orders": 10, "tenants": 10}}
    [note] = source.notes
    assert note.code is NoteCode.UNREADABLE
    assert "stored scripts" in note.objects


def test_an_index_that_is_blocked_meanwhile(server: SearchServer, proxy: HttpProxy) -> None:
    reason = "index [orders] blocked by: [FORBIDDEN/7/index read (api)];"
    error = {"type": "cluster_block_exception", "reason": reason}
    body = json.dumps({"error": {"root_cause": [error], **error}, "status": 403})
    proxy.set(Rule(Status(403, body.encode()), path="/point_in_time"))
    with pytest.raises(SourceRefusedError, match=r"index read \(api\).*Take the block away"):
        dumped(server, proxy)


def _security(roles: Status) -> list[Rule]:
    own = {"user_name": "half", "roles": ["half", "own_index"]}
    return [
        Rule(Status(200, json.dumps(own).encode()), path="/_plugins/_security/authinfo"),
        Rule(roles, path="/_plugins/_security/api/roles"),
    ]


def test_roles_of_opensearch(server: SearchServer, proxy: HttpProxy) -> None:
    half = {"index_permissions": [{"index_patterns": ["ten*"], "dls": "{}", "fls": ["a"]}]}
    roles = json.dumps({"half": half, "own_index": {}}).encode()
    proxy.set(*_security(Status(200, roles)))
    source, _ = dumped(server, proxy, KSNAPSHOT_INDICES="tenants,orders")
    assert [(note.code, note.objects) for note in source.notes] == [
        (NoteCode.ROW_SECURITY, ("tenants",)),
        (NoteCode.ROW_SECURITY, ("tenants",)),
    ]


def test_roles_that_opensearch_does_not_tell(server: SearchServer, proxy: HttpProxy) -> None:
    shards = {"total": 1, "successful": 1, "failed": 0}
    counted = [
        {"_shards": shards, "hits": {"total": {"value": count}}, "status": 200} for count in (10, 5)
    ]
    proxy.set(
        *_security(Status(403, b"{}")),
        Rule(Status(200, json.dumps({"responses": counted}).encode()), path="/_msearch"),
    )
    source, _ = dumped(server, proxy, KSNAPSHOT_INDICES="tenants,orders")
    assert [(note.code, note.objects) for note in source.notes] == [
        (NoteCode.ROW_SECURITY, ()),
        (NoteCode.ROW_SECURITY, ("tenants",)),
    ]


_NOT_BY_BODY = Status(
    400,
    b'{"error":{"root_cause":[{"type":"illegal_argument_exception","reason":"explicit index in '
    b'multi search is not allowed"}]},"status":400}',
)


def test_indices_that_may_not_be_named_in_a_body(server: SearchServer, proxy: HttpProxy) -> None:
    few = {
        "_shards": {"total": 1, "successful": 1, "failed": 0},
        "hits": {"total": {"value": 5}},
    }
    proxy.set(
        *_security(Status(403, b"{}")),
        Rule(_NOT_BY_BODY, path="/_msearch"),
        Rule(Status(200, json.dumps(few).encode()), path=r"/tenants/_search\?size=0"),
    )
    source, _ = dumped(server, proxy, KSNAPSHOT_INDICES="tenants,orders")
    assert [(note.code, note.objects) for note in source.notes] == [
        (NoteCode.ROW_SECURITY, ()),
        (NoteCode.ROW_SECURITY, ("tenants",)),
    ]


def test_indices_that_cannot_be_counted_are_told_of(server: SearchServer, proxy: HttpProxy) -> None:
    proxy.set(
        *_security(Status(403, b"{}")),
        Rule(_NOT_BY_BODY, path="/_msearch"),
        Rule(_NOT_BY_BODY, path=r"/tenants/_search\?size=0"),
    )
    source, parts = dumped(server, proxy, KSNAPSHOT_INDICES="tenants,orders")
    assert parts["data"][1] == {"documents": {"orders": 10, "tenants": 10}}
    notes = {note.objects: note.text for note in source.notes}
    assert "could not be counted" in notes["tenants",]


def test_an_index_that_opensearch_does_not_let_read(server: SearchServer, proxy: HttpProxy) -> None:
    refused = {"error": {"type": "security_exception"}, "status": 403}
    answers = [{"status": 200}, refused]
    proxy.set(
        *_security(Status(403, b"{}")),
        Rule(Status(200, json.dumps({"responses": answers}).encode()), path="/_msearch"),
    )
    source, parts = dumped(server, proxy, KSNAPSHOT_INDICES="*")
    assert parts["data"][1] == {"documents": {"orders": 10}}
    unreadable = [note for note in source.notes if note.code is NoteCode.UNREADABLE]
    assert [note.objects for note in unreadable] == [("tenants",)]


def test_parts_of_documents_are_no_hidden_documents(server: SearchServer, proxy: HttpProxy) -> None:
    server.ask("PUT", "/parts", {"mappings": {"properties": {"p": {"type": "nested"}}}})
    server.bulk("parts", {"1": '{"p":[{"a":1},{"a":2}]}'})
    proxy.set(*_security(Status(403, b"{}")))
    source, _ = dumped(server, proxy, KSNAPSHOT_INDICES="parts,orders")
    assert [note.objects for note in source.notes] == [()]


def test_a_survey_is_a_handful_of_questions(server: SearchServer, proxy: HttpProxy) -> None:
    for number in range(20):
        server.ask("PUT", f"/empty-{number}")
    where = {"ELASTICSEARCH_PORT": str(proxy.port), "ELASTICSEARCH_TLS": "disable"}
    with ENGINE.open(job(server, **where), Interrupt()):
        pass
    assert len(proxy.seen()) < 25
