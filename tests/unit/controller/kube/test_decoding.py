"""What decodes answers of the API server, of which many are read at once."""

from tests.fakes.first_meetings import first_meetings

_EVERY_DECODER = """
for kind in vars(client).values():
    if isinstance(kind, client.Resource):
        decoding.object_decoder(kind.shape)
        for metadata_only in (False, True):
            decoding.page_format(kind, metadata_only=metadata_only)
"""


def test_every_type_is_met_before_namespaces_are_read_side_by_side() -> None:
    """See the module: two threads that meet one at once crash the process."""
    before = "from controller.kube import client, decoding"
    assert first_meetings(before, _EVERY_DECODER) == []


def test_a_type_that_is_met_late_is_found() -> None:
    late = "import msgspec\nclass Late(msgspec.Struct):\n    size: int"
    found = first_meetings(late, "msgspec.json.Decoder(Late)")
    assert any("Late" in name for name in found)
