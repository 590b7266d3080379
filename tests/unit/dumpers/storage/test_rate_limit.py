from dumpers.storage.rate_limit import RateLimit


def test_the_rate_is_kept_without_bursts() -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    pacer = RateLimit(1000, sleep=sleep, clock=lambda: now)
    for _ in range(100):
        pacer(50)
    assert 4.9 < now <= 5.0
    now += 60
    for _ in range(10):
        pacer(50)
    assert 65.4 < now <= 65.5
