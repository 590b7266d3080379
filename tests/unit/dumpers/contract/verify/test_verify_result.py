import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.contract.result import RESULT_MAX_BYTES
from dumpers.contract.verify.result import MAX_BACKUPS, VerifyResult

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
COUNTS = st.integers(0, 1 << 60)
RESULTS = st.builds(
    VerifyResult,
    succeeded=st.booleans(),
    exit_code=st.integers(0, 23),
    reason=TEXTS,
    message=TEXTS,
    finished=TEXTS,
    seconds=st.floats(0, 1e6),
    verified=COUNTS,
    damaged=COUNTS,
    backups=st.lists(TEXTS, max_size=MAX_BACKUPS).map(tuple),
    stored_bytes=COUNTS,
    oldest_unread=TEXTS,
    newest_verified=TEXTS,
)
DONE = VerifyResult(succeeded=True, exit_code=0, reason="Succeeded", message="")


@given(RESULTS)
def test_what_is_written_is_what_is_read(result: VerifyResult) -> None:
    text = result.to_json()
    assert len(text.encode()) <= RESULT_MAX_BYTES
    assert VerifyResult.from_json(text) == result


def test_it_never_grows_beyond_a_termination_message() -> None:
    names = tuple(f"{n:012x}" for n in range(5000))
    result = VerifyResult(
        succeeded=False, exit_code=21, reason="BackupDamaged", message="é" * 5000, backups=names
    )
    assert len(result.to_json().encode()) <= RESULT_MAX_BYTES
    read = VerifyResult.from_json(result.to_json())
    assert read.backups == names[:MAX_BACKUPS]
    assert read.message.endswith("…")


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"succeeded":1}', DONE.to_json().replace("0.0", '"0"')]
)
def test_other_messages_are_none_of_ours(text: str) -> None:
    with pytest.raises(ValueError, match="no VerifyResult"):
        VerifyResult.from_json(text)
