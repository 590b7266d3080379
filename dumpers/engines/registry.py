"""The engines that ksnapshot knows; a new one is added to ENGINES.

Importing this module brings specs only. The work of an engine lies in its `engine` module, which
`load` imports in the job that does it.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from dumpers.contract.engine_spec import EngineSpec
from dumpers.engines.clickhouse.spec import SPEC as CLICKHOUSE
from dumpers.engines.elasticsearch.spec import SPEC as ELASTICSEARCH
from dumpers.engines.mysql.spec import SPEC as MYSQL
from dumpers.engines.postgresql.spec import SPEC as POSTGRESQL
from dumpers.runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from dumpers.engines.protocol import Engine

ENGINES: tuple[EngineSpec, ...] = (MYSQL, POSTGRESQL, ELASTICSEARCH, CLICKHOUSE)


def find(type_: str) -> EngineSpec | None:
    """Spec of the engine that an annotation or image names; None if there is no such engine."""
    return next((engine for engine in ENGINES if engine.type == type_), None)


def load(spec: EngineSpec) -> "Engine":
    """Import the work of an engine; only a dump job does this.

    ConfigurationError for an engine that this version knows and cannot dump yet.
    """
    name = f"dumpers.engines.{spec.type}.engine"
    if find_spec(name) is None:
        raise ConfigurationError(f"this version cannot dump {spec.title} yet: use a newer image")
    return cast("Engine", import_module(name).ENGINE)
