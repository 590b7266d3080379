import io
from contextlib import nullcontext
from typing import Any

import pytest

from dumpers.contract.connection import Connection
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.drill.prepare import check_release
from dumpers.engines.mysql.programs import Flavour, Program
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import RESTORE_ERRORS, TargetRefusedError

CLIENT = Program(name="mysql", flavour=Flavour.MYSQL, version="8.0.36", number=(8, 0))


def server(*, folds: bool = False) -> Server:
    return Server(
        flavour=Flavour.MYSQL,
        version="8.0.36",
        number=(8, 0),
        folds=folds,
        connection=Connection(host="127.0.0.1", port=1),
        errors=RESTORE_ERRORS,
        client=CLIENT,
    )


def piece(**metadata: Any) -> StoredDump:
    return StoredDump(
        name="shop",
        ending=".sql",
        size=0,
        metadata=metadata,
        open=lambda: nullcontext(io.BytesIO()),
    )


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({}, ""),
        ({"flavour": "MySQL", "release": "8.0"}, ""),
        ({"flavour": "MySQL", "release": "8.0", "folds_names": False}, ""),
        ({"flavour": "MySQL", "release": "8.4", "folds_names": False}, "MySQL 8.4"),
        ({"flavour": "MySQL", "release": "8.0", "folds_names": True}, "lower_case_table_names"),
    ],
)
def test_a_server_has_to_be_as_the_dumped_one(metadata: dict[str, Any], said: str) -> None:
    if not said:
        check_release(server(), piece(**metadata))
        return
    with pytest.raises(TargetRefusedError, match=said):
        check_release(server(), piece(**metadata))


def test_a_server_that_folds_names_takes_those_of_another() -> None:
    check_release(server(folds=True), piece(flavour="MySQL", release="8.0", folds_names=True))
