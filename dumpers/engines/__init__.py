"""The engines that ksnapshot knows; a new one is added to ENGINES.

Importing this package brings facts only. The work of an engine lies in its `dump` module and is
imported by `load`, in the job that does it.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import cast

from dumpers.engines import clickhouse, elasticsearch, mysql, postgresql
from dumpers.engines.base import Engine
from dumpers.engines.facts import EngineFacts
from dumpers.runtime.errors import ConfigurationError

ENGINES: tuple[EngineFacts, ...] = (
    mysql.FACTS,
    postgresql.FACTS,
    elasticsearch.FACTS,
    clickhouse.FACTS,
)


def find(type_: str) -> EngineFacts | None:
    """Facts of the engine that an annotation or image names; None if there is no such engine."""
    return next((engine for engine in ENGINES if engine.type == type_), None)


def load(facts: EngineFacts) -> Engine:
    """Import the work of an engine; only a dump job does this.

    ConfigurationError for an engine that this version knows and cannot dump yet.
    """
    name = f"{__name__}.{facts.type}.dump"
    if find_spec(name) is None:
        raise ConfigurationError(f"this version cannot dump {facts.title} yet: use a newer image")
    return cast("Engine", import_module(name).ENGINE)
