"""Plugins that an index needs, and whether the cluster's nodes have them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dumpers.engines.elasticsearch.load.contents import Item
from dumpers.engines.elasticsearch.load.target import Target
from dumpers.engines.elasticsearch.survey.limits import flat
from dumpers.engines.names import abbreviate

# What begins so in settings and mappings comes with a plugin, by the plugin's name.
_PLUGINS = {
    "icu_": "analysis-icu",
    "kuromoji": "analysis-kuromoji",
    "nori": "analysis-nori",
    "smartcn": "analysis-smartcn",
    "polish_stem": "analysis-stempel",
    "ukrainian": "analysis-ukrainian",
    "phonetic": "analysis-phonetic",
    "beider_morse": "analysis-phonetic",
    "murmur3": "mapper-murmur3",
    "annotated_text": "mapper-annotated-text",
}


def missing_plugins(to: Target, items: Sequence[Item]) -> Iterator[str]:
    """Plugins that indices need and no node has; nothing where the cluster does not say."""
    needed = {
        plugin: item.name
        for item in items
        for word in _words(item)
        for begin, plugin in _PLUGINS.items()
        if word.startswith(begin)
    }
    if not needed:
        return
    body = to.server.if_granted("/_nodes/plugins", to.interrupt)
    nodes: Mapping[str, Any] = json.loads(body).get("nodes", {}) if body is not None else {}
    for plugin, index in needed.items():
        without = [
            node.get("name", "")
            for node in nodes.values()
            if plugin
            not in {one["name"] for one in (*node.get("plugins", ()), *node.get("modules", ()))}
        ]
        if without:
            yield f"{index} needs the plugin {plugin}, which {abbreviate(without)} has not"


def _words(item: Item) -> Iterator[str]:
    """The types that the index's analysis and its fields are made of, but for its own."""
    analysis = item.answer.settings.get("index", {}).get("analysis", {})
    mappings = json.loads(bytes(item.answer.mappings) or b"{}")
    own = {name for kind in analysis.values() if isinstance(kind, Mapping) for name in kind}
    for name, value in (*flat(analysis), *flat(mappings)):
        last = name.rpartition(".")[2]
        listed = value if isinstance(value, list) else [value]
        if last in {"type", "tokenizer", "analyzer", "filter", "char_filter"}:
            yield from (one for one in listed if isinstance(one, str) and one not in own)
