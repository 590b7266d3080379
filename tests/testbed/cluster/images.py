"""Container images without a container engine: debootstrap for the base, buildah for the rest."""

import functools
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.testbed.cluster import oci
from tests.testbed.toolchain import cache, packages
from tests.testbed.toolchain.progress import progress
from tests.testbed.toolchain.tools import tool

SUITE = "trixie"
BASES = {suite: f"localhost/ksnapshot-base:{suite}" for suite in (SUITE, "bookworm")}
BASE = BASES[SUITE]
PAUSE = "localhost/pause:1"
ARCHIVE = "image.tar"
_PACKAGES = ("python3", "python3-venv", "ca-certificates")
_HOST_AUTHORITIES = Path("/usr/local/share/ca-certificates")
_PIP_CONFIG = Path("/etc/pip.conf")
_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
# Raised when this module makes other images of the same inputs.
_GENERATION = "2"


class ImageError(RuntimeError):
    """An image could not be made; carries the last lines of the tool that tried."""


def pause_image() -> Path:
    """The archive of the image that holds a pod's namespaces open."""

    def make(target: Path) -> None:
        layer = target / "layer.tar"
        with tarfile.open(layer, "w") as out:
            out.add(tool("pause"), "pause")
        oci.write_archive(target / ARCHIVE, PAUSE, layer, env=_ENV, entrypoint=["/pause"])
        layer.unlink()

    return cache.entry("image-pause", [_GENERATION, tool("pause")], make) / ARCHIVE


def base_image(suite: str = SUITE) -> Path:
    """The archive of a minimal Debian with Python and the CAs that this machine trusts."""
    authorities = sorted(_HOST_AUTHORITIES.rglob("*.crt"))
    key: list[str | bytes | Path] = [_GENERATION, suite, *_PACKAGES, *authorities]
    name = "image-base" if suite == SUITE else f"image-base-{suite}"
    return cache.entry(name, key, functools.partial(_make_base, suite)) / ARCHIVE


def build(
    name: str,
    dockerfile: Path,
    context: Path,
    globs: Sequence[str],
    build_args: Mapping[str, str] | None = None,
    others: Mapping[str, Path] | None = None,
    *,
    suite: str = SUITE,
) -> Path:
    """The archive of an image called `name`, built on `base_image`; unchanged ones are not rebuilt.

    The build sees those files of the context that match the globs, and no others, so that the
    cache's key (their content) misses nothing. `others` are archives of further images that the
    Dockerfile copies from, by their names.
    """
    bases = {BASES[suite]: base_image(suite), **(others or {})}
    files = _matching(context, globs)
    arguments = {"BASE": BASES[suite], **(build_args or {})}
    made_of = [archive.parent.name for archive in bases.values()]
    key: list[str | bytes | Path] = [_GENERATION, name, *made_of, repr(arguments)]
    key += [dockerfile]
    for path in files:
        key += [str(path.relative_to(context)), path, str(path.stat().st_mode & 0o111)]

    def make(target: Path) -> None:
        staged = target / "context"
        for path in files:
            copy = staged / path.relative_to(context)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        staged.mkdir(exist_ok=True)
        with cache.lock("buildah"), progress(f"build {name}"):
            for reference, archive in bases.items():
                _ensure(reference, archive)
            _bud(name, dockerfile, staged, arguments)
            _buildah("push", "--quiet", name, f"oci-archive:{target / ARCHIVE}:{name}")
        shutil.rmtree(staged)

    slug = "".join(letter if letter.isalnum() else "-" for letter in name)
    return cache.entry(f"image-{slug}", key, make) / ARCHIVE


def push(archive: Path, reference: str, targets: Sequence[str] = ()) -> None:
    """Sends an archive's image to the registry that its name points at, with the person's login.

    `targets` are the names that it gets there instead of its own.
    """
    with cache.lock("buildah"), progress(f"push {reference}"):
        _buildah("pull", "--quiet", f"oci-archive:{archive}")
        for target in targets or (reference,):
            _buildah("push", "--quiet", reference, f"docker://{target}")
        _buildah("rmi", "--force", reference)


def _matching(context: Path, globs: Sequence[str]) -> list[Path]:
    """The files that match; a folder that matches stands for what is in it, less caches."""
    found: set[Path] = set()
    for pattern in globs:
        for match in context.glob(pattern):
            found |= {match} if match.is_file() else set(match.rglob("*"))
    hidden = {".git", ".venv", "__pycache__"}
    return sorted(
        path
        for path in found
        if path.is_file() and not hidden & set(path.relative_to(context).parts)
    )


