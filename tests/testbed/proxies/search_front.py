"""nginx in front of a search server: logins, TLS and client certificates, as proxies have them."""

import os
import secrets
import subprocess
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.testbed.toolchain import packages, processes, scratch
from tests.testbed.toolchain.pki import KeyPair

_NOBODY = 65534
_CONFIG = """daemon off; {user} worker_processes 1; pid {folder}/pid; error_log {folder}/errors;
events {{}}
http {{
 access_log off; client_max_body_size 0; keepalive_requests 100000; proxy_buffering {buffering};
 proxy_request_buffering off; proxy_read_timeout 600s;
 client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
 uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5; proxy_max_temp_file_size 0;
 upstream node {{ server 127.0.0.1:{upstream}; keepalive 32; }}
 server {{
  listen 127.0.0.1:{port}{ssl};
  {tls}
  {login}
  {root}
  location / {{
   proxy_pass http://node; proxy_http_version 1.1; proxy_set_header Connection "";
   proxy_set_header Authorization "";
  }}
 }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """A running nginx; a context manager. It takes the login or the API key, if it was given any.

    `api_key` is as clients send it, encoded.
    """

    port: int
    user: str = "dump"
    password: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    host: str = "127.0.0.1"
    _server: processes.Server
    _folder: Path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._server.stop()
        scratch.remove(self._folder)


def start(
    upstream: int,
    *,
    root: str = "",
    tls: KeyPair | None = None,
    clients: Path | None = None,
    login: bool = False,
    user: str = "dump",
    api_key: bool = False,
) -> Front:
    """Stands in front of a port of this machine.

    `root` is what it answers to `GET /` by itself, `clients` the CA of certificates that every
    client must show. With `login` it asks for that `user` and a password, with `api_key` for a key.
    """
    folder = scratch.make("nginx")
    uid = _NOBODY if os.geteuid() == 0 else None
    port = processes.free_port()
    password = secrets.token_urlsafe(12) if login else ""
    key = b64encode(secrets.token_bytes(24)).decode() if api_key else ""
    rules = ""
    if login:
        hashed = subprocess.run(
            [packages.command("openssl", "openssl"), "passwd", "-apr1", "-stdin"],
            input=password,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        (folder / "users").write_text(f"{user}:{hashed}\n")
        rules = f"auth_basic search; auth_basic_user_file {folder}/users;"
    elif api_key:
        rules = f'if ($http_authorization != "ApiKey {key}") {{ return 401; }}'
    secured = ""
    if tls is not None:
        secured = f"ssl_certificate {tls.cert}; ssl_certificate_key {tls.key};"
        if clients is not None:
            secured += f" ssl_client_certificate {clients}; ssl_verify_client on;"
    answer = f"location = / {{ default_type application/json; return 200 '{root}'; }}"
    (folder / "config").write_text(
        _CONFIG.format(
            user="user nobody nogroup;" if uid is not None else "",
            folder=folder,
            upstream=upstream,
            buffering="on",
            port=port,
            ssl=" ssl" if tls else "",
            tls=secured,
            login=rules,
            root=answer if root else "",
        )
    )
    server = processes.start(
        "nginx",
        [
            packages.command("nginx", "nginx-light"),
            "-c",
            folder / "config",
            "-e",
            folder / "errors",
        ],
        log=folder / "log",
        ready=lambda: processes.listens(port),
    )
    return Front(
        port=port, user=user, password=password, api_key=key, _server=server, _folder=folder
    )
