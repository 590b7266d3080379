"""`python -m dumpers`: the entry point of the dumper images."""

import logging
import os
import sys

from dumpers.cli import main

if __name__ == "__main__":
    try:
        main(prog_name="ksnapshot-dumper")
    except SystemExit as stop:
        # Threads that hang in a call to the store must not keep the process from ending.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(stop.code if isinstance(stop.code, int) else 1)
