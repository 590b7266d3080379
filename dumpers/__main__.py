"""`python -m dumpers`: the entry point of the dumper images."""

import logging
import os
import signal

# A container's first process ignores signals that it does not handle yet. Held back while the
# modules load, they are not lost.
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))

from dumpers.cli.main import main  # noqa: E402  see above

if __name__ == "__main__":
    code = 1
    try:
        main(prog_name="ksnapshot-dumper")
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    finally:
        # Threads that hang in a call to the store must not keep the process from ending.
        logging.shutdown()
        os._exit(code)
