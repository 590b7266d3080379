"""Gates have names of their own, and what the tool says of them is not in a dump."""

import io

from hypothesis import given
from hypothesis import strategies as st

from dumpers.engines.mysql.parallel.gates import Gates, WithoutComment

CONDITION = "(`id` < 7) AND (COALESCE(@g, 2) >= 0)"
LINE = f"\n-- WHERE:  {CONDITION}\n".encode()


class Slow(io.BytesIO):
    """Gives a few bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__(data)
        self._step = step

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(self._step, size) if size and size > 0 else self._step)


@given(
    st.lists(st.sampled_from([LINE, b"\n", b"--", b"\n-- WHERE:  1\n", LINE[:-3], b"x" * 30])),
    st.integers(1, 90),
)
def test_its_comments_are_left_out(pieces: list[bytes], step: int) -> None:
    data = b"".join(pieces)
    reader = WithoutComment(Slow(data, step), CONDITION)
    assert b"".join(iter(reader.read, b"")) == data.replace(LINE, b"\n")


def test_each_gate_is_named_once() -> None:
    gates, others = Gates(count=12), Gates(count=12)
    assert gates.token != others.token
    assert len(set(gates.close())) == 12
    for number in range(12):
        statement = f"SELECT `a` FROM `t` WHERE {gates.condition(number)}"
        assert gates.numbers_in(statement) == {number}
        assert others.numbers_in(statement) == set()
        # As the server bounds the names of locks.
        assert all(len(name) <= 64 for name in statement.split("'")[1::2])
