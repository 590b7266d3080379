"""A headless Chromium of Debian's own: it shows a page as people see it, and what it measures."""

import base64
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.testbed.toolchain import packages
from tests.testbed.toolchain.require import require

_PACKAGE = "chromium-headless-shell"
_END = b"\0"
_READ = 65536


@dataclass(slots=True, kw_only=True)
class Browser:
    """One tab, driven through a pipe by Chromium's own protocol.

    `complaints` are what it wrote into its console: what a page's policy forbade, among others.
    """

    complaints: list[str] = field(default_factory=list)
    _commands: int
    _answers: int
    _session: str = ""
    _number: int = 0
    _unread: bytes = b""

    def open(self, url: str, *, width: int, dark: bool = False) -> None:
        """Show a page in a window of that width, and wait until it is loaded."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.complaints.clear()
        answer = self.call("Page.navigate", url=url)
        assert "errorText" not in answer, answer
        self._read_until(lambda message: message.get("method") == "Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        """What an expression of JavaScript is in the page; it runs beside the page's policy."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self) -> bytes:
        """The whole page as PNG."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(answer["data"])

    def attach(self) -> None:
        """Open the tab, and listen to its console."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        answer = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = answer["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + _END)
        answer = self._read_until(lambda found: found.get("id") == self._number)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _read_until(self, is_wanted: Any) -> dict[str, Any]:
        while True:
            while _END not in self._unread:
                read = os.read(self._answers, _READ)
                assert read, "the browser is gone"
                self._unread += read
            text, _, self._unread = self._unread.partition(_END)
            message: dict[str, Any] = json.loads(text)
            if message.get("method") in {"Log.entryAdded", "Runtime.consoleAPICalled"}:
                self.complaints.append(json.dumps(message["params"]))
            if is_wanted(message):
                return message


@contextmanager
def start() -> Iterator[Browser]:
    """Start one, and end it."""
    try:
        program = packages.command(_PACKAGE, _PACKAGE)
    except packages.MissingPackageError as error:
        require(None, str(error))
        raise
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        theirs, ours = _pipes()
        # The browser reads commands from file 3 and writes answers to file 4.
        shell = f'exec "$@" 3<&{theirs[0]} 4>&{theirs[1]}'
        options = ["--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        options.append(f"--user-data-dir={folder}")
        log = Path(folder, "log")
        with log.open("wb") as sink:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "bash", "-c", shell, "bash", program, *options],
                pass_fds=theirs,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )
        for end in theirs:
            os.close(end)
        browser = Browser(_commands=ours[0], _answers=ours[1])
        try:
            browser.attach()
            yield browser
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            process.kill()
            process.wait()
            for end in ours:
                os.close(end)


def _pipes() -> tuple[tuple[int, int], tuple[int, int]]:
    """The browser's ends of two pipes, and ours."""
    commands, answers = os.pipe(), os.pipe()
    return (commands[0], answers[1]), (commands[1], answers[0])
