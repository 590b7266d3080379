"""Builds the variables of a job's storages, which the job reads by `dumpers.contract.storages`.

CronJobs of one storage share them: they are most of what a CronJob holds.
"""

from collections.abc import Iterator, Sequence
from functools import cache, partial

from controller.manifests.storages.entries import from_configmap, from_secret, plain_variable
from controller.manifests.storages.sources import Source
from controller.model.objects import Json
from controller.settings.storages.storage import Storage
from dumpers.contract import names as variables
from dumpers.contract.storages import variables as storage_variables
from dumpers.contract.storages.bucket_info import BUCKET_INFO_KEY
from dumpers.contract.storages.named_storage import MAIN
from dumpers.contract.storages.variables import named_variable

# Variable, key in the user's ConfigMap or Secret, and whether it is optional, as in 0.6.0.
_CONFIGMAP_KEYS = (
    (storage_variables.S3_REGION, "S3_REGION", True),
    (storage_variables.S3_ENDPOINT, "S3_ENDPOINT", True),
    (storage_variables.S3_BUCKET, "S3_BUCKET", False),
)
# The variables with the keys of the store, and the keys of the Secret that has them.
SECRET_KEYS = (
    (storage_variables.S3_ACCESS_KEY, "AWS_ACCESS_KEY_ID"),
    (storage_variables.S3_SECRET_KEY, "AWS_SECRET_ACCESS_KEY"),
)
# All variables with the keys of a storage, and the one that says that there are such.
KEYS = frozenset(
    (
        *(name for name, _ in SECRET_KEYS),
        storage_variables.KEYS_SAID,
        storage_variables.S3_BUCKET_INFO,
    )
)
# Keys of the ConfigMap that 0.6.0 did not know, all of them optional.
_MORE_CONFIGMAP_KEYS = (
    (storage_variables.S3_PATH_STYLE, "S3_PATH_STYLE"),
    (storage_variables.S3_CA_BUNDLE, "S3_CA_BUNDLE"),
    (storage_variables.S3_STORAGE_CLASS, "S3_STORAGE_CLASS"),
    (storage_variables.S3_SSE, "S3_SSE"),
    (storage_variables.S3_SSE_KMS_KEY_ID, "S3_SSE_KMS_KEY_ID"),
    (storage_variables.S3_TAGS, "S3_TAGS"),
    (storage_variables.S3_MAX_BANDWIDTH, "S3_MAX_BANDWIDTH"),
    (storage_variables.S3_PATIENCE, "S3_PATIENCE"),
    (storage_variables.S3_UPLOAD_CONCURRENCY, "S3_UPLOAD_CONCURRENCY"),
    (storage_variables.S3_OBJECT_LOCK, "S3_OBJECT_LOCK"),
)


def places(sources: Sequence[Source]) -> tuple[Json, ...]:
    """Where the first storage is, and its keys: what 0.6.0 knew of its one storage."""
    return _place(sources[0], is_first=True)


def further(sources: Sequence[Source], config: str) -> tuple[Json, ...]:
    """All else: options of the first storage, proxies by the ConfigMap `config`, other storages."""
    first, *others = sources
    names = [source.storage.name for source in sources]
    listed = () if names == [MAIN] else (plain_variable(variables.STORAGES, ",".join(names)),)
    of_others = (
        (*_place(source, is_first=False), *_options(source, is_first=False)) for source in others
    )
    return (
        *_options(first, is_first=True),
        *_proxies(config),
        *listed,
        *(item for items in of_others for item in items),
    )


def variables_of(sources: Sequence[Source], config: str) -> tuple[Json, ...]:
    """All variables of a job's storages; see `places` and `further`."""
    return (*places(sources), *further(sources, config))


