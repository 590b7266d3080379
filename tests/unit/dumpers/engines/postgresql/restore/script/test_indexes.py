"""A dump in two where its indexes begin, and the indexes as jobs."""

import io

import pytest

from dumpers.engines.postgresql.restore.script.indexes import Definition, SplitDump, deal_out
from dumpers.engines.postgresql.restore.script.toc import Entry, Toc
from dumpers.runtime.errors import TargetRefusedError
from tests.unit.dumpers.engines.postgresql.restore.script.test_transaction import (
    BEGINNING,
    END,
    FUNCTION,
    INSERTS,
    ROWS,
)

_HEADER = "--\n-- Name: {}; Type: {}; Schema: public; Owner: me\n--\n\n"
_SPACE = "SET default_tablespace = fast;\n\n"
_NO_SPACE = "SET default_tablespace = '';\n\n"
_METHOD = "SET default_table_access_method = heap;\n\n"
_KEY = _HEADER.format("t t_pkey", "CONSTRAINT") + (
    "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (id);\n\n\n" + _SPACE
)
_INDEX = _HEADER.format("t_a", "INDEX") + (
    "CREATE INDEX t_a ON public.t USING btree (a);\n\n\n" + _NO_SPACE
)
_VIEW = _HEADER.format("v _RETURN", "RULE") + "CREATE VIEW public.v AS SELECT 1;\n\n\n"
# A line of a function is no setting of the session.
_BODY = FUNCTION.replace("BEGIN", "SET default_tablespace = wrong;\nBEGIN")
FIRST = BEGINNING + _METHOD + _BODY + ROWS + INSERTS
REST = _KEY + _INDEX + _VIEW + END


def split(text: str) -> tuple[str, SplitDump, list[Definition]]:
    dump = SplitDump(toc=Toc(io.BytesIO(text.encode())))
    first = dump.first()
    return b"".join(iter(first.read, b"")).decode(), dump, dump.rest()


def test_it_parts_where_indexes_begin() -> None:
    first, dump, rest = split(FIRST + REST)
    assert first == f"BEGIN;\n{FIRST}COMMIT;\n"
    kinds = [(one.entry.kind, one.is_side_by_side) for one in rest]
    assert kinds == [("CONSTRAINT", True), ("INDEX", True), ("RULE", False), ("END", False)]
    # What stands at its beginning is in every script anyway.
    fast, default = _SPACE.strip() + "\n", _NO_SPACE.strip() + "\n"
    settings = [one.settings.decode() for one in rest]
    assert settings == ["", fast, default, default]
    script = b"".join(iter(dump.script(rest[1:2]).read, b"")).decode()
    assert script == f"BEGIN;\n{BEGINNING}{_METHOD}{fast}{_INDEX}COMMIT;\n"


def test_a_dump_without_indexes_is_all_before() -> None:
    first, _, rest = split(FIRST + END)
    assert first == f"BEGIN;\n{FIRST}{END}COMMIT;\n"
    assert rest == []


@pytest.mark.parametrize("rows", [ROWS, INSERTS])
@pytest.mark.parametrize("setting", [_SPACE, _NO_SPACE, "SET SESSION AUTHORIZATION 'you';\n\n"])
def test_settings_behind_rows_count(rows: str, setting: str) -> None:
    row = "INSERT INTO public.u VALUES ('\nSET default_tablespace = wrong;\n');\n"
    _, dump, rest = split(BEGINNING + _METHOD + rows + row + setting + _KEY + END)
    assert [one.settings.decode() for one in rest[:1]] == [setting.strip() + "\n"]
    script = b"".join(iter(dump.script(rest[:1]).read, b"")).decode()
    assert script == f"BEGIN;\n{BEGINNING}{_METHOD}{setting.strip()}\n{_KEY}COMMIT;\n"


def test_rows_behind_indexes_are_not_taken_into_memory() -> None:
    with pytest.raises(TargetRefusedError, match="without --parallelism"):
        split(FIRST + _INDEX + ROWS + END)


def _definition(kind: str, text: str) -> Definition:
    return Definition(entry=Entry(kind=kind, name=text, text=text.encode()), settings=b"")


_SIZES = {("public", "big"): 1 << 30, ("public", "large"): 1 << 25} | {
    ("public", f"small{number}"): 1 << 12 for number in range(60)
}


def test_large_tables_come_first_and_small_ones_together() -> None:
    key = _definition("CONSTRAINT", "ALTER TABLE ONLY public.big ADD CONSTRAINT k PRIMARY KEY (i)")
    indexes = [
        _definition("INDEX", f"CREATE INDEX i ON public.{name} (public.f(a))")
        for name in ("large", "big", "big")
    ]
    unknown = _definition("INDEX", "CREATE INDEX i ON t (a)")
    small = [
        _definition("INDEX", f"CREATE INDEX i{part} ON public.small{number} (a)")
        for part in range(3)
        for number in range(60)
    ]
    rule = _definition("RULE", "CREATE VIEW public.v AS SELECT 1 FROM public.big")
    jobs = deal_out([key, *small, rule, *indexes, unknown], _SIZES)
    alone = [job[0] for job in jobs if len(job) == 1]
    large, *big = indexes
    assert alone == [*big, large, unknown, key]
    packed = jobs[len(alone) :]
    assert sorted(map(len, packed)) == [81, 99]
    found = [definition for job in packed for definition in job]
    assert sorted(map(id, found)) == sorted(map(id, small))
    tables = [{one.entry.name.split()[4] for one in job} for job in packed]
    assert tables[0].isdisjoint(tables[1])
