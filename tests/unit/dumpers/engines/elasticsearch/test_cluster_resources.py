"""What of a cluster's resources is the server's own, and read by several threads."""

from tests.fakes.first_meetings import first_meetings


def test_every_type_is_met_before_parts_are_read_side_by_side() -> None:
    before = (
        "import contextlib, msgspec\n"
        "from dumpers.engines.elasticsearch import cluster_resources as c\n"
    )
    code = "".join(
        f"with contextlib.suppress(msgspec.ValidationError): msgspec.convert({{}}, c.{name})\n"
        for name in ("_Named", "_Meta", "_Policy", "_State")
    )
    assert first_meetings(before, code) == []
