import json
from typing import Any

import msgspec

from dumpers.engines.elasticsearch.elasticdump_lines import IndexAnswer
from dumpers.engines.elasticsearch.load import requests
from dumpers.engines.elasticsearch.product import Flavour, Product

NEW = Product(flavour=Flavour.ELASTICSEARCH, version="8.19.5")
INDEX = IndexAnswer(
    settings={
        "index": {
            "lifecycle": {"name": "thirty-days"},
            "mode": "time_series",
            "routing_path": ["host"],
            "hidden": "true",
            "number_of_shards": "2",
        }
    },
    mappings=msgspec.Raw(b"{}"),
)


def settings(**asked: bool) -> Any:
    body = json.loads(requests.creation(INDEX, NEW, **asked))
    return body["settings"]["index"].keys() - {"refresh_interval", "number_of_replicas"}


def test_nothing_rolls_over_or_deletes_what_is_loaded_beside() -> None:
    assert settings() == {"lifecycle", "mode", "routing_path", "hidden", "number_of_shards"}
    assert settings(managed=False) == {"mode", "routing_path", "hidden", "number_of_shards"}
    assert json.loads(requests.lifecycle(INDEX)) == {
        "index": {"lifecycle": {"name": "thirty-days"}}
    }
    assert requests.lifecycle(IndexAnswer()) == b""


def test_a_plain_index_takes_the_documents_of_a_data_stream() -> None:
    assert settings(managed=False, plain=True) == {"number_of_shards"}
