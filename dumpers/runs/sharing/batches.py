"""Cutting the streams of a shard into batches, after each of which what is stored is recorded."""

from collections.abc import Sequence

from dumpers.engines.protocol import DumpStream

# A record costs three requests, and the proofs of what is in it up to a log's interval: a batch has
# a tenth of the bytes, and is not smaller than this.
_SHARE, _LEAST = 10, 8 << 20


def cut(streams: Sequence[DumpStream]) -> list[list[DumpStream]]:
    """Cut streams into batches, all of them in their order; none are empty.

    What a pod loses when it is killed is one batch at most, which holds more than a tenth of the
    bytes only by its last stream.
    """
    size = max(sum(stream.estimate for stream in streams) // _SHARE, _LEAST)
    batches, held = list[list[DumpStream]](), 0
    for stream in streams:
        if not batches or held >= size:
            batches.append([])
            held = 0
        batches[-1].append(stream)
        held += stream.estimate
    return batches
