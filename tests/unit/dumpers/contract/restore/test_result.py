import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.contract.restore.result import BackupResult, RestoreResult
from dumpers.contract.result import RESULT_MAX_BYTES
from tests.paths import REPOSITORY

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
SIZES = st.integers(0, 1 << 60)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=5).map(tuple)
LISTS = st.lists(TEXTS, max_size=5).map(tuple)
RESTORES = st.builds(
    RestoreResult,
    succeeded=st.booleans(),
    exit_code=st.integers(0, 23),
    reason=TEXTS,
    message=TEXTS,
    backup=TEXTS,
    began=TEXTS,
    engine=TEXTS,
    target=TEXTS,
    server_version=TEXTS,
    restored=PAIRS,
    kept=PAIRS,
    actions=LISTS,
    notes=LISTS,
    source_bytes=SIZES,
    stored_bytes=SIZES,
    seconds=st.floats(0, 1e6),
    target_partial=st.booleans(),
    record=TEXTS,
)
DONE = RestoreResult(succeeded=True, exit_code=0, reason="Succeeded", message="")
CHECKED = BackupResult(succeeded=True, exit_code=0, reason="Succeeded", message="", objects=3)


@given(RESTORES)
def test_what_is_written_is_what_is_read(result: RestoreResult) -> None:
    text = result.to_json()
    assert len(text.encode()) <= RESULT_MAX_BYTES
    read = RestoreResult.from_json(text)
    assert read == result or read.left_out


def test_what_is_long_is_cut_and_counted() -> None:
    tables = tuple((f"shop.table_{n}", f"shop_restored.table_{n}") for n in range(5000))
    result = RestoreResult(
        succeeded=False,
        exit_code=13,
        reason="TargetFailed",
        message="é" * 5000,
        restored=tables,
        kept=(("shop", "shop_kept"),),
        notes=("note",),
    )
    text = result.to_json()
    assert len(text.encode()) <= RESULT_MAX_BYTES
    read = RestoreResult.from_json(text)
    assert (read.reason, read.exit_code) == ("TargetFailed", 13)
    assert read.message.endswith("…")
    short = RestoreResult.from_json(
        RestoreResult(
            succeeded=True,
            exit_code=0,
            reason="Succeeded",
            message="",
            restored=tables,
            kept=(("shop", "shop_kept"),),
        ).to_json()
    )
    assert short.kept == (("shop", "shop_kept"),)
    assert short.restored == tables[: len(short.restored)]
    assert len(short.restored) + short.left_out == len(tables)
    assert len(short.restored) > 20


def test_a_check_is_read_back() -> None:
    assert BackupResult.from_json(CHECKED.to_json()) == CHECKED


@pytest.mark.parametrize(
    "change",
    [
        {"restored": [["a"]]},
        {"restored": "ab"},
        {"notes": [1]},
        {"seconds": "1"},
        {"succeeded": 1},
        {"message": None},
    ],
)
def test_what_is_none_of_ours_is_refused(change: dict[str, object]) -> None:
    document = json.loads(DONE.to_json()) | change
    with pytest.raises(ValueError, match="no RestoreResult"):
        RestoreResult.from_json(json.dumps(document))
    for text in ("", "[]", "{}", "null"):
        with pytest.raises(ValueError, match="no RestoreResult"):
            RestoreResult.from_json(text)


def test_the_contract_needs_nothing_but_python() -> None:
    """As the user's command imports it, on a laptop."""
    folder = REPOSITORY / "dumpers/contract"
    modules = [f"dumpers.contract.{path.stem}" for path in folder.glob("[a-z]*.py")]
    code = f"import sys\nimport {', '.join(modules)}\nassert 'msgspec' not in sys.modules"
    subprocess.run([sys.executable, "-S", "-c", code], cwd=REPOSITORY, check=True)
