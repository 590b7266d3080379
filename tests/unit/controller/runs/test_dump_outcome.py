from typing import Any

import pytest

from controller.model.names import CONTAINER
from controller.runs.dump_outcome import has_stored, stored_part
from dumpers.contract.result import PART, DumpResult

Json = dict[str, Any]
WHOLE = DumpResult(succeeded=True, exit_code=0, reason="Succeeded", message="").to_json()
OF_SHARD = DumpResult(
    succeeded=True, exit_code=0, reason="Succeeded", message="", outcome=PART
).to_json()


@pytest.mark.parametrize(
    ("index", "message", "whole", "part"),
    [
        # As 0.6.0 ends.
        ("", "", True, False),
        ("", WHOLE, True, False),
        ("1", WHOLE, True, False),
        ("1", OF_SHARD, False, True),
        # Its word got lost: another shard may still run, and fail.
        ("1", "", False, False),
    ],
)
def test_a_pod_that_ended_well_made_the_backup_where_nobody_else_could(
    index: str, message: str, *, whole: bool, part: bool
) -> None:
    pod: Json = {
        "metadata": {"annotations": {"batch.kubernetes.io/job-completion-index": index}},
        "status": {
            "containerStatuses": [
                {
                    "name": CONTAINER,
                    "state": {"terminated": {"exitCode": 0, "message": message}},
                }
            ]
        },
    }
    assert has_stored(pod) is whole
    assert stored_part(pod) is part
