"""The stock elasticdump loads what is dumped, part by part."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.dumpers.elasticsearch.conftest import (
    Dump,
    dump,
    job,
    unwrapped,
)
from tests.integration.dumpers.elasticsearch.worlds import ODD, create, fill, fingerprint, put
from tests.testbed.databases.search import SearchServer, elasticdump

pytestmark = pytest.mark.parametrize(
    "server", ["elasticsearch-6", "elasticsearch-8", "opensearch-3"], indirect=True
)


class Loader:
    """elasticdump with a part of a dump; its exit status says little, so others count."""

    def __init__(self, server: SearchServer, parts: Dump, folder: Path) -> None:
        self.url = f"http://{server.host}:{server.port}"
        self.parts = parts
        self.folder = folder

    def load(self, name: str, index: str = "", *, line: bytes = b"", options: str = "") -> str:
        file = self.folder / f"{name}.jsonl"
        file.write_bytes(line or self.parts[name][0])
        where = f"{self.url}/{quote(index, safe='')}" if index else self.url
        command = [*elasticdump(), f"--input={file}", f"--output={where}"]
        command += [f"--type={name}", "--limit=1000", *options.split()]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        return said

    def only(self, name: str, index: str) -> bytes:
        """The line of one index, as elasticdump wrote it for one."""
        whole = unwrapped(self.parts[name][0])
        text = json.dumps({index: whole[index]})
        return (json.dumps(text) + "\n").encode()


def test_one_index_and_its_part_files_as_they_are(server: SearchServer, tmp_path: Path) -> None:
    create(server, "books", shards=2, aliases=True)
    # elasticdump parses and prints anew, so these are numbers that it does not change.
    for number in range(50):
        put(server, "books", f"é {number}", f'{{"n":{number},"name":"Zoë \\" 🐘"}}', routing="r")
    server.ask("POST", "/books/_refresh")
    before = fingerprint(server)
    _, parts = dump(job(server))
    server.ask("DELETE", "/books")
    loader = Loader(server, parts, tmp_path)
    for name in ("settings", "mapping", "data", "alias"):
        loader.load(name, "books")
    assert _as_told(fingerprint(server)) == _as_told(before)
    _, again = dump(job(server))
    assert sorted(again["data"][0].splitlines()) == sorted(parts["data"][0].splitlines())


def test_several_indices_and_what_is_around_them(server: SearchServer, tmp_path: Path) -> None:
    fill(server)
    before = fingerprint(server)
    choice = {"KSNAPSHOT_INDICES": f"books,nothing,many,{ODD}"}
    _, parts = dump(job(server, **choice))
    server.clear()
    loader = Loader(server, parts, tmp_path)
    kinds = ["template"]
    if server.name != "elasticsearch-6":
        kinds += ["component_template", "index_template"]
    if server.name == "elasticsearch-6":
        kinds += ["policy"]
    if server.is_opensearch:
        kinds += ["script"]
    for kind in kinds:
        loader.load(kind)
    for index in ("books", "nothing", "many", ODD):
        loader.load("settings", index, line=_without_pipeline(loader.only("settings", index)))
    loader.load("mapping")
    # Without an index in its URL, elasticdump writes names into URLs as they are.
    odd = unwrapped(parts["mapping"][0])[ODD]
    loader.load("mapping", ODD, line=json.dumps({ODD: odd}).encode() + b"\n")
    loader.load("data", options="--support-big-int")
    loader.load("alias")
    for index, count in {"books": 30, "nothing": 0, "many": 2500, ODD: 1}.items():
        path = f"/{quote(index, safe='')}/_count"
        assert server.ask("GET", path)["count"] == count
    after = fingerprint(server)
    for name in ("templates", "index_template", "component_template"):
        assert after[name] == before[name]
    for index in ("books", "nothing", "many", ODD):
        assert after[index]["mappings"] == before[index]["mappings"]
        assert after[index]["aliases"] == before[index]["aliases"]


def _as_told(found: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: found[name] for name in ("books", "templates")}


def _without_pipeline(line: bytes) -> bytes:
    value = json.loads(json.loads(line))
    for index in value.values():
        index["settings"]["index"].pop("default_pipeline", None)
    return (json.dumps(json.dumps(value)) + "\n").encode()
