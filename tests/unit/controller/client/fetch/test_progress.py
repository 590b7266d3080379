import io
import logging

from controller.client.fetch.progress import FetchProgress, remarks_on
from controller.client.terminal.screen import Screen
from dumpers.runtime.log import fields


def test_how_far_it_is_is_told_now_and_then() -> None:
    moments = iter([0.0, 4.0, 20.0, 21.0])
    written = io.StringIO()
    progress = FetchProgress(Screen(written), 100 << 20, lambda: next(moments))
    progress.begin("shop.sql")
    progress.count(10 << 20)
    assert written.getvalue() == ""
    progress.count(10 << 20)
    progress.count(1)
    assert written.getvalue() == ("shop.sql  0:20  20 MiB of 100 MiB  1.0 MiB/s  about 80 s left\n")


def test_waits_for_the_store_are_shown() -> None:
    written = io.StringIO()
    logger = logging.getLogger("dumpers.storage.patience")
    with remarks_on(Screen(written)):
        logger.warning("waiting for the store", extra=fields(why="it is away"))
    logger.debug("not any more")
    [line] = written.getvalue().splitlines()
    assert line.endswith("waiting for the store  why=it is away")
