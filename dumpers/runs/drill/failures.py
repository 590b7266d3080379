"""Which failures of a drill say something of the backup, and which of the server that it ran on.

Where nobody knows, the backup did not load, which is never good: a later drill that does well
outweighs that.
"""

import re
from collections.abc import Mapping

from dumpers.contract.connection import Connection
from dumpers.engines.protocol import Engine
from dumpers.runs.drill.chosen import choosing_options
from dumpers.runs.restore.exchange.channel import BrokenExchangeError
from dumpers.runtime.errors import (
    DrillNotLoadedError,
    DrillServerFailedError,
    DrillServerUnfitError,
    KsnapshotError,
    NotDrillableError,
    TargetFailedError,
    TargetRefusedError,
)
from dumpers.runtime.interrupt import Interrupt

# Names and values in what servers say, which may read as anything; kept is what Elasticsearch says
# in JSON. MySQL does not double a quote within: the last one is followed by no letter.
_QUOTED = re.compile(
    r"""(?P<kept>"(?:type|reason)":\s?"(?:[^"\\]|\\.)*")"""
    r"""|near '.*?' at line \d+|(?<!\w)'.*?'(?!\w)|"(?:[^"]|"")*"|`(?:[^`]|``)*`""",
    re.DOTALL,
)
# What servers and tools say where they have no room, no memory, or go away.
_IN_NEED = re.compile(
    r"no space left|disk (?:is )?full|could not (?:extend|write to) file|not enough space"
    r"|out of memory|cannot allocate memory|memory limit (?:\([^)]*\) )?exceeded"
    r"|\b(?:MEMORY_LIMIT_EXCEEDED|NOT_ENOUGH_SPACE|ENOSPC|TIMEOUT_EXCEEDED|SOCKET_TIMEOUT)\b"
    r"|table '' is full|\b(?:errcode|errno|error):? 28\b|quota exceeded"
    r"|flood[- ]stage|exceeded .{0,40}watermark|disk watermark"
    r"|too many open files|could not resize shared memory|circuit_breaking_exception"
    r"|was killed|by signal 9\b|server closed the connection|lost connection|gone away"
    r"|connection (?:was )?(?:refused|reset|lost|closed|aborted)|broken pipe"
    r"|\b(?:timed out|time-?out)\b|timeout_exception|terminating connection"
    r"|the database system is|(?:host|network)(?: is)? unreachable|no route to host"
    r"|(?:does|did) not answer|cannot (?:connect|start)|can't connect",
    re.IGNORECASE,
)
# What PostgreSQL says where a load reads from elsewhere, as for a materialized view.
_FAR = re.compile(r"could not connect to server ''|could not establish connection\b")
# What servers say of something that their image lacks, and another may have.
_LACKING = re.compile(
    r"extension \S+ is not available|could not open extension control file"
    r"|has no installation script|could not access file|could not load library"
    r"|could not find function .* in file|shared_preload_libraries|must be (?:pre)?loaded"
    r"|can only create extension in database|could not open dictionary file"
    # A parser of a full-text index, the key of encrypted tables.
    r"|function '' is not defined|can't find master key from keyring"
    # A tablespace, a kind of table, a way to compress: dumps set hardly anything else.
    r"|invalid value for parameter ''"
    r"|invalid (?:locale|LC_)|collation .* for encoding .* does not exist"
    r"|could not create locale|ICU (?:locale|is not supported)|not supported in this build"
    r"|unknown storage engine|plugin .* is not loaded|unknown collation|unknown character set"
    r"|unknown (?:analyzer|tokenizer|filter) type|analysis.*not found",
    re.IGNORECASE,
)
# What servers say of something that a dump names and does not hold.
_ABSENT = re.compile(r"does not exist|doesn't exist|not found|unknown|no such", re.IGNORECASE)
_ASK_SECONDS = 30.0


def server_failure(error: KsnapshotError) -> KsnapshotError:
    """A failure of the server, or of what stands between; the backup is not judged."""
    if isinstance(error, BrokenExchangeError):
        return error
    return DrillServerFailedError(
        f"{error}; the backup is not judged by that: see the log of the container `server` of this "
        "pod, its memory, and the room that the drill has"
    )


def unfit(error: KsnapshotError) -> KsnapshotError:
    """A server that the backup cannot be tried on; the backup is not judged."""
    return DrillServerUnfitError(
        f"{error}; the backup is not judged by that: drill it on an image that is as the "
        "workload's own server"
    )


def judge_restore(
    error: TargetFailedError | TargetRefusedError,
    engine: Engine,
    server: Connection,
    options: Mapping[str, str],
    interrupt: Interrupt,
) -> KsnapshotError:
    """What a restore that failed shows; `options` are those of the dump.

    The server's failure where it says so or is gone, its unfitness where it lacks something. A
    backup of chosen parts may need what it does not hold, and one may read from another server:
    that is not drillable. Else it is the verdict that the backup does not load.
    """
    said = _QUOTED.sub(lambda found: found["kept"] or "''", str(error))
    if known := _known(error, said):
        return known
    interrupt.check()
    try:
        engine.inspect(server, Interrupt(_ASK_SECONDS, work="look at the server", is_part=True))
    except KsnapshotError:
        return server_failure(error)
    if _ABSENT.search(said) and (choosing := choosing_options(options)):
        return NotDrillableError(
            f"the backup holds what was chosen of its database ({', '.join(choosing)}), "
            f"and does not load by itself, into an empty server: {error}"
        )
    return DrillNotLoadedError(f"the backup did not load: {error}")


def _known(error: TargetFailedError | TargetRefusedError, said: str) -> KsnapshotError | None:
    """What an error means by its words alone, if that is clear."""
    if isinstance(error, BrokenExchangeError):
        return server_failure(error)
    if _FAR.search(said):
        return NotDrillableError(
            "the backup reads from another server while it loads, as for a materialized view of "
            f"foreign tables, and a drill reaches none: {error}"
        )
    if _IN_NEED.search(said):
        return server_failure(error)
    return unfit(error) if _LACKING.search(said) else None
