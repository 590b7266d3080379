"""Names that statements need of a server's configuration."""

from xml.etree import ElementTree as ET

import pytest

from dumpers.engines.clickhouse.drill.configuration import configuration, read_needs
from dumpers.engines.clickhouse.stored.contents import read_contents
from dumpers.runtime.errors import TargetRefusedError
from tests.unit.dumpers.engines.clickhouse.stored.backups import script

TEXT = """
CREATE TABLE a.d1 (k UInt8) ENGINE = Distributed('main', 'a', 't', k);
CREATE TABLE a.d2 (k UInt8) ENGINE = Distributed('{mine}', 'a', 't', k);
CREATE TABLE a.d3 (k UInt8) ENGINE = Distributed('{cluster}', 'a', 't', k);
CREATE TABLE a.t (k UInt8, d Date) ENGINE = MergeTree ORDER BY k
TTL d + INTERVAL 1 DAY TO VOLUME 'cold', d + INTERVAL 2 DAY TO DISK 'tape'
SETTINGS storage_policy = 'tiered', index_granularity = 8192;
CREATE TABLE a.plain (s String DEFAULT '{no} macro') ENGINE = MergeTree ORDER BY s
SETTINGS storage_policy = 'default';
CREATE VIEW a.v AS SELECT * FROM cluster(other, a.t) WHERE disk = '/dev/sda';
"""


def test_every_name_means_the_one_server() -> None:
    needs = read_needs(read_contents([script(TEXT)]))
    assert needs.clusters == {"main", "mine", "other"}
    assert needs.macros == {"mine"}
    assert needs.policies == {"tiered"}
    root = ET.fromstring(configuration(needs, "/drill"))
    clusters = root.find("remote_servers")
    assert clusters is not None
    assert {one.tag for one in clusters} == {"main", "mine", "other"}
    assert {one.text for one in clusters.iter("host")} == {"127.0.0.1"}
    assert root.findtext("macros/mine") == "mine"
    volumes = root.find("storage_configuration/policies/tiered/volumes")
    assert volumes is not None
    assert [one.tag for one in volumes] == ["drill", "cold", "of_tape"]
    disks = [one.text for one in volumes.iter("disk")]
    # No disk may be in two volumes.
    assert len({*disks}) == len(disks)
    made = root.find("storage_configuration/disks")
    assert made is not None
    assert {one.tag for one in made} == {*disks} - {"default"}
    assert next(one.findtext("path") for one in made) == f"/drill/disks/{made[0].tag}/"


def test_nothing_is_needed() -> None:
    needs = read_needs(read_contents([script("CREATE TABLE a.t (k UInt8) ENGINE = Log;")]))
    assert not needs


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            (
                "CREATE TABLE a.t (k UInt8) ENGINE = MergeTree ORDER BY k "
                "SETTINGS disk = disk(type = s3);"
            ),
            r"a\.t says itself on which disk",
        ),
        (
            "CREATE TABLE a.t (k UInt8) ENGINE = Distributed('no good', 'a', 't');",
            r"can hold these names.*'no good'",
        ),
    ],
)
def test_what_no_configuration_can_hold(text: str, said: str) -> None:
    with pytest.raises(TargetRefusedError, match=said):
        read_needs(read_contents([script(text)]))
