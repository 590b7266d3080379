"""Logins and TLS, of the server itself and of a real proxy in front of one."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dumpers.engines.elasticsearch import login
from dumpers.runtime.errors import (
    DUMP_ERRORS,
    KsnapshotError,
    SourceFailedError,
    SourceRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.elasticsearch.conftest import Servers, dump, env, job
from tests.integration.dumpers.elasticsearch.worlds import create, put
from tests.testbed.databases import search
from tests.testbed.databases.search import SearchServer
from tests.testbed.proxies import search_front
from tests.testbed.toolchain import pki, scratch
from tests.testbed.toolchain.pki import Authority


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    folder = scratch.make("pki")
    yield pki.authority(folder / "own")
    scratch.remove(folder)


@pytest.fixture
def server(servers: Servers) -> Iterator[SearchServer]:
    started = servers("opensearch-3")
    started.clear()
    create(started, "books")
    put(started, "books", "1", "{}")
    started.ask("POST", "/books/_refresh")
    yield started
    started.clear()


def refused(changes: dict[str, str], server: SearchServer) -> KsnapshotError:
    with pytest.raises(SourceRefusedError) as caught:
        dump(job(server, **changes))
    return caught.value


def test_password_and_tls_of_a_proxy(server: SearchServer, authority: Authority) -> None:
    pair = authority.server("front", ["127.0.0.1"])
    with search_front.start(server.port, tls=pair, login=True) as front:
        good = {
            "ELASTICSEARCH_PORT": str(front.port),
            "ELASTICSEARCH_USERNAME": front.user,
            "ELASTICSEARCH_PASSWORD": front.password,
            "ELASTICSEARCH_CA_FILE": str(authority.pair.cert),
        }
        for mode in ("", "verify-full", "verify-ca", "require"):
            _, parts = dump(job(server, **good, ELASTICSEARCH_TLS=mode))
            assert parts["data"][1] == {"documents": {"books": 1}}
        said = str(refused({**good, "ELASTICSEARCH_PASSWORD": "wr0ng"}, server))
        assert "401" in said
        assert "wr0ng" not in said
        assert "401" in str(refused({**good, "ELASTICSEARCH_USERNAME": ""}, server))
        # TLS is found out, and then nothing but a good certificate will do.
        said = str(refused({**good, "ELASTICSEARCH_CA_FILE": ""}, server))
        assert "ca-secret" in said
        said = str(refused({**good, "ELASTICSEARCH_HOST": "localhost"}, server))
        assert "certificate" in said
        with pytest.raises((SourceFailedError, SourceRefusedError)):
            dump(job(server, **good, ELASTICSEARCH_TLS="disable"))


def test_plain_http_is_found_out_and_not_taken_where_tls_is_asked_for(
    server: SearchServer, authority: Authority
) -> None:
    dump(job(server))
    for changes in (
        {"ELASTICSEARCH_TLS": "require"},
        {"ELASTICSEARCH_CA_FILE": str(authority.pair.cert)},
    ):
        with pytest.raises(SourceFailedError, match=r"SSL|Connection"):
            dump(job(server, **changes))


def test_an_api_key(server: SearchServer) -> None:
    with search_front.start(server.port, api_key=True) as front:
        where = {"ELASTICSEARCH_PORT": str(front.port)}
        dump(job(server, **where, ELASTICSEARCH_API_KEY=front.api_key))
        assert "401" in str(refused({**where, "ELASTICSEARCH_API_KEY": "wrong"}, server))
        assert "401" in str(refused(where, server))


def test_a_certificate_of_our_own(server: SearchServer, authority: Authority) -> None:
    own = authority.client("dump", "dump")
    pair = authority.server("mutual", ["127.0.0.1"])
    with search_front.start(server.port, tls=pair, clients=authority.pair.cert) as front:
        where = {
            "ELASTICSEARCH_PORT": str(front.port),
            "ELASTICSEARCH_CA_FILE": str(authority.pair.cert),
        }
        shown = {
            "ELASTICSEARCH_CLIENT_CERTIFICATE": own.cert.read_text(),
            "ELASTICSEARCH_CLIENT_KEY": own.key.read_text(),
        }
        _, parts = dump(job(server, **where, **shown))
        assert parts["data"][1] == {"documents": {"books": 1}}
        assert "400" in str(refused(where, server))


def test_the_servers_own_users_and_tls(authority: Authority, tmp_path: Path) -> None:
    pair = authority.server("node", ["127.0.0.1"])
    with search.start("elasticsearch-9", tls=pair) as server:
        create(server, "books")
        put(server, "books", "1", '{"n":1}')
        server.ask("POST", "/books/_refresh")
        # The bare distribution does not answer to `GET /`, so nothing can be dumped from it alone.
        connection = job(
            server,
            **env(server),
            ELASTICSEARCH_USERNAME=server.user,
            ELASTICSEARCH_PASSWORD=server.password,
            ELASTICSEARCH_CA_FILE=str(authority.pair.cert),
        ).connection
        with pytest.raises(SourceRefusedError, match="405"):
            login.connect(connection, errors=DUMP_ERRORS, interrupt=Interrupt())
        wrong = job(
            server,
            ELASTICSEARCH_USERNAME=server.user,
            ELASTICSEARCH_PASSWORD="wrong",
            ELASTICSEARCH_CA_FILE=str(authority.pair.cert),
        ).connection
        with pytest.raises(SourceRefusedError, match=r"401.*authenticate"):
            login.connect(wrong, errors=DUMP_ERRORS, interrupt=Interrupt())
        ended = replace(wrong, password=f"{server.password}\n")
        with pytest.raises(SourceRefusedError, match=r"401.*the password ends in a line end"):
            login.connect(ended, errors=DUMP_ERRORS, interrupt=Interrupt())
