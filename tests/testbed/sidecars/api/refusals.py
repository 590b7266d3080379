"""How clickhouse-backup says no."""

from tests.testbed.sidecars.api.wire import Answer, compact

LOCKED = "another operation is currently running"
PLAIN = "text/plain; charset=utf-8"


def error(status: int, operation: str, text: str) -> Answer:
    told = {"status": "error", **({"operation": operation} if operation else {}), "error": text}
    return Answer(status=status, body=f"{compact(told)}\n".encode(), content=PLAIN)
