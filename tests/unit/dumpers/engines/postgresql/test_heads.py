import io

import pytest

from dumpers.engines.postgresql.heads import ChangedHead, Followed

_LINE = b"SET x = 0;\n"


@pytest.mark.parametrize(
    ("source", "rest"),
    [
        (b"--\nSET x = 0;\nSET y = 1;\n", b"--\nSET y = 1;\n"),
        (b"--\nSET y = 1;\n", b"--\nSET y = 1;\n"),
        # Only a whole line, and only the first.
        (b"--\n RESET x = 0;\n", b"--\n RESET x = 0;\n"),
        (b"--\nSET x = 0;\nSET x = 0;\n", b"--\nSET x = 0;\n"),
        (
            b"--\n" + bytes(300_000) + b"\nSET x = 0;\n",
            b"--\n" + bytes(300_000) + b"\nSET x = 0;\n",
        ),
        (b"", b""),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1 << 17, -1])
def test_a_line_of_the_head_is_left_out(source: bytes, rest: bytes, size: int) -> None:
    reader = ChangedHead(io.BytesIO(source), {_LINE: b""})
    assert b"".join(iter(lambda: reader.read(size), b"")) == rest
    assert reader.read(size) == b""


@pytest.mark.parametrize("size", [1, 7, 1 << 17, -1])
def test_lines_of_the_head_are_changed(size: int) -> None:
    source = b"--\nSET x = 0;\nSET y = 1;\nSET x = 0;\n"
    changes = {b"SET x = 0;\n": b"SET x = 2;\n", b"SET y = 1;\n": b""}
    reader = ChangedHead(io.BytesIO(source), changes)
    assert b"".join(iter(lambda: reader.read(size), b"")) == b"--\nSET x = 2;\nSET x = 0;\n"


@pytest.mark.parametrize("more", [b"", b"more"])
@pytest.mark.parametrize("size", [1, 7, -1])
def test_something_follows(more: bytes, size: int) -> None:
    reader = Followed(io.BytesIO(b"first "), more)
    assert b"".join(iter(lambda: reader.read(size), b"")) == b"first " + more
    assert reader.read(size) == b""
