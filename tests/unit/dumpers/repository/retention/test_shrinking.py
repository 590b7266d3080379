import pytest

from dumpers.repository.retention.shrinking import Size, find_shrunk


def _sizes(*sources: int) -> list[Size]:
    return [Size(source=source, stored=10) for source in sources]


@pytest.mark.parametrize(
    ("sizes", "enough", "shrunk"),
    [
        ((), 1, ()),
        ((10,), 1, (False,)),
        ((10, 100), 1, (True, False)),
        ((10, 100), 2, (False, False)),
        ((10, 100, 100), 2, (True, False, False)),
        ((50, 100), 1, (False, False)),
        ((49, 10, 100), 1, (True, True, False)),
    ],
)
def test_of_too_few_nobody_knows_what_is_usual(
    sizes: tuple[int, ...], enough: int, shrunk: tuple[bool, ...]
) -> None:
    assert find_shrunk(_sizes(*sizes), enough=enough) == shrunk


def test_what_was_shrunk_stays_so_and_is_never_usual() -> None:
    before = Size(source=60, stored=10, is_shrunk=True)
    found = find_shrunk([*_sizes(55), before, *_sizes(100)], enough=1)
    assert found == (False, True, False)


def test_what_was_accepted_is_usual_from_then_on() -> None:
    accepted = Size(source=10, stored=10, is_accepted=True, is_shrunk=True)
    found = find_shrunk([*_sizes(4, 9), accepted, *_sizes(100, 100)], enough=3)
    assert found == (True, False, False, False, False)
