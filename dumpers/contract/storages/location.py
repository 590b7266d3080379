"""Where objects go and how: the part of a job's environment on one storage, read and checked.

Pure: whether a certificate, a bucket or a right is good shows in use, in `storage.s3`.
"""

from dataclasses import dataclass, field

from dumpers.contract.env_reader import EnvReader
from dumpers.contract.key_names import normalise_path
from dumpers.contract.storages import options
from dumpers.contract.storages.bucket_info import BucketInfo, parse_bucket_info
from dumpers.contract.storages.object_lock import ObjectLock
from dumpers.contract.storages.storage_reader import StorageReader
from dumpers.contract.storages.variables import (
    BACKEND_PATH,
    BACKEND_S3,
    BACKEND_TYPE,
    KEYS_SAID,
    S3_ACCESS_KEY,
    S3_BUCKET,
    S3_BUCKET_INFO,
    S3_CA_BUNDLE,
    S3_ENDPOINT,
    S3_PATH_STYLE,
    S3_REGION,
    S3_SECRET_KEY,
    S3_SSE_KMS_KEY_ID,
)

_SWITCH = {"": None, "true": True, "false": False}
_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Location:
    """Where objects go. Without keys the SDK's default credential chain decides.

    Raises nothing by itself; `endpoint` beats the region's own endpoint, the region still signs.
    `ca_bundle` is PEM text; `path_style` None means: where an endpoint is set; `max_bandwidth` is
    in bytes a second, None for as fast as it goes; `patience` is how many seconds a run waits for
    a store that is away. `storage_class` and `object_lock` are for dumps and manifests, not for
    other records. `upload_concurrency` parts of one object are under way at a time.
    """

    bucket: str
    path: str
    region: str | None = None
    endpoint: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    path_style: bool | None = None
    ca_bundle: str | None = field(default=None, repr=False)
    storage_class: str | None = None
    sse: str | None = None
    sse_kms_key_id: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    max_bandwidth: int | None = None
    patience: int = options.DEFAULT_PATIENCE
    upload_concurrency: int = options.DEFAULT_UPLOAD_CONCURRENCY
    object_lock: ObjectLock | None = None


def read_location(env: EnvReader, storage: str = "") -> S3Location:
    """Read a location; faults are those of `env`.

    `storage` names one that is not the job's first, whose variables have the names of
    `named_variable`. What a COSI Secret says of the bucket counts where no variable says it.
    """
    reader = StorageReader(env, storage)
    backend = reader.text(BACKEND_TYPE) or BACKEND_S3
    if backend != BACKEND_S3:
        reader.fault(BACKEND_TYPE, f"is {backend!r}: the only backend is 's3'")
    info = _bucket_info(reader)
    access, secret = _keys(reader, info)
    bucket = reader.text(S3_BUCKET) or info.bucket
    if not bucket and not reader.text(S3_BUCKET_INFO):
        reader.fault(
            S3_BUCKET,
            "is not set: it must hold the S3 bucket's name (ConfigMap key S3_BUCKET)",
        )
    return S3Location(
        bucket=bucket,
        path=normalise_path(reader.text(BACKEND_PATH)),
        region=reader.text(S3_REGION) or info.region or None,
        endpoint=_endpoint(reader, info),
        access_key=access or None,
        secret_key=secret or None,
        path_style=_path_style(reader),
        ca_bundle=_ca_bundle(reader),
        storage_class=options.read_storage_class(reader),
        sse=options.read_sse(reader),
        sse_kms_key_id=reader.text(S3_SSE_KMS_KEY_ID) or None,
        tags=options.read_tags(reader),
        max_bandwidth=options.read_bandwidth(reader),
        patience=options.read_patience(reader),
        upload_concurrency=options.read_upload_concurrency(reader),
        object_lock=options.read_object_lock(reader),
    )


def _bucket_info(reader: StorageReader) -> BucketInfo:
    text = reader.text(S3_BUCKET_INFO)
    if text:
        try:
            return parse_bucket_info(text)
        except ValueError as error:
            reader.fault(S3_BUCKET_INFO, str(error))
    return BucketInfo()


def _keys(reader: StorageReader, info: BucketInfo) -> tuple[str, str]:
    access, secret = reader.text(S3_ACCESS_KEY), reader.text(S3_SECRET_KEY)
    if not access and not secret:
        access, secret = info.access_key, info.secret_key
    if not access and not secret and reader.text(KEYS_SAID):
        # Without keys of ours the pod's own identity would sign what goes to a foreign endpoint.
        reader.fault(
            S3_ACCESS_KEY,
            f"and {reader.name(S3_SECRET_KEY)} are not set: the storage's Secret, which has "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, is missing or empty",
        )
    if bool(access) != bool(secret):
        missing = S3_SECRET_KEY if access else S3_ACCESS_KEY
        reader.fault(missing, "is not set: give both S3 keys, or none for identity")
    return access, secret


def _endpoint(reader: StorageReader, info: BucketInfo) -> str | None:
    endpoint = reader.text(S3_ENDPOINT)
    variable = S3_ENDPOINT if endpoint else S3_BUCKET_INFO
    endpoint = endpoint or info.endpoint
    if "@" in endpoint:
        reader.fault(variable, "holds a user name: give keys in the Secret instead")
    elif endpoint and not endpoint.startswith(("http://", "https://")):
        reader.fault(variable, f"is {endpoint!r}: it must start with http(s)://")
    return endpoint or None


def _path_style(reader: StorageReader) -> bool | None:
    text = reader.text(S3_PATH_STYLE)
    if text not in _SWITCH:
        reader.fault(S3_PATH_STYLE, f"is {text[:_SHOWN]!r}: it must be true or false")
        return None
    return _SWITCH[text]


def _ca_bundle(reader: StorageReader) -> str | None:
    text = reader.text(S3_CA_BUNDLE)
    if not text.strip():
        return None
    # None of the faults shows the value: what was pasted may be a key.
    if "PRIVATE KEY-----" in text:
        reader.fault(
            S3_CA_BUNDLE,
            "holds a private key: give only the CA's certificate, and treat the key as leaked",
        )
    elif "-----BEGIN CERTIFICATE-----" not in text or "-----END CERTIFICATE-----" not in text:
        reader.fault(
            S3_CA_BUNDLE,
            "holds no certificate: it must be PEM text, from -----BEGIN "
            "CERTIFICATE----- to -----END CERTIFICATE-----, not a path",
        )
    return text
