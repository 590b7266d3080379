"""Takes secrets out of objects, logs and texts before they leave the machine; pure.

Of what could hold one, only what is known to hold none is kept: inline values of variables,
arguments, annotations and attributes of others are masked whatever they look like. Every text that
stays is searched for the shapes that secrets have, and for the values that were masked elsewhere.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from controller.model import names
from controller.model.objects import Json
from controller.settings.settings import SETTINGS
from dumpers.contract import names as variables
from dumpers.contract.storages import variables as storage_variables
from dumpers.engines.registry import ENGINES
from dumpers.runtime.masking import CUT, MASK, mask

_KEYS = {
    storage_variables.S3_ACCESS_KEY,
    storage_variables.S3_SECRET_KEY,
    storage_variables.S3_BUCKET_INFO,
}
_OURS = {
    *(item.env for item in SETTINGS if not item.hidden),
    *(
        text
        for name, text in vars(storage_variables).items()
        if name.startswith(("S3_", "BACKEND_"))
    ),
    *storage_variables.PROXIES,
    *(
        text
        for text in vars(variables).values()
        if isinstance(text, str) and text.startswith("KSNAPSHOT_")
    ),
    *(name for engine in ENGINES for name in (engine.host_variable, engine.port_variable)),
    *(name for engine in ENGINES for name in (engine.tls_variable, engine.ca_file_variable)),
    *(item.variable for engine in ENGINES for item in engine.numbers),
    *(item.variable for engine in ENGINES for item in engine.texts),
} - _KEYS
# Words of our own command lines.
_PROGRAMS = ("-m", "controller", "dumpers")
_VERBS = (
    "run",
    "dump",
    "check",
    "list",
    "restore",
    "load",
    "verify",
    "drill",
    "copy",
    "rehearse",
    "pin",
    "unpin",
)
_WORDS = frozenset((*_PROGRAMS, *_VERBS, "undo", "forget"))
_ANNOTATIONS = (names.PREFIX, "batch.kubernetes.io/", "cronjob.kubernetes.io/")
_REVISIONS = {"deployment.kubernetes.io/revision", "kubectl.kubernetes.io/restartedAt"}
_DROPPED = {"managedFields"}
# Fields of volumes and ConfigMaps whose insides are anybody's.
_OPAQUE = {"volumeAttributes", "options", "data", "stringData", "binaryData"}
_LISTS = {"command", "args"}
_NAMED = {"env", "httpHeaders"}
_SECRET_NAME = re.compile(
    r"passw|pwd|passphrase|secret|token|credential|api[_-]?key|access[_-]?key|private[_-]?key|auth",
    re.IGNORECASE,
)
# Names of objects are no secrets.
_REFERENCE = re.compile(r"name(space)?$|^secretRef$", re.IGNORECASE)
# Names of what is secret, from where they say so on.
_WORD = (
    r"(?:pass(?:w(?:or)?d)?|pwd|passphrase|secret|token|credentials?|api[_-]?key|access[_-]?key"
    r"|private[_-]?key)[\w.-]{0,60}"
)
_SCHEME = r"\b[a-z][a-z0-9+.-]{0,30}://"
_KEY_BLOCK = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}-----|\Z)"
_KEY_LINES = re.compile(_KEY_BLOCK, re.DOTALL)
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), put)
    for pattern, put in (
        (_KEY_BLOCK, MASK),
        (r"\bAGE-(?:SECRET-KEY|PLUGIN)-[0-9A-Z-]+", MASK),
        # What stands before the address, and what is asked of it: signatures, tokens.
        (rf"({_SCHEME})[^\s\"'<>]*@", rf"\1{MASK}@"),
        (rf"({_SCHEME}[^\s\"'<>?]*\?)[^\s\"'<>]+", rf"\1{MASK}"),
        (
            r"([?&][\w-]{0,60}(?:signature|credential|token|key|sig|auth)[\w-]*=)[^&\s\"']+",
            rf"\1{MASK}",
        ),
        (r"(\bauthorization[\"']?\s*[:=]\s*)[^\r\n\"']+", rf"\1{MASK}"),
        (r"\beyJ[\w-]{6,}\.[\w-]+(?:\.[\w-]*)?", MASK),
        (r"\b(?:gh[opsur]_|github_pat_|glpat-|xox[abeprs]-|hv[bs]\.|npm_|sk[_-])[\w.-]{8,}", MASK),
        (rf"(?<!\S)(-{{1,2}}[\w.-]{{0,60}}?{_WORD}[ =])\S+", rf"\1{MASK}"),
        (rf"({_WORD}\s*[:=]\s*)(?!\*)[^\s\"',;&)}}]+", rf"\1{MASK}"),
    )
)
_CASED = (
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"),
    # The shape of a secret access key.
    re.compile(
        r"(?<![\w/+=-])(?=[\w/+]*[a-z])(?=[\w/+]*[A-Z])(?=[\w/+]*[0-9])[A-Za-z0-9/+]{40}(?![\w/+=-])"
    ),
)
# A text that is longer is cut: whatever stands in a log, looking for secrets must come to an end.
_LONGEST, _BEYOND = 8000, 500
_SHORTEST = 6
_HEAD = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Redactor:
    """Redacts by what may stand where, by shapes, and by `secrets` that are known."""

    secrets: tuple[str, ...] = ()

    def item(self, value: Any, name: str = "") -> Any:
        """A JSON value without secrets; `name` is the member whose value it is."""
        match value:
            case dict():
                return self._object(value, name)
            case list() | tuple():
                if name in _LISTS:
                    return [text if text in _WORDS else MASK for text in value]
                return [self.item(each, name) for each in value]
            case str():
                is_secret = _SECRET_NAME.search(name) and not _REFERENCE.search(name)
                return MASK if is_secret and value else self.text(value)
        return value

    def text(self, text: str) -> str:
        """A text without what looks like a secret; JSON is looked at by its members."""
        if text[:1] in {"{", "["}:
            try:
                document = json.loads(text)
            except (ValueError, RecursionError):
                document = None
            if isinstance(document, dict | list):
                return json.dumps(self.item(document), ensure_ascii=False)
        if len(text) > _LONGEST:
            # What crosses the cut is found first.
            return self._masked(text[: _LONGEST + _BEYOND])[:_LONGEST] + CUT
        return self._masked(text)

    def log(self, lines: str) -> str:
        """The lines of a log without secrets; a private key may stand on many of them."""
        return "\n".join(map(self.text, _KEY_LINES.sub(MASK, lines).split("\n")))

    def _masked(self, text: str) -> str:
        for pattern, put in _SHAPES:
            text = pattern.sub(put, text)
        for pattern in _CASED:
            text = pattern.sub(MASK, text)
        return mask(text, [secret for secret in self.secrets if _may_hold(text, secret)])

    def _object(self, found: Json, name: str) -> Json:
        if name == "annotations":
            return {key: self._annotation(key, text) for key, text in found.items()}
        if name in _OPAQUE:
            return dict.fromkeys(found, MASK)
        if name in _NAMED and "value" in found:
            shown = found.get("name") in _OURS and name == "env"
            kept = self.text(str(found["value"])) if shown else MASK
            return {**found, "value": kept}
        return {key: self.item(each, key) for key, each in found.items() if key not in _DROPPED}

    def _annotation(self, key: str, text: str) -> str:
        is_known = key.startswith(_ANNOTATIONS) or key in _REVISIONS
        return self.text(text) if is_known else MASK


def inline_secrets(items: Iterable[Json]) -> tuple[str, ...]:
    """The values in pods and their templates that are masked there, to be found elsewhere, too."""
    found = {text for item in items for text in _inline(item) if len(text) >= _SHORTEST}
    return tuple(sorted(found))


def _inline(value: Any) -> Iterator[str]:
    match value:
        case {"env": list() as env, **more}:
            for item in env:
                if item.get("value") and item.get("name") not in _OURS:
                    yield str(item["value"])
            yield from _inline(more)
        case dict():
            for name, each in value.items():
                if name in _LISTS:
                    yield from (text for text in each or () if text not in _WORDS)
                else:
                    yield from _inline(each)
        case list() | tuple():
            for each in value:
                yield from _inline(each)


def _may_hold(text: str, secret: str) -> bool:
    """A cheap look before the thorough one, by the ends of the secret's spellings."""
    return any(form[:_HEAD] in text or form[-_HEAD:] in text for form in _forms(secret))


def _forms(secret: str) -> Sequence[str]:
    encoded = base64.b64encode(secret.encode("utf-8", "surrogateescape")).decode().rstrip("=")
    return secret, quote(secret, safe=""), encoded
