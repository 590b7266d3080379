"""The pipes between a tool and us: few switches between the two, and few small reads."""

import contextlib
import fcntl
import struct
import termios
import time

PIPE_BYTES = 1 << 20
# In such a time no tool fills the pipe, so that it never waits for us.
_MOMENT = 0.001
_COUNT = struct.Struct("i")


def widen_pipe(descriptor: int) -> bool:
    """Make the pipe larger; False where the kernel does not grant it."""
    with contextlib.suppress(OSError):
        return fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES) >= PIPE_BYTES
    return False


def let_fill(descriptor: int, wanted: int) -> None:
    """Let a tool write for a moment longer where fewer than `wanted` bytes wait in a wide pipe.

    Tools write a few KiB at a time. Read one by one, as they come from a tool that is slower than
    we are, each would be handed through all stages by itself.
    """
    [waiting] = _COUNT.unpack(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(_COUNT.size)))
    if waiting < wanted:
        time.sleep(_MOMENT)
