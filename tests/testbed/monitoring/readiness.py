"""How the programs of Prometheus say that they take requests."""

import urllib.error
import urllib.request


def is_ready(port: int) -> bool:
    """Whether the program at this port of loopback is ready; False while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready") as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False
