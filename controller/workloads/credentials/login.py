"""The login of a database: its own container's, or that of a named Secret (contract 5, 9.13).

This takes two steps, with a read of the cluster between them: `references` lists the Secrets and
ConfigMaps that matter, and `resolve` makes the job's variables of their data. Data that no
variable needs is not looked into, so a fault in it rejects nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from controller.model.kinds import SECRET
from controller.model.objects import Json, ObjectRef, Objects
from controller.model.status import Reason, Rejected, RejectedError
from controller.workloads.annotations import CREDENTIALS_SECRET, DATABASE, Annotation
from controller.workloads.containers import container_of
from controller.workloads.credentials.container_login import container_lookup, container_references
from controller.workloads.credentials.lookups import (
    Credentials,
    Lookup,
    find_login,
    first_set,
    user_name,
)
from controller.workloads.credentials.named_secret import (
    NamedSecret,
    keys_of_role,
    login_of_secret,
    secret_keys,
)
from controller.workloads.credentials.secret_data import SecretDataByRef, content_of, text_of
from controller.workloads.job_annotations import RESTORE_CREDENTIALS_SECRET
from controller.workloads.request import Request
from dumpers.contract.engine_spec import EngineSpec, Role
from dumpers.contract.names import CA_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKeys:
    """A Secret or ConfigMap that has to be read, and those of its keys that matter."""

    ref: ObjectRef
    keys: frozenset[str]


def references(pods: Objects, request: Request) -> tuple[SecretKeys, ...]:
    """List the objects to read before `resolve`; none where `resolve` rejects without them."""
    try:
        container = container_of(pods, request)
    except RejectedError:
        return ()
    keys: dict[ObjectRef, set[str]] = defaultdict(set)
    if request.credentials_secret:
        ref = ObjectRef(kind=SECRET, name=request.credentials_secret)
        keys[ref].update(secret_keys(request.engine))
    if request.restore_credentials_secret:
        ref = ObjectRef(kind=SECRET, name=request.restore_credentials_secret)
        keys[ref].update(secret_keys(request.engine))
    if request.ca_secret:
        keys[ObjectRef(kind=SECRET, name=request.ca_secret)].add(CA_KEY)
    for ref, key in container_references(pods[0], container, request.engine):
        keys[ref].add(key)
    return tuple(SecretKeys(ref=ref, keys=frozenset(found)) for ref, found in sorted(keys.items()))


def resolve(
    pods: Objects, request: Request, contents: SecretDataByRef
) -> dict[str, str] | Rejected:
    """The job's credential variables with their values; a rejection where a required one lacks."""
    try:
        container = container_of(pods, request)
        lookup = container_lookup(pods[0], container, request.engine, contents)
        found = _credentials(container, request, lookup, contents)
    except RejectedError as error:
        return error.rejected
    return _variables(found, request.engine)


def resolve_for_restores(
    pods: Objects, request: Request, contents: SecretDataByRef
) -> dict[str, str] | Rejected:
    """The variables of the login that restores use; empty where the annotations name no Secret.

    The database's name is none of them: a restore goes where the dumps come from.
    """
    try:
        secret = NamedSecret.read(
            request.restore_credentials_secret, RESTORE_CREDENTIALS_SECRET, contents
        )
        if secret is None:
            return {}
        container = container_of(pods, request)
        inside = container_lookup(pods[0], container, request.engine, contents)
        found = login_of_secret(secret, inside, request.engine)
        if not found:
            raise secret.without_login(request.engine)
    except RejectedError as error:
        return error.rejected
    return _variables(found, request.engine)


def _variables(found: Mapping[Role, str], engine: EngineSpec) -> dict[str, str]:
    """The engine's variables for what was found of a login."""
    return {item.variable: found[item.role] for item in engine.credentials if found.get(item.role)}


def certificates(request: Request, contents: SecretDataByRef) -> str | Rejected:
    """The certificates to trust, as PEM; empty where the annotations name no Secret."""
    try:
        return _certificates(request.ca_secret, contents) if request.ca_secret else ""
    except RejectedError as error:
        return error.rejected


def _certificates(name: str, contents: SecretDataByRef) -> str:
    ref = ObjectRef(kind=SECRET, name=name)
    content = content_of(ref, contents, optional=False)
    if content is None or CA_KEY not in content.data:
        raise RejectedError(Reason.CREDENTIAL_SOURCE_MISSING, f"{ref} has no key {CA_KEY!r}")
    return text_of(ref, CA_KEY, content)


def _credentials(
    container: Json, request: Request, inside: Lookup, contents: SecretDataByRef
) -> Credentials:
    """The login and database by role, of the Secret first, then of the container (`inside`)."""
    engine = request.engine
    required = engine.required_roles(dict(request.texts))
    secret = NamedSecret.read(request.credentials_secret, CREDENTIALS_SECRET, contents)
    login = login_of_secret(secret, inside, engine) if secret else {}
    login = login or find_login(engine.logins, inside)
    if not login and required & {Role.USERNAME, Role.PASSWORD}:
        signs = [name for item in engine.logins for name in item.signs]
        raise _missing(container, signs, CREDENTIALS_SECRET)
    database = (
        request.database
        or (secret and first_set(keys_of_role(engine, Role.DATABASE), secret.text))
        or first_set(engine.databases, inside)
        or (user_name(engine, inside) if engine.database_is_user else "")
    )
    if not database and Role.DATABASE in required:
        raise _missing(container, engine.databases, DATABASE)
    return login | {Role.DATABASE: database}


def _missing(container: Json, names: Collection[str], annotation: Annotation[str]) -> RejectedError:
    return RejectedError(
        Reason.CREDENTIALS_MISSING,
        f"the container {container.get('name', '')!r} sets none of {', '.join(names)}, "
        f"and no annotation {annotation.name} is there instead",
    )
