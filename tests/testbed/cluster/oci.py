"""Writes a one-layer container image as an OCI archive; needs no tool and no root."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_CHUNK = 1 << 20
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write_archive(
    archive: Path,
    name: str,
    layer: Path,
    *,
    env: Mapping[str, str],
    entrypoint: Sequence[str] = (),
) -> None:
    """An image called `name` whose file system is the tar file `layer`."""
    digest = _sha256_of(layer)
    config = json.dumps(
        {
            "architecture": _ARCHITECTURES[platform.machine()],
            "os": "linux",
            "config": {
                "Env": [f"{key}={value}" for key, value in env.items()],
                "Entrypoint": list(entrypoint),
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            # buildah counts one entry per layer.
            "history": [{"created_by": "ksnapshot testbed"}],
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("config.v1+json", config),
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": f"sha256:{digest}",
                    "size": layer.stat().st_size,
                }
            ],
        }
    ).encode()
    descriptor = {
        **_descriptor("manifest.v1+json", manifest),
        "annotations": {"org.opencontainers.image.ref.name": name},
    }
    index = json.dumps({"schemaVersion": 2, "manifests": [descriptor]}).encode()
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": index}
    files |= {f"blobs/sha256/{_sha256(blob)}": blob for blob in (config, manifest)}
    with tarfile.open(archive, "w") as out:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
        out.add(layer, f"blobs/sha256/{digest}")


def _descriptor(kind: str, content: bytes) -> dict[str, object]:
    return {
        "mediaType": f"application/vnd.oci.image.{kind}",
        "digest": f"sha256:{_sha256(content)}",
        "size": len(content),
    }


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sha256_of(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(_CHUNK):
            total.update(block)
    return total.hexdigest()
