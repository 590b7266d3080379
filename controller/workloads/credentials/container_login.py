"""The variables of the database's container, each by its value or by its `_FILE` variant."""

from collections.abc import Iterator, Mapping

from controller.model.objects import Json, ObjectRef
from controller.model.status import Reason, Rejected, RejectedError
from controller.workloads.containers import FILE, file_variables_of, variables_of
from controller.workloads.credentials import container_env, mounted_files
from controller.workloads.credentials.lookups import Lookup
from controller.workloads.credentials.secret_data import SecretDataByRef
from dumpers.contract.engine_spec import EngineSpec


def container_lookup(
    pod: Json, container: Json, engine: EngineSpec, contents: SecretDataByRef
) -> Lookup:
    """Look up the container's variables; an unset one is read from the file of its `_FILE` variant.

    Where both are set, Bitnami's images prefer the file and the others refuse to start. The value
    wins here, as in 0.6.0, which knew no files.
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
            return mounted_files.text_of_files(
                mounted_files.files(pod, container, paths[variable]), contents
            )
        except RejectedError as error:
            raise RejectedError(error.rejected.reason, f"{variable}: {error}") from None

    return lookup


def container_references(
    pod: Json, container: Json, engine: EngineSpec
) -> Iterator[tuple[ObjectRef, str]]:
    """The objects, each with one key, that have to be read to know these variables."""
    yield from container_env.references(container, variables_of(engine))
    for path in _paths(pod, container, engine).values():
        try:
            files = mounted_files.files(pod, container, path)
        except RejectedError:
            # The lookup of the variable raises this again.
            continue
        yield from ((file.ref, file.key) for file in files)


def _paths(pod: Json, container: Json, engine: EngineSpec) -> Mapping[str, str]:
    """The paths that `_FILE` variables hold, as far as they are known before anything is read."""
    env = container.get("env") or ()
    names = file_variables_of(engine).intersection(entry.get("name", "") for entry in env)
    values = container_env.variables(pod, container, names, {}) if names else {}
    return {name: path for name, path in values.items() if isinstance(path, str) and path}
