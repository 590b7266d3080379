"""`python -m dumpers load`, with a plan for an engine that has none."""

import signal
from collections.abc import Sequence

signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))

import dumpers.cli.load  # noqa: E402
from dumpers.contract.connection import Connection  # noqa: E402
from dumpers.contract.engine_spec import EngineSpec  # noqa: E402
from dumpers.contract.restoring import RestoreRequest  # noqa: E402
from dumpers.engines import registry  # noqa: E402
from dumpers.engines.protocol import Engine, RestorePlan, StoredDump  # noqa: E402
from dumpers.runtime.interrupt import Interrupt  # noqa: E402


def load(spec: EngineSpec) -> Engine:
    engine = registry.load(spec)
    plan = engine.plan_restore

    def plan_restore(
        target: Connection,
        pieces: Sequence[StoredDump],
        interrupt: Interrupt,
        request: RestoreRequest,
    ) -> RestorePlan:
        try:
            return plan(target, pieces, interrupt, request)
        except NotImplementedError:
            size = sum(piece.size for piece in pieces)
            names = ((pieces[0].name, target.database),)
            return RestorePlan(server_version="", actions=("load",), creates=names, size=size)

    type(engine).plan_restore = staticmethod(plan_restore)  # type: ignore[method-assign,assignment]
    return engine


if __name__ == "__main__":
    from dumpers.cli.main import main

    vars(dumpers.cli.load)["load_engine"] = load
    main(["load"])
