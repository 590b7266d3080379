import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dumpers.contract.restore.result import BackupResult
from dumpers.runtime.errors import ExitCode


def print_documents(
    documents: Iterable[Mapping[str, Any]], *, is_counted: Callable[[Mapping[str, Any]], bool]
) -> BackupResult:
    """Print one JSON document a line, and return a result with how many of them count."""
    count = 0
    for document in documents:
        print_document(document)
        count += is_counted(document)
    return BackupResult(
        succeeded=True, exit_code=ExitCode.DONE, reason="Succeeded", message="", objects=count
    )


def print_document(document: Mapping[str, Any]) -> None:
    """Print one JSON document as a line."""
    sys.stdout.write(json.dumps(document, separators=(",", ":")) + "\n")
    # The process ends at once when its work does.
    sys.stdout.flush()
