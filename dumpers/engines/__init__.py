"""The engines that ksnapshot knows; a new one is added to ENGINES.

Importing this package brings facts only. The work of an engine lies in its `dump` module and is
imported by `load`, in the job that does it.
"""

from importlib import import_module
from typing import cast

from dumpers.engines import postgresql
from dumpers.engines.base import Engine
from dumpers.engines.facts import EngineFacts

ENGINES: tuple[EngineFacts, ...] = (postgresql.FACTS,)


def find(type_: str) -> EngineFacts | None:
    """Facts of the engine that an annotation or image names; None if there is no such engine."""
    return next((engine for engine in ENGINES if engine.type == type_), None)


def load(facts: EngineFacts) -> Engine:
    """Import the work of an engine; only a dump job does this."""
    return cast("Engine", import_module(f"dumpers.engines.{facts.type}.dump").ENGINE)
