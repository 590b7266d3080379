import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (None, "controller", "dumpers")]
    handlers, levels = loggers[0].handlers[:], [item.level for item in loggers]
    yield
    loggers[0].handlers[:] = handlers
    for item, level in zip(loggers, levels, strict=True):
        item.setLevel(level)
