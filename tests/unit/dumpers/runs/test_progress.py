from dumpers.runs.progress import READING, RESTORING, Watch


def test_progress_is_told_when_there_is_some() -> None:
    watch = Watch(doing=RESTORING, total=1000, began=100.0)
    assert watch.look(0, 105.0) is None
    assert watch.look(100, 110.0) == (
        "restoring",
        {"bytes_done": 100, "bytes_total": 1000, "bytes_per_second": 10, "seconds": 10.0},
    )
    assert watch.look(100, 115.0) is None


def test_what_is_done_is_the_line() -> None:
    line = Watch(doing=READING, total=10, began=0.0).look(5, 5.0)
    assert line
    assert line[0] == "reading"


def test_ten_minutes_without_any_are_told_again_and_again() -> None:
    watch = Watch(doing=RESTORING, total=1000, began=0.0)
    assert watch.look(1, 10.0)
    told = [
        now
        for now in range(15, 2000, 5)
        if (line := watch.look(1, now)) and line[0] == "no progress"
    ]
    assert told == [610, 1210, 1810]
    line = watch.look(2, 2005.0)
    assert line
    assert line[0] == "restoring"
    assert watch.look(2, 2600.0) is None


def test_a_restore_that_never_begins_is_told_too() -> None:
    watch = Watch(doing=RESTORING, total=1000, began=0.0)
    assert watch.look(0, 599.0) is None
    assert watch.look(0, 600.0) == (
        "no progress",
        {"bytes_done": 0, "bytes_total": 1000, "stalled_seconds": 600},
    )
