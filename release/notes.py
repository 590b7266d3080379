"""Says what a release's page says: the changelog's section of the version that a tag names.

Refuses a tag that is not the version of code, chart and changelog, so that nothing is published
under a name that is not its own.
"""

import argparse
import re
import sys
from pathlib import Path

from dumpers.runtime.version import VERSION

_REPOSITORY = Path(__file__).resolve().parent.parent


class TagError(ValueError):
    """A tag that must not be released; says what to correct."""


def notes(tag: str, *, changelog: str, chart: str, version: str = VERSION) -> str:
    """The section of that tag's version, without its title; TagError where something disagrees."""
    if tag != f"v{version}":
        raise TagError(
            f"the tag {tag} is not v{version}, the version of dumpers/runtime/version.py"
        )
    for field in ("version", "appVersion"):
        found = re.search(rf'^{field}: "?([^"\n]+)"?$', chart, re.MULTILINE)
        if found is None or found[1] != version:
            raise TagError(f"{field} of charts/ksnapshot/Chart.yaml is not {version}")
    section = re.search(
        rf"^## \[{re.escape(version)}\] - (\S+)\n+(.*?)\n*(?=^## |\Z)",
        changelog,
        re.MULTILINE | re.DOTALL,
    )
    if section is None:
        raise TagError(f"CHANGELOG.md has no section [{version}]")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", section[1]):
        raise TagError(f"CHANGELOG.md says {section[1]!r} where the date of {version} stands")
    return f"{section[2]}\n"


def main() -> None:
    """Print them for the tag."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tag")
    try:
        text = notes(
            parser.parse_args().tag,
            changelog=(_REPOSITORY / "CHANGELOG.md").read_text(),
            chart=(_REPOSITORY / "charts" / "ksnapshot" / "Chart.yaml").read_text(),
        )
    except TagError as error:
        sys.exit(f"error: {error}")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
