"""Single variables of a container, as Kubernetes has them."""

from typing import Any

from controller.model.objects import Json


def plain_variable(name: str, value: str) -> Json:
    """A variable whose value stands in the object itself, so it must be no secret."""
    # Kubernetes would replace `$(NAME)` by another variable's value, which may be a secret.
    return {"name": name, "value": value.replace("$", "$$")}


def from_secret(secret: str, name: str, key: str, *, optional: bool = False) -> Json:
    """A variable whose value is a key of a Secret; an optional one may be absent."""
    return _referring("secretKeyRef", secret, name, key, optional=optional)


def from_configmap(config: str, name: str, key: str, *, optional: bool) -> Json:
    """A variable whose value is a key of a ConfigMap; an optional one may be absent."""
    return _referring("configMapKeyRef", config, name, key, optional=optional)


def _referring(kind: str, object_name: str, name: str, key: str, *, optional: bool) -> Json:
    source: dict[str, Any] = {"name": object_name, "key": key}
    if optional:
        source["optional"] = True
    return {"name": name, "valueFrom": {kind: source}}
