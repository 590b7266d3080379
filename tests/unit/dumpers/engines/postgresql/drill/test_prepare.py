import io
from contextlib import nullcontext

import pytest

from dumpers.contract.connection import Connection
from dumpers.engines.drilling.protocol import DrilledObject
from dumpers.engines.postgresql.drill.prepare import (
    objects_to_load,
    roles_named,
    tablespaces_named,
)
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.interrupt import Interrupt


@pytest.mark.parametrize(
    ("lines", "roles"),
    [
        (b"ALTER TABLE app.t OWNER TO owner;\n", {"owner"}),
        (b'GRANT SELECT ON TABLE app.t TO "Odd ""role";\n', {'Odd "role'}),
        (b"CREATE USER MAPPING FOR far SERVER s OPTIONS (\n    a 'b'\n);\n", {"far"}),
        (b"CREATE POLICY mine ON app.t TO reader USING ((\n1 = 1));\n", {"reader"}),
        (b"SELECT 1;\n", set()),
    ],
)
def test_the_roles_that_a_dump_names(lines: bytes, roles: set[str]) -> None:
    assert set(roles_named(lines)) == roles


def test_the_tablespaces_that_a_dump_names() -> None:
    lines = (
        b"SET default_tablespace = '';\nSET default_tablespace = fast;\nSELECT 1;\n"
        b'SET default_tablespace = "Odd ""one";\nSET default_tablespace = pg_default;\n'
    )
    assert list(tablespaces_named(lines)) == [b"fast", b'"Odd ""one"']


def test_databases_with_the_same_settings_are_loaded_as_they_are() -> None:
    objects = [
        DrilledObject(
            stored=StoredDump(
                name=name,
                ending=".sql",
                size=0,
                metadata={"session": {"TimeZone": "UTC", "client_encoding": name}},
                open=lambda: nullcontext(io.BytesIO()),
            ),
            fingerprint=None,
        )
        for name in ("a", "b")
    ]
    server = Connection(host="127.0.0.1", port=1)
    assert objects_to_load(server, objects, Interrupt()) == [item.stored for item in objects]
