"""What a person writes after `ksnapshot restore`, read into what the job is asked."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from controller.manifests.reading.identity import SecretKey
from controller.workloads.credentials.named_secret import keys_of_role
from dumpers.contract.engine_spec import EngineSpec, Role

_ADDRESS = re.compile(
    r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:/\[\]]*)(?::(?P<port>[0-9]*))?(?:/(?P<database>.*))?"
)
_MAX_PORT = 65535
# A login is one of these, completed by the others where the engine has them.
_PROOFS = (Role.API_KEY, Role.PASSWORD, Role.CERTIFICATE)


class OptionError(ValueError):
    """An option that cannot be meant; the message names it and the right form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Another place to restore to; what is empty is as the workload has it."""

    host: str = ""
    port: str = ""
    database: str = ""


def parse_address(text: str) -> Address:
    """Read `HOST:PORT/DATABASE`, of which every part but one may be left out."""
    found = _ADDRESS.fullmatch(text)
    if not found or not text or text in {":", "/"}:
        raise OptionError(f"--to {text!r}: write HOST:PORT/DATABASE, such as db.example:5432/shop")
    port = found["port"] or ""
    if port and not 1 <= int(port) <= _MAX_PORT:
        raise OptionError(f"--to {text!r}: the port must be 1 to {_MAX_PORT}")
    return Address(host=found["host"].strip("[]"), port=port, database=found["database"] or "")


def parse_names(texts: Iterable[str]) -> Mapping[str, str]:
    """Read `OLD:NEW` of each `--as`; the first colon divides."""
    names: dict[str, str] = {}
    for text in texts:
        old, colon, new = text.partition(":")
        if not (old and colon and new):
            raise OptionError(f"--as {text!r}: write OLD:NEW")
        if old in names:
            raise OptionError(f"--as names {old!r} twice")
        if new in names.values():
            raise OptionError(f"--as gives the name {new!r} twice")
        names[old] = new
    return names


def parse_list(texts: Iterable[str]) -> tuple[str, ...]:
    """Read an option that may be given several times, each with names between commas."""
    return tuple(
        dict.fromkeys(name for text in texts for item in text.split(",") if (name := item.strip()))
    )


def parse_secret_key(text: str, keys: Collection[str]) -> SecretKey:
    """Read `NAME` or `NAME/KEY`; without a key the Secret must have only one, of `keys`."""
    secret, _, key = text.partition("/")
    if not key and len(keys) != 1:
        listed = ", ".join(sorted(keys)) or "none"
        raise OptionError(f"--identity-secret {secret}: its keys are {listed}: write {secret}/KEY")
    chosen = key or next(iter(keys))
    if chosen not in keys:
        raise OptionError(f"--identity-secret {secret}: it has no key {chosen!r}")
    return SecretKey(secret=secret, key=chosen)


def login_of_keys(
    secret: str, keys: Collection[str], engine: EngineSpec
) -> Mapping[Role, SecretKey]:
    """The login that a Secret of the control namespace holds, by the names of its keys alone.

    They are named as `credentials-secret` takes them. Its database's name is not taken: `--to`
    says it.
    """
    login: dict[Role, SecretKey] = {
        role: SecretKey(secret=secret, key=key)
        for role in Role
        if role is not Role.DATABASE
        and (key := next((name for name in keys_of_role(engine, role) if name in keys), ""))
    }
    if not any(role in login for role in _PROOFS):
        wanted = ", ".join(keys_of_role(engine, Role.PASSWORD))
        raise OptionError(
            f"--credentials-secret {secret}: its keys are {', '.join(sorted(keys)) or 'none'}, "
            f"of which none is a login's: name the password {wanted}"
        )
    return login
