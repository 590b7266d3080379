"""A dump of Elasticsearch or OpenSearch over a bare parallel reader, and over elasticdump.

    python -m benchmarks.search [--server opensearch-3] [--mib 1024] [--large 0] [--rounds 7]

All in one run, of the same index, in turns. The bare reader asks for the same slices and pages and
throws them away. `--large` makes so many documents of 10 MB instead of small ones; elasticdump is
left out then. `--against FOLDER` measures another work tree in elasticdump's place. Prints one JSON
document; ratios are those of pairs, with median, lowest and highest, the peak is the dumper's own.
"""

import argparse
import http.client
import json
import os
import re
import statistics
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyrage

from benchmarks import pairs
from benchmarks.processes import Run, backend, run, say
from dumpers.engines.elasticsearch.indices import Index
from dumpers.engines.elasticsearch.product import Flavour, Product
from dumpers.engines.elasticsearch.read.documents import PARALLEL
from dumpers.engines.elasticsearch.read.point_in_time import slices
from tests.testbed.databases import search
from tests.testbed.dumper import SEARCH_IMAGE_ENV
from tests.testbed.stores import s3

ROOT = Path(__file__).resolve().parents[1]
_INDEX, _PAGE = "bench", 1000
_SORT = re.compile(rb'"sort":\[(\d+)\]\}\]')
_END = 1 << 62


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--server", default="opensearch-3")
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--large", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--against", type=Path, metavar="FOLDER")
    parser.add_argument("--bare", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        _read(options.bare, options.server)
        return
    with (
        search.start(options.server, heap="1g") as server,
        s3.start(tls=True) as store,
        tempfile.TemporaryDirectory() as folder,
    ):
        _fill(server, mib=options.mib, shards=options.shards, large=options.large)
        job = {
            "PATH": os.environ["PATH"],
            "KSNAPSHOT_ENGINE": "elasticsearch",
            "KSNAPSHOT_TERMINATION_LOG": f"{folder}/result",
            **backend(store),
            **SEARCH_IMAGE_ENV,
            "ELASTICSEARCH_HOST": server.host,
            "ELASTICSEARCH_PORT": str(server.port),
            "ENCRYPTION_ENABLED": "true",
            "ENCRYPTION_RECIPIENT": str(pyrage.x25519.Identity.generate().to_public()),
            "HOSTNAME": "bench",
        }
        path = {"PATH": os.environ["PATH"], "HOME": folder}
        bare = [sys.executable, "-m", "benchmarks.search", f"--server={options.server}"]
        commands = {
            "bare": ([*bare, f"--bare={server.port}"], path, ROOT),
            "ours": (dumper := [sys.executable, "-m", "dumpers"], job, ROOT),
        }
        if options.against:
            commands["against"] = (dumper, job, options.against)
        elif not options.large:
            source = f"--input=http://{server.host}:{server.port}/{_INDEX}"
            dump = [*search.elasticdump(), source, "--output=$", "--type=data"]
            commands["elasticdump"] = ([*dump, f"--limit={_PAGE}", "--quiet"], path, ROOT)
        load = pairs.load()
        runs: dict[str, list[Run]] = {name: [] for name in commands}
        for number in range(options.rounds + 1):
            say(f"round {number} of {options.rounds}" if number else "warming up")
            for name, command in commands.items():
                # elasticdump's figures do not need a server that is warm.
                if number or name != "elasticdump":
                    made = run(*command)
                    if number:
                        runs[name].append(made)
        result = json.loads(Path(folder, "result").read_text())
    document: dict[str, Any] = {
        "load": load,
        "server": options.server,
        "source_mib": round(result["source_bytes"] / 2**20),
        "seconds": {
            name: round(statistics.median(one.wall for one in made), 2)
            for name, made in runs.items()
        },
        "speed_over_bare": pairs.wall(runs["bare"], runs["ours"]),
        "dumper_peak_mib": round(max(one.peak for one in runs["ours"]) / 2**10),
    }
    if "elasticdump" in runs:
        document["elasticdump_over_ours"] = pairs.wall(runs["elasticdump"], runs["ours"])
    if options.against:
        document["over_against"] = pairs.costs(runs["ours"], runs["against"])
    print(json.dumps(document, indent=2))


def _fill(server: search.SearchServer, *, mib: int, shards: int, large: int) -> None:
    mapping = {"dynamic": False, "properties": {"at": {"type": "date"}}}
    settings = {"number_of_shards": shards, "number_of_replicas": 0, "refresh_interval": "-1"}
    server.ask("PUT", f"/{_INDEX}", {"settings": settings, "mappings": mapping})
    if large:
        for number in range(large):
            text = f"{number:08d} " * (10 * 2**20 // 9)
            server.bulk(_INDEX, {f"{number}": f'{{"text":"{text}"}}'})
    else:
        source = (
            '{{"id":{0},"at":"2026-01-01T00:00:{1:02d}Z","account":{2},"what":"updated an item of '
            'the catalogue","tags":["a","b"],"token":"{2:x}{0:x}","price":{1}.50}}'
        )
        count = mib * 2**20 // 200
        for start in range(0, count, 20_000):
            numbers = range(start, min(count, start + 20_000))
            server.bulk(
                _INDEX,
                {f"{n}": source.format(n, n % 60, n * 7919 % 1000003) for n in numbers},
                chunk=5000,
            )
    server.ask("POST", f"/{_INDEX}/_forcemerge?max_num_segments=5")


def _read(port: int, name: str) -> None:
    """Read the index as the dumper does, and do nothing with it."""
    flavour = Flavour.OPENSEARCH if name.startswith("opensearch") else Flavour.ELASTICSEARCH
    product = Product(flavour=flavour, version=search.RELEASES[name].version)
    opening = "_search/point_in_time" if product.is_opensearch else "_pit"
    opened = json.loads(_post(port, f"/{_INDEX}/{opening}?keep_alive=10m", b""))
    point = opened.get("pit_id") or opened["id"]
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", f"/_cat/indices/{_INDEX}?format=json&bytes=b")
    [listed] = json.loads(connection.getresponse().read())
    index = Index(name=_INDEX, shards=int(listed["pri"]), size=int(listed["pri.store.size"]))
    many = slices(index, PARALLEL)
    body = {
        "size": _PAGE,
        "pit": {"id": point, "keep_alive": "10m"},
        "sort": [product.order],
        "track_total_hits": False,
    }
    parts: list[tuple[Mapping[str, object], int, int]] = []
    if product.slices_by_number:
        parts = [(_sliced(body, n, many), 0, _END) for n in range(many)]
    else:
        for shard in range(index.shards):
            own = _sliced(body, shard, index.shards)
            last = {**own, "size": 1, "sort": [{product.order: "desc"}]}
            found = _SORT.search(_post(port, "/_search", json.dumps(last).encode()))
            assert found
            each = many // index.shards
            ends = [int(found[1]) * n // each for n in range(each)] + [_END]
            parts += [(own, ends[n], ends[n + 1]) for n in range(each)]
    threads = [threading.Thread(target=_read_slice, args=(port, *part)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _sliced(body: Mapping[str, object], number: int, many: int) -> Mapping[str, object]:
    return {**body, "slice": {"id": number, "max": many}} if many > 1 else body


def _read_slice(port: int, body: Mapping[str, object], after: int, end: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    text = json.dumps(body).encode()
    while after < end:
        asked = text[:-1] + b',"search_after":[%d]}' % after if after else text
        connection.request("POST", "/_search", asked, {"Content-Type": "application/json"})
        page = connection.getresponse().read()
        last = _SORT.search(page, max(0, len(page) - 200))
        after = int(last[1]) if last else end


def _post(port: int, path: str, body: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    return connection.getresponse().read()


if __name__ == "__main__":
    main()
