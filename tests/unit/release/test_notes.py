import pytest

from release.notes import TagError, notes

_CHART = 'version: 1.2.3\nappVersion: "1.2.3"\n'
_CHANGELOG = """# Changelog

## [1.2.4] - unreleased

- later

## [1.2.3] - 2026-12-01

### Added

- this

## [1.2.2] - 2026-11-01

- before
"""


def _notes(
    tag: str = "v1.2.3",
    *,
    changelog: str = _CHANGELOG,
    chart: str = _CHART,
    version: str = "1.2.3",
) -> str:
    return notes(tag, changelog=changelog, chart=chart, version=version)


def test_the_section_of_the_version_and_no_other() -> None:
    assert _notes() == "### Added\n\n- this\n"
    assert _notes("v1.2.2", chart=_CHART.replace("3", "2"), version="1.2.2") == "- before\n"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"tag": "v1.2.4"}, r"the tag v1\.2\.4 is not v1\.2\.3"),
        ({"tag": "1.2.3"}, r"the tag 1\.2\.3 is not v1\.2\.3"),
        ({"chart": _CHART.replace("1.2.3", "1.2.2", 1)}, r"^version of .*Chart\.yaml is not"),
        ({"chart": 'version: 1.2.3\nappVersion: "1.2.2"\n'}, r"^appVersion of .*Chart\.yaml"),
        ({"chart": ""}, r"^version of"),
        ({"changelog": "# Changelog\n"}, r"has no section \[1\.2\.3\]"),
        ({"changelog": _CHANGELOG.replace("1.2.3", "1x2.3")}, r"has no section"),
        (
            {"changelog": _CHANGELOG.replace("2026-12-01", "unreleased")},
            r"says 'unreleased' where the date",
        ),
    ],
)
def test_a_tag_that_is_not_what_would_be_published_is_refused(
    asked: dict[str, str], said: str
) -> None:
    with pytest.raises(TagError, match=said):
        _notes(**asked)
