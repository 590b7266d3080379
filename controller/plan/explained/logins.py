"""Why a container and a login are taken, or are not: names of variables and keys, no values."""

from collections.abc import Iterator

from controller.model.kinds import SECRET
from controller.model.objects import Json, Objects
from controller.model.status import RejectedError
from controller.plan.explained.decision import Decision, choice
from controller.workloads.annotations import CREDENTIALS_SECRET
from controller.workloads.containers import container_of, variables_of
from controller.workloads.credentials.container_login import container_lookup
from controller.workloads.credentials.env_sources import key_reference
from controller.workloads.credentials.lookups import Lookup
from controller.workloads.credentials.named_secret import (
    NamedSecret,
    login_of_secret,
    secret_keys,
)
from controller.workloads.credentials.secret_data import SecretDataByRef
from controller.workloads.request import Request
from controller.workloads.workload import Workload


def login_decisions(
    workload: Workload, request: Request, contents: SecretDataByRef
) -> Iterator[Decision]:
    """Explain each container of the first pod, the named Secret, and each way to log in."""
    key, pods = workload.key, workload.pods
    try:
        container = container_of(pods, request)
        inside = container_lookup(pods[0], container, request.engine, contents)
    except RejectedError as error:
        yield choice(key, "container", str(error), chosen=False)
        return
    yield from _containers(key, pods, container, request)
    taken = False
    if request.credentials_secret:
        taken, why = _named_secret(request, contents, inside)
        yield choice(key, f"{SECRET}/{request.credentials_secret}", why, chosen=taken)
    for item in request.engine.logins:
        is_set, why = _signs(item.signs, container, inside)
        if taken and is_set:
            why = f"one before it is taken; {why}"
        yield choice(key, f"login {item.signs[0]}", why, chosen=is_set and not taken)
        taken = taken or is_set


def _containers(key: str, pods: Objects, taken: Json, request: Request) -> Iterator[Decision]:
    known = variables_of(request.engine)
    for item in (pods[0].get("spec") or {}).get("containers") or ():
        name = str(item.get("name", ""))
        own = sorted(entry["name"] for entry in item.get("env") or () if entry.get("name") in known)
        why = f"sets {', '.join(own)}" if own else "sets no variable of the engine by name"
        if request.container:
            why = f"the annotation container names {request.container}; it {why}"
        yield choice(key, f"container {name}", why, chosen=item is taken)


def _named_secret(request: Request, contents: SecretDataByRef, inside: Lookup) -> tuple[bool, str]:
    """Whether the Secret that an annotation names holds the login, and why."""
    engine, why = request.engine, f"the annotation {CREDENTIALS_SECRET.key} names it"
    try:
        secret = NamedSecret.read(request.credentials_secret, CREDENTIALS_SECRET, contents)
        login = login_of_secret(secret, inside, engine) if secret else {}
    except RejectedError as error:
        return False, f"{why}, but {error}"
    data = secret.content.data if secret else {}
    held = sorted({name for name in secret_keys(engine) if name in data})
    return bool(login), f"{why}; of its keys these matter: {', '.join(held) or 'none'}"


def _signs(signs: tuple[str, ...], container: Json, inside: Lookup) -> tuple[bool, str]:
    """Whether one of the variables is set that make a login count, and where it comes from."""
    troubles = []
    for name in signs:
        try:
            if inside(name):
                return True, f"{name} is set, {_source(name, container)}"
        except RejectedError as error:
            troubles.append(f"{name} cannot be known: {error}")
    return False, "; ".join(troubles) or f"none of {', '.join(signs)} is set"


def _source(name: str, container: Json) -> str:
    """Where a container has a variable from."""
    for entry in container.get("env") or ():
        if entry.get("name") == name:
            reference = key_reference(entry)
            return f"from {reference.key} of {reference.ref}" if reference else "in the pod itself"
    return "by envFrom or a file"
