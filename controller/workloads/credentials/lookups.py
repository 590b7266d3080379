"""Finds logins by the names of variables, in a container or among a Secret's keys."""

from collections.abc import Callable, Iterable

from controller.model.status import RejectedError
from dumpers.contract.engine_spec import EngineSpec, Login, Role

# Returns the text of a name, empty where it is unset; RejectedError where it cannot be known.
Lookup = Callable[[str], str]
# The values of a login by their roles; a role without a value is absent or empty.
Credentials = dict[Role, str]


def find_login(logins: Iterable[Login], lookup: Lookup) -> Credentials:
    """The first login of which a sign is set; empty without any."""
    for item in logins:
        if first_set(item.signs, lookup):
            return {
                Role.USERNAME: first_set(item.username, lookup) or item.default,
                Role.PASSWORD: first_set(item.password, lookup),
            }
    return {}


def user_name(engine: EngineSpec, inside: Lookup) -> str:
    """The user of the container's login, whether or not its password can be known."""
    for item in engine.logins:
        is_used = any(_is_set(name, inside) for name in (*item.username, *item.signs))
        if is_used and (user := first_set(item.username, inside) or item.default):
            return user
    return next((item.default for item in engine.logins if item.default), "")


def _is_set(name: str, lookup: Lookup) -> bool:
    """Whether a name is set; one whose text cannot be known is."""
    try:
        return bool(lookup(name))
    except RejectedError:
        return True


def first_set(names: Iterable[str], lookup: Lookup) -> str:
    """The text of the first of these names that is set; empty without any."""
    return next(filter(None, map(lookup, names)), "")
