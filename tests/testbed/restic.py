"""Restic repositories that hold snapshots of given times and nothing else.

Restic itself makes the first one. The snapshots are written here, in its format (restic/restic
doc/design.rst): a snapshot by `restic backup` takes a second, and a history has dozens.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from tests.testbed.toolchain.tools import tool

_PASSWORD = "restic"
# As cheap as the format allows: restic's own choice takes half a second each time.
_SCRYPT = {"N": 2, "r": 8, "p": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Restic:
    """A folder of repositories with one key; `template` is one without snapshots."""

    template: Path
    key: bytes

    @classmethod
    def create(cls, folder: Path) -> "Restic":
        """Let restic make the first repository, and give it a password that is cheap to check."""
        template = folder / "template"
        _run(template, "init")
        master = json.loads(_run(template, "cat", "masterkey"))
        mac = master["mac"]
        key = b"".join(map(base64.b64decode, (master["encrypt"], mac["k"], mac["r"])))
        for old in (template / "keys").iterdir():
            old.unlink()
        salt = os.urandom(64)
        numbers = {name.lower(): number for name, number in _SCRYPT.items()}
        derived = hashlib.scrypt(_PASSWORD.encode(), salt=salt, dklen=64, **numbers)
        sealed = _seal(derived, json.dumps(master).encode())
        document = {
            "created": "2020-01-01T00:00:00Z",
            "username": "",
            "hostname": "",
            "kdf": "scrypt",
            **_SCRYPT,
            "salt": base64.b64encode(salt).decode(),
            "data": base64.b64encode(sealed).decode(),
        }
        _store(template / "keys", json.dumps(document).encode())
        return cls(template=template, key=key)

    def forget(
        self, name: str, moments: Iterable[datetime], policy: Iterable[str], zone: ZoneInfo
    ) -> dict[datetime, list[str]]:
        """Which snapshots of these times a policy keeps, and restic's words for why.

        `policy` are options such as `--keep-last=7`; `name` is that of a new repository.
        """
        repository = self.template.parent / name
        for folder in ("keys", "snapshots", "index", "locks", "data"):
            (repository / folder).mkdir(parents=True)
        shutil.copy(self.template / "config", repository)
        for key in (self.template / "keys").iterdir():
            shutil.copy(key, repository / "keys")
        for moment in moments:
            document = {
                "time": moment.astimezone(zone).isoformat(),
                "tree": hashlib.sha256(b"").hexdigest(),
                "paths": ["/"],
                "hostname": "host",
            }
            _store(repository / "snapshots", _seal(self.key, json.dumps(document).encode()))
        try:
            said = _run(repository, "forget", "--dry-run", "--no-lock", *policy, zone=zone.key)
        finally:
            shutil.rmtree(repository)
        [group] = json.loads(said)
        reasons: list[dict[str, Any]] = group["reasons"]
        return {
            datetime.fromisoformat(item["snapshot"]["time"]): item["matches"] for item in reasons
        }


def _run(repository: Path, *arguments: str, zone: str = "UTC") -> str:
    done = subprocess.run(
        [tool("restic"), "--no-cache", "--json", f"--repo={repository}", *arguments],
        env={"PATH": "", "RESTIC_PASSWORD": _PASSWORD, "TZ": zone, "GOMAXPROCS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"restic {arguments[0]} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def _store(folder: Path, content: bytes) -> None:
    (folder / hashlib.sha256(content).hexdigest()).write_bytes(content)


def _seal(key: bytes, plain: bytes) -> bytes:
    """Encrypt by AES-256-CTR and sign by Poly1305-AES, as restic does with all that it stores."""
    encrypt, sign, r = key[:32], key[32:48], key[48:64]
    nonce = os.urandom(16)
    coder = Cipher(algorithms.AES(encrypt), modes.CTR(nonce)).encryptor()
    sealed = coder.update(plain) + coder.finalize()
    # One block of AES.
    s = Cipher(algorithms.AES(sign), modes.ECB()).encryptor().update(nonce)
    return nonce + sealed + Poly1305.generate_tag(r + s, sealed)
