import json
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.contract.fetch.sealed import Lines, pack, to_lines, unpack

MESSAGE = random.Random(3).randbytes(30_000)


@given(st.binary(max_size=40_000), st.randoms(use_true_random=False))
def test_lines_come_together_in_any_order_and_among_others(
    message: bytes, random: random.Random
) -> None:
    sent = list(to_lines(message))
    random.shuffle(sent)
    lines = Lines()
    for line in sent:
        assert lines.message is None
        lines.add('{"level": "info", "message": "a line of the log"}')
        lines.add(line)
    assert lines.message == message


def test_a_message_of_which_a_line_is_missing_is_none() -> None:
    sent = list(to_lines(MESSAGE))
    assert len(sent) == 4
    assert all(len(line) < 16_000 for line in sent)
    for missing in range(len(sent)):
        lines = Lines()
        for number, line in enumerate(sent):
            if number != missing:
                lines.add(line)
        assert lines.message is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "text",
        '{"sealed',
        '{"sealed":null}',
        '{"sealed":0,"of":1}',
        '{"sealed":0,"of":1,"text":7}',
        '{"sealed":0,"of":1,"text":"?"}',
        '{"sealed":"a","of":1,"text":"QQ=="}',
        '{"sealed":' + "[" * 100_000,
    ],
)
def test_other_lines_do_not_count(line: str) -> None:
    lines = Lines()
    lines.add(line)
    assert lines.message is None


def test_a_text_comes_back() -> None:
    text = json.dumps({"objects": ["ö" * 100] * 1000})
    assert unpack(pack(text)) == text


@pytest.mark.parametrize(
    "packed",
    [b"", b"garbage", pack("text")[:-1], pack("text") + b"x", zlib.compress(bytes(257 << 20))],
    ids=["nothing", "garbage", "cut", "more", "a bomb"],
)
def test_other_bytes_are_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="it"):
        unpack(packed)
