"""`python -m dumpers`: the entry point of the dumper images."""

import gc
import logging
import os
import signal
import sys
import traceback

# A container's first process ignores signals that it does not handle yet. Held back while the
# modules load, they are not lost.
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))


def _run() -> None:
    """Do what the command line says; without a verb that is a dump, without loading click."""
    if len(sys.argv) > 1:
        from dumpers.cli.main import main  # noqa: PLC0415  see above

        main(prog_name="ksnapshot-dumper")
        return
    # What is loaded here stays: looking through it for garbage, many times over while it loads and
    # once more with all that comes later, takes a tenth of a small dump's CPU.
    gc.disable()
    from dumpers.cli import dump, process  # noqa: PLC0415  see above

    gc.freeze()
    gc.enable()
    process.configure_log()
    dump.dump()


if __name__ == "__main__":
    code = 1
    try:
        _run()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:  # noqa: BLE001  the process ends before the interpreter would tell
        traceback.print_exc()
    finally:
        # Threads that hang in a call to the store must not keep the process from ending.
        logging.shutdown()
        os._exit(code)
