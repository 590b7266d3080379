from dumpers.storage.rate_limit import RateLimit


def test_the_rate_is_kept_without_bursts() -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    pace = RateLimit(1000, clock=lambda: now).pace(sleep)
    for _ in range(100):
        pace(50)
    assert 4.9 < now <= 5.0
    now += 60
    for _ in range(10):
        pace(50)
    assert 65.4 < now <= 65.5


def test_all_who_send_share_the_rate() -> None:
    waits: dict[str, list[float]] = {"a": [], "b": []}
    limit = RateLimit(1000, clock=lambda: 0.0)
    first, second = limit.pace(waits["a"].append), limit.pace(waits["b"].append)
    first(500)
    second(500)
    first(500)
    assert waits == {"a": [0.5, 1.5], "b": [1.0]}
