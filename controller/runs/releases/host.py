"""The database host of a CronJob's runs."""

from controller.model.names import type_in
from controller.model.objects import Json, name_of
from dumpers.engines.registry import find as find_engine


def host_of(cronjob: Json) -> str:
    """The host that the CronJob's runs connect to; empty where that cannot be read."""
    engine = find_engine(type_in(name_of(cronjob)))
    if engine is None:
        return ""
    try:
        pod = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        variables = [item for box in pod["containers"] for item in box.get("env") or ()]
    except (KeyError, TypeError, AttributeError):
        return ""
    wanted = engine.host_variable
    return next(
        (str(item.get("value", "")) for item in variables if item.get("name") == wanted), ""
    )