def key_variables(
    secret: str, storage: str, *, is_first: bool, is_bucket_info: bool
) -> Iterator[Json]:
    """The variables with the keys of a storage, from a Secret with them or with BucketInfo."""
    if is_bucket_info:
        # Its bucket is not known without it: the pod waits for COSI to make it.
        name = _variable(storage_variables.S3_BUCKET_INFO, storage, is_first=is_first)
        yield from_secret(secret, name, BUCKET_INFO_KEY)
        return
    if not is_first:
        name = named_variable(storage_variables.KEYS_SAID, storage)
        yield plain_variable(name, storage_variables.KEYS_OF_SECRET)
    for variable, key in SECRET_KEYS:
        # A Secret that is not there must keep no job from its first storage: it finds that it was
        # to have keys of this one, and goes to the others.
        name = _variable(variable, storage, is_first=is_first)
        yield from_secret(secret, name, key, optional=not is_first)


def _variable(variable: str, storage: str, *, is_first: bool) -> str:
    """What a variable is called for a storage of a job."""
    return variable if is_first else named_variable(variable, storage)


@cache
def _place(source: Source, *, is_first: bool) -> tuple[Json, ...]:
    return tuple(_place_of(source, is_first=is_first))


def _place_of(source: Source, *, is_first: bool) -> Iterator[Json]:
    storage = source.storage
    name = partial(_variable, storage=storage.name, is_first=is_first)
    if is_first:
        yield plain_variable(storage_variables.BACKEND_TYPE, storage_variables.BACKEND_S3)
    yield plain_variable(name(storage_variables.BACKEND_PATH), storage.path)
    if source.config:
        for variable, key, optional in _CONFIGMAP_KEYS:
            yield from_configmap(source.config, name(variable), key, optional=optional)
    else:
        literals = {
            storage_variables.S3_REGION: storage.region,
            storage_variables.S3_ENDPOINT: storage.endpoint,
            storage_variables.S3_BUCKET: storage.bucket,
        }
        for variable, text in literals.items():
            if text:
                yield plain_variable(name(variable), text)
    if source.secret:
        is_bucket_info = bool(storage.bucket_info_secret)
        yield from key_variables(
            source.secret, storage.name, is_first=is_first, is_bucket_info=is_bucket_info
        )


@cache
def _options(source: Source, *, is_first: bool) -> tuple[Json, ...]:
    storage = source.storage
    name = partial(_variable, storage=storage.name, is_first=is_first)
    if source.config:
        return tuple(
            from_configmap(source.config, name(variable), key, optional=True)
            for variable, key in _MORE_CONFIGMAP_KEYS
        )
    return (
        *(plain_variable(name(variable), text) for variable, text in _literals(storage) if text),
        *_certificates(storage, name(storage_variables.S3_CA_BUNDLE), is_first=is_first),
    )


def _literals(storage: Storage) -> Iterator[tuple[str, str]]:
    """The options of a storage that its definition says; empty where it does not."""
    lock, path_style = storage.object_lock, storage.path_style
    yield storage_variables.S3_PATH_STYLE, "" if path_style is None else str(path_style).lower()
    yield storage_variables.S3_STORAGE_CLASS, storage.storage_class
    yield storage_variables.S3_SSE, storage.sse
    yield storage_variables.S3_SSE_KMS_KEY_ID, storage.sse_kms_key_id
    yield storage_variables.S3_TAGS, storage.tags
    yield storage_variables.S3_MAX_BANDWIDTH, storage.max_bandwidth
    yield storage_variables.S3_PATIENCE, storage.patience
    yield storage_variables.S3_UPLOAD_CONCURRENCY, str(storage.upload_concurrency or "")
    yield storage_variables.S3_OBJECT_LOCK, f"{lock.mode}:{lock.days}" if lock else ""


def _certificates(storage: Storage, name: str, *, is_first: bool) -> tuple[Json, ...]:
    """The variable with the certificates to trust; empty where public ones are."""
    if not (ca := storage.ca):
        return ()
    if ca.secret:
        return (from_secret(ca.secret, name, ca.key, optional=not is_first),)
    return (from_configmap(ca.config_map, name, ca.key, optional=not is_first),)


@cache
def _proxies(config: str) -> tuple[Json, ...]:
    """The variables of proxies: one for all storages of a job."""
    return tuple(
        from_configmap(config, name, name, optional=True) for name in storage_variables.PROXIES
    )
