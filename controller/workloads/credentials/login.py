"""The login of a database, as its own container gets it or a Secret names it (contract 5, 9.13).

Two steps, because reading lies between: which Secrets and ConfigMaps matter, then, with their
content, what the job's variables hold. What is not needed is not looked into, so that it cannot
stand in the way.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from controller.model.kinds import SECRET
from controller.model.objects import Json, ObjectRef, Objects
from controller.model.status import Reason, Rejected, RejectedError
from controller.model.view import SecretData
from controller.workloads.annotations import CREDENTIALS_SECRET, DATABASE, Annotation
from controller.workloads.containers import FILE, container_of, variables_of
from controller.workloads.credentials import container_env, mounted_files
from controller.workloads.credentials.secret_data import SecretDataByRef, content_of, text_of
from controller.workloads.request import Request
from dumpers.contract.engine_spec import EngineSpec, Login, Role
from dumpers.contract.names import CA_KEY

# What people call these in a Secret, CloudNativePG's and Kubernetes' own names among them.
_PLAIN_KEYS = {
    Role.USERNAME: ("username", "user"),
    Role.PASSWORD: ("password",),
    Role.DATABASE: ("database", "dbname"),
    Role.API_KEY: ("api-key", "api_key"),
    Role.CERTIFICATE: ("tls.crt",),
    Role.CERTIFICATE_KEY: ("tls.key",),
}
# A name's text, empty where it acts as unset; RejectedError where it cannot be told.
_Lookup = Callable[[str], str]
_Login = dict[Role, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKeys:
    """An object that has to be read, and the keys of it that matter."""

    ref: ObjectRef
    keys: frozenset[str]


def references(pods: Objects, request: Request) -> tuple[SecretKeys, ...]:
    """What has to be read before `resolve`; nothing where that would reject anyway."""
    try:
        container = container_of(pods, request)
    except RejectedError:
        return ()
    keys: dict[ObjectRef, set[str]] = defaultdict(set)
    if request.credentials_secret:
        ref = ObjectRef(kind=SECRET, name=request.credentials_secret)
        keys[ref].update(_secret_keys(request.engine))
    if request.ca_secret:
        keys[ObjectRef(kind=SECRET, name=request.ca_secret)].add(CA_KEY)
    for ref, key in _container_references(pods[0], container, request.engine):
        keys[ref].add(key)
    return tuple(SecretKeys(ref=ref, keys=frozenset(found)) for ref, found in sorted(keys.items()))


def resolve(
    pods: Objects, request: Request, contents: SecretDataByRef
) -> dict[str, str] | Rejected:
    """The job's credential variables that are set, required ones surely among them."""
    try:
        container = container_of(pods, request)
        lookup = _in_container(pods[0], container, request.engine, contents)
        found = _credentials(container, request, lookup, contents)
    except RejectedError as error:
        return error.rejected
    return {
        item.variable: found[item.role]
        for item in request.engine.credentials
        if found.get(item.role)
    }


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
    container: Json, request: Request, inside: _Lookup, contents: SecretDataByRef
) -> _Login:
    engine = request.engine
    required = engine.required_roles(dict(request.texts))
    secret = _Named.read(request, contents)
    login = _login_of_secret(secret, inside, engine) if secret else {}
    login = login or _login(engine.logins, inside)
    if not login and required & {Role.USERNAME, Role.PASSWORD}:
        signs = [name for item in engine.logins for name in item.signs]
        raise _missing(container, signs, CREDENTIALS_SECRET)
    database = (
        request.database
        or (secret and _first(_keys(engine, Role.DATABASE), secret.text))
        or _first(engine.databases, inside)
        or (_user(engine, inside) if engine.database_is_user else "")
    )
    if not database and Role.DATABASE in required:
        raise _missing(container, engine.databases, DATABASE)
    return login | {Role.DATABASE: database}


def _login(logins: Iterable[Login], lookup: _Lookup) -> _Login:
    """The first login that counts; empty without any."""
    for item in logins:
        if _first(item.signs, lookup):
            return {
                Role.USERNAME: _first(item.username, lookup) or item.default,
                Role.PASSWORD: _first(item.password, lookup),
            }
    return {}


def _login_of_secret(secret: "_Named", inside: _Lookup, engine: EngineSpec) -> _Login:
    """The login that a Secret names; empty where it names a database only.

    What it lacks never comes from the container, but for the user: the container's password
    belongs to the container's user.
    """
    shown = {
        role: text
        for role in (Role.CERTIFICATE, Role.CERTIFICATE_KEY)
        if (text := _first(_keys(engine, role), secret.text))
    }
    if key := _first(_keys(engine, Role.API_KEY), secret.text):
        return {**shown, Role.API_KEY: key}
    if shown and not _first(_keys(engine, Role.PASSWORD), secret.text):
        return shown
    return {**shown, **_password_of_secret(secret, inside, engine)}