def _make_base(suite: str, target: Path) -> None:
    if os.geteuid() != 0:
        raise ImageError("the base image is made by debootstrap, which needs root")
    packages.command("debootstrap", "debootstrap")
    with progress(f"debootstrap {suite}"):
        root = target / "root"
        include = f"--include={','.join(_PACKAGES)}"
        _run(["debootstrap", "--variant=minbase", include, suite, str(root)])
        for folder in ("var/cache/apt/archives", "var/lib/apt/lists", "var/log"):
            for path in (root / folder).rglob("*"):
                if path.is_file():
                    path.unlink()
        if list(_HOST_AUTHORITIES.rglob("*.crt")):
            trusted = root / "usr/local/share/ca-certificates"
            shutil.copytree(_HOST_AUTHORITIES, trusted, dirs_exist_ok=True)
            _run(["chroot", str(root), "update-ca-certificates"])
            # pip trusts its own list unless it is told otherwise.
            (root / "etc/pip.conf").write_text(
                "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n"
            )
        layer = target / "layer.tar"
        _run(["tar", "--numeric-owner", f"--directory={root}", f"--file={layer}", "--create", "."])
        shutil.rmtree(root)
        oci.write_archive(target / ARCHIVE, BASES[suite], layer, env=_ENV)
        layer.unlink()


def _ensure(reference: str, archive: Path) -> None:
    """Brings an image into buildah's storage, marked with the cache entry it came from."""
    slug = "base" if reference == BASE else archive.parent.name.rpartition("-")[0]
    mark = _storage() / slug
    present = _buildah("images", "--quiet", "--filter", f"reference={reference}").strip()
    if present and mark.exists() and mark.read_text() == archive.parent.name:
        return
    _buildah("pull", "--quiet", f"oci-archive:{archive}")
    mark.write_text(archive.parent.name)


def _bud(name: str, dockerfile: Path, context: Path, arguments: Mapping[str, str]) -> None:
    command = ["bud", "--isolation=chroot", "--layers", "--network=host", "--pull-never"]
    command.append("--force-rm")
    command += [f"--build-arg={key}={value}" for key, value in arguments.items()]
    if _PIP_CONFIG.exists():
        # Where this machine's pip gets its packages, the image's does while it is built.
        command.append(f"--volume={_PIP_CONFIG}:{_PIP_CONFIG}:ro")
    _buildah(*command, f"--tag={name}", f"--file={dockerfile}", str(context))


def _buildah(*arguments: str) -> str:
    """Runs buildah on a storage of its own, away from the person's images."""
    program = packages.command("buildah", "buildah")
    storage = _storage()
    where = [f"--root={storage / 'root'}", f"--runroot={storage / 'run'}"]
    driver = "vfs" if _is_overlay(storage) else "overlay"
    # In a mount namespace of its own, so that a killed build leaves no mount behind.
    apart = ["unshare", "--mount", "--propagation=private", "--"]
    return _run([*apart, program, *where, f"--storage-driver={driver}", *arguments])


def _storage() -> Path:
    path = cache.root() / "buildah"
    path.mkdir(exist_ok=True)
    return path


def _is_overlay(path: Path) -> bool:
    """Whether the folder lies on overlayfs, on which another overlay cannot be mounted."""
    kind = subprocess.run(
        ["stat", "--file-system", "--format=%T", path], capture_output=True, text=True, check=True
    )
    return kind.stdout.strip() == "overlayfs"


def _run(command: Sequence[str]) -> str:
    search = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    done = subprocess.run(
        command,
        env={**os.environ, "PATH": search},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stdout[-3000:]
        if "unknown key" in said or "keyring" in said.lower():
            said += "\nInstall a debian-archive-keyring that knows this Debian."
        raise ImageError(f"{' '.join(command)[:300]} ended with {done.returncode}:\n{said}")
    return done.stdout


def main(arguments: Sequence[str]) -> int:
    """`base`, `pause`, or `build NAME DOCKERFILE CONTEXT [GLOB...]`: prints the archive."""
    match list(arguments):
        case ["base"]:
            print(base_image())
        case ["pause"]:
            print(pause_image())
        case ["build", name, dockerfile, context, *globs]:
            print(build(name, Path(dockerfile), Path(context), globs or ["**/*"]))
        case _:
            print("base | pause | build NAME DOCKERFILE CONTEXT [GLOB...]", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
