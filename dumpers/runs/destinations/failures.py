"""Recording in each store that the run failed there."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import wait as wait_futures
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from dumpers.runs.destinations.destination import Destination
from dumpers.runs.failure import record_failure
from dumpers.storage.stores import Stores
from dumpers.storage.way_out import run_detached


@contextmanager
def recorded_failures(
    destinations: Mapping[str, Destination], stores: Stores, *, now: Callable[[], datetime]
) -> Iterator[None]:
    """Write the run's failed record where it failed: everywhere if the body raises.

    If it does not, in the stores that were given up, once the others have their manifests. Best
    effort, and only where a started record is and no manifest is known of, or seen: one whose
    answer got lost counts all the same.
    """

    def record(error: BaseException, item: Destination) -> None:
        own = stores.failures.get(item.name)
        storage = stores[item.name] if own is None else stores[item.name].given_up()
        record_failure(
            storage, item.run, own or error, now=now, may_be_committed=item.is_committing
        )

    try:
        yield
    except BaseException as error:
        begun = [item for item in destinations.values() if item.is_begun and not item.is_done]
        if stores.is_one:
            for item in begun:
                record(error, item)
        else:
            wait_futures([run_detached(partial(record, error, item)) for item in begun])
        raise
    for item in _given_up(destinations, stores):
        stores.clean_up(partial(record, stores.failures[item.name], item))


def _given_up(destinations: Mapping[str, Destination], stores: Stores) -> Iterable[Destination]:
    return (destinations[name] for name in stores.failures if destinations[name].is_begun)