def _password_of_secret(secret: "_Named", inside: _Lookup, engine: EngineSpec) -> _Login:
    user = _first(_keys(engine, Role.USERNAME), secret.text)
    passwords = _keys(engine, Role.PASSWORD)
    if password := _first(passwords, secret.text):
        return {Role.USERNAME: user or _user(engine, inside), Role.PASSWORD: password}
    for name in engine.user_keys:
        if password := secret.text(name):
            return {Role.USERNAME: name, Role.PASSWORD: password}
    if other := _login(engine.logins[1:], secret.text):
        return other
    # An empty password must be meant: a key that has another name is the likelier case.
    optional = not any(item.required for item in engine.credentials if item.role is Role.PASSWORD)
    if user and optional and not secret.content.data.keys().isdisjoint(passwords):
        return {Role.USERNAME: user}
    if user or not _first(_keys(engine, Role.DATABASE), secret.text):
        known = (*passwords, *_keys(engine, Role.API_KEY), *engine.user_keys)
        raise RejectedError(
            Reason.CREDENTIAL_SOURCE_MISSING,
            f"{secret.ref}, which the annotation {CREDENTIALS_SECRET.name} names, holds none of "
            f"these keys: {', '.join(dict.fromkeys(known))}",
        )
    return {}


def _user(engine: EngineSpec, inside: _Lookup) -> str:
    """The user of the container's login, whether or not its password can be told."""
    for item in engine.logins:
        there = any(_is_there(name, inside) for name in (*item.username, *item.signs))
        if there and (user := _first(item.username, inside) or item.default):
            return user
    return next((item.default for item in engine.logins if item.default), "")


def _is_there(name: str, lookup: _Lookup) -> bool:
    try:
        return bool(lookup(name))
    except RejectedError:
        return True


def _first(names: Iterable[str], lookup: _Lookup) -> str:
    return next(filter(None, map(lookup, names)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """The Secret that an annotation names."""

    ref: ObjectRef
    content: SecretData

    @classmethod
    def read(cls, request: Request, contents: SecretDataByRef) -> "_Named | None":
        """The Secret of a request that names one."""
        if not request.credentials_secret:
            return None
        ref = ObjectRef(kind=SECRET, name=request.credentials_secret)
        content = content_of(ref, contents, optional=False)
        return cls(ref=ref, content=content) if content else None

    def text(self, key: str) -> str:
        """What is under a key, empty where there is none."""
        return text_of(self.ref, key, self.content) if key in self.content.data else ""


def _keys(engine: EngineSpec, role: Role) -> tuple[str, ...]:
    """The keys of a Secret that hold a credential: the job's names, the container's, plain ones."""
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


def _secret_keys(engine: EngineSpec) -> Iterator[str]:
    for role in Role:
        yield from _keys(engine, role)
    yield from engine.user_keys
    yield from engine.source_variables


def _in_container(
    pod: Json, container: Json, engine: EngineSpec, contents: SecretDataByRef
) -> _Lookup:
    """The container's variables, each from the file that its `_FILE` variant names if unset.

    With both, Bitnami's images prefer the file and the others refuse to start; 0.6.0 knew no
    files, so what it took stays.
    """
    values = container_env.variables(pod, container, variables_of(engine), contents)
    paths = _paths(pod, container, engine)

    def plain(name: str) -> str:
        found = values.get(name, "")
        if isinstance(found, Rejected):
            raise RejectedError(found.reason, found.message)
        return found

    def lookup(name: str) -> str:
        variable = name + FILE
        if (text := plain(name)) or not plain(variable):
            return text
        if variable not in paths:
            raise RejectedError(
                Reason.CREDENTIAL_SOURCE_UNSUPPORTED,
                f"{variable} comes from a Secret or ConfigMap: only a path that the pod states "
                "can be followed",
            )
        try:
            return mounted_files.text(
                mounted_files.files(pod, container, paths[variable]), contents
            )
        except RejectedError as error:
            raise RejectedError(error.rejected.reason, f"{variable}: {error}") from None

    return lookup


def _container_references(
    pod: Json, container: Json, engine: EngineSpec
) -> Iterator[tuple[ObjectRef, str]]:
    yield from container_env.references(container, variables_of(engine))
    for path in _paths(pod, container, engine).values():
        try:
            files = mounted_files.files(pod, container, path)
        except RejectedError:
            # Told by whoever needs it.
            continue
        yield from ((file.ref, file.key) for file in files)


def _paths(pod: Json, container: Json, engine: EngineSpec) -> Mapping[str, str]:
    """The paths that `_FILE` variables hold, as far as they are known before anything is read."""
    known = variables_of(engine)
    names = {
        name
        for entry in container.get("env") or ()
        if (name := str(entry.get("name", ""))).endswith(FILE) and name in known
    }
    values = container_env.variables(pod, container, names, {}) if names else {}
    return {name: path for name, path in values.items() if isinstance(path, str) and path}


def _missing(container: Json, names: Collection[str], annotation: Annotation[str]) -> RejectedError:
    return RejectedError(
        Reason.CREDENTIALS_MISSING,
        f"the container {container.get('name', '')!r} sets none of {', '.join(names)}, "
        f"and no annotation {annotation.name} is there instead",
    )
