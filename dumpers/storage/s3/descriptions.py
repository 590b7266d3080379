"""Reads the SDK's own descriptions of services and endpoints: the SDK's work, at a fraction of it.

The SDK parses them in Python's own JSON into ordered mappings, and looks into the folders of all
services, four hundred, to find one: together as much as all else that its client takes.
"""

import os
from pathlib import Path
from typing import Any

import msgspec
from botocore.loaders import JSONFileLoader, Loader
from isal import isal_zlib

# For the library: with the header and trailer of gzip.
_GZIP = 31


class _FileLoader(JSONFileLoader):  # type: ignore[misc]  # the SDK has no types
    """Files as the SDK finds them; the parsed objects keep the order of their members, too."""

    def load_file(self, file_path: str) -> Any:
        """What is in the file of this path without its ending, None if there is none."""
        plain, packed = Path(f"{file_path}.json"), Path(f"{file_path}.json.gz")
        if plain.is_file():
            return msgspec.json.decode(plain.read_bytes())
        if packed.is_file():
            return msgspec.json.decode(isal_zlib.decompress(packed.read_bytes(), _GZIP))
        return None


class Descriptions(Loader):  # type: ignore[misc]  # likewise
    """The SDK's descriptions, and those that the environment adds to them."""

    FILE_LOADER_CLASS = _FileLoader

    def list_available_services(self, type_name: str) -> list[str]:
        """The names of all folders, whatever is in them: a service lacking `type_name` fails later.

        The SDK asks only whether the one that it wants is among them.
        """
        del type_name
        found: set[str] = set()
        for path in filter(os.path.isdir, self.search_paths):
            with os.scandir(path) as entries:
                found |= {entry.name for entry in entries if entry.is_dir()}
        return sorted(found)


def descriptions(data_path: str | None) -> Descriptions:
    """Those of the SDK; `data_path` is what the environment adds, None where it adds nothing."""
    added = [os.path.expandvars(path) for path in (data_path or "").split(os.pathsep) if path]
    return Descriptions(extra_search_paths=[str(Path(path).expanduser()) for path in added])
