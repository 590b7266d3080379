"""The login in a Secret that an annotation names: for dumps, or for restores (contract 9.13)."""

from collections.abc import Iterator
from dataclasses import dataclass

from controller.model.kinds import SECRET
from controller.model.objects import ObjectRef
from controller.model.status import Reason, RejectedError
from controller.model.view import SecretData
from controller.workloads.annotations import Annotation
from controller.workloads.credentials.lookups import (
    Credentials,
    Lookup,
    find_login,
    first_set,
    user_name,
)
from controller.workloads.credentials.secret_data import SecretDataByRef, content_of, text_of
from dumpers.contract.engine_spec import EngineSpec, Role

# Common keys of credentials in a Secret, among them CloudNativePG's and Kubernetes' own.
_PLAIN_KEYS = {
    Role.USERNAME: ("username", "user"),
    Role.PASSWORD: ("password",),
    Role.DATABASE: ("database", "dbname"),
    Role.API_KEY: ("api-key", "api_key"),
    Role.CERTIFICATE: ("tls.crt",),
    Role.CERTIFICATE_KEY: ("tls.key",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSecret:
    """The Secret that an annotation names."""

    ref: ObjectRef
    content: SecretData
    annotation: Annotation[str]

    @classmethod
    def read(
        cls, name: str, annotation: Annotation[str], contents: SecretDataByRef
    ) -> "NamedSecret | None":
        """The Secret of this name, None where it is empty; RejectedError if it is not known."""
        if not name:
            return None
        ref = ObjectRef(kind=SECRET, name=name)
        content = content_of(ref, contents, optional=False)
        return cls(ref=ref, content=content, annotation=annotation) if content else None

    def without_login(self, engine: EngineSpec) -> RejectedError:
        """The error for a Secret that holds no login of an engine."""
        passwords = keys_of_role(engine, Role.PASSWORD)
        known = (*passwords, *keys_of_role(engine, Role.API_KEY), *engine.user_keys)
        return RejectedError(
            Reason.CREDENTIAL_SOURCE_MISSING,
            f"{self.ref}, which the annotation {self.annotation.name} names, holds none of "
            f"these keys: {', '.join(dict.fromkeys(known))}",
        )

    def text(self, key: str) -> str:
        """The text under a key; empty without that key."""
        return text_of(self.ref, key, self.content) if key in self.content.data else ""


def login_of_secret(secret: NamedSecret, inside: Lookup, engine: EngineSpec) -> Credentials:
    """The login that a Secret holds; empty where it holds nothing but a database's name.

    Of what the Secret lacks only the user may come from the container (`inside`): the container's
    password belongs to the container's user.
    """
    client_certificate = {
        role: text
        for role in (Role.CERTIFICATE, Role.CERTIFICATE_KEY)
        if (text := first_set(keys_of_role(engine, role), secret.text))
    }
    if key := first_set(keys_of_role(engine, Role.API_KEY), secret.text):
        return {**client_certificate, Role.API_KEY: key}
    if client_certificate and not first_set(keys_of_role(engine, Role.PASSWORD), secret.text):
        return client_certificate
    return {**client_certificate, **_password_login(secret, inside, engine)}


def _password_login(secret: NamedSecret, inside: Lookup, engine: EngineSpec) -> Credentials:
    user = first_set(keys_of_role(engine, Role.USERNAME), secret.text)
    passwords = keys_of_role(engine, Role.PASSWORD)
    if password := first_set(passwords, secret.text):
        return {Role.USERNAME: user or user_name(engine, inside), Role.PASSWORD: password}
    for name in engine.user_keys:
        if password := secret.text(name):
            return {Role.USERNAME: name, Role.PASSWORD: password}
    if other := find_login(engine.logins[1:], secret.text):
        return other
    # Without a password's key, another name of that key is likelier than an empty password.
    optional = not any(item.required for item in engine.credentials if item.role is Role.PASSWORD)
    if user and optional and not secret.content.data.keys().isdisjoint(passwords):
        return {Role.USERNAME: user}
    if user or not first_set(keys_of_role(engine, Role.DATABASE), secret.text):
        raise secret.without_login(engine)
    return {}


def keys_of_role(engine: EngineSpec, role: Role) -> tuple[str, ...]:
    """A Secret's keys for a credential: the job's variables, the container's, common names."""
    own = [
        name
        for item in engine.credentials
        if item.role is role
        for name in (item.variable, *item.fallbacks)
    ]
    if not own:
        return ()
    first = engine.logins[0]
    inside = {
        Role.USERNAME: first.username,
        Role.PASSWORD: first.password,
        Role.DATABASE: engine.databases,
    }
    return (*own, *inside.get(role, ()), *_PLAIN_KEYS[role])


def secret_keys(engine: EngineSpec) -> Iterator[str]:
    """All keys of a named Secret that may matter for an engine."""
    for role in Role:
        yield from keys_of_role(engine, role)
    yield from engine.user_keys
    yield from engine.source_variables
