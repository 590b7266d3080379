"""Setting up the SDK's client: endpoint, credentials, trust, time limits."""

import functools
import os
import ssl
from typing import Any

from botocore.config import Config
from botocore.session import Session

from dumpers.contract.storages.location import S3Location
from dumpers.contract.storages.variables import (
    S3_CA_BUNDLE,
    S3_ENDPOINT,
    S3_REGION,
)
from dumpers.runtime.errors import StorageUnfitError
from dumpers.runtime.version import VERSION
from dumpers.storage.s3.descriptions import Descriptions, descriptions

_DEFAULT_REGION = "us-east-1"
# Together less than a minute, in which a silent store is noticed.
_CONNECT_SECONDS, _READ_SECONDS, _CONNECTIONS = 10, 45, 16


def connect(location: S3Location, *, signature: str | None = None) -> Any:
    """An S3 client for this location; no request is made.

    `signature` is the version by which requests are signed, None for the SDK's choice.
    StorageUnfitError for a CA, an endpoint or a region that cannot be one.
    """
    # Without keys of ours the SDK's own chain decides: environment, web identity, pod identity,
    # instance role. Proxy variables are read by the SDK, too.
    addressing = {None: "path" if location.endpoint else "auto", True: "path", False: "virtual"}
    config = Config(
        signature_version=signature,
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        # Trying again is the run's own affair (`storage.patience`): the SDK's five attempts are
        # spent within a second where a store refuses connections, and take minutes where it is
        # silent.
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=_CONNECTIONS,
        s3={"addressing_style": addressing[location.path_style]},
        # Checksums are ours to ask for: stores that do not know them refuse unasked ones.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent_extra=f"ksnapshot/{VERSION}",
    )
    session = Session()
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    if location.ca_bundle:
        # For every client of the session, the token service's too.
        session.set_config_variable("ca_bundle", _ca_file(location.ca_bundle))
    try:
        return session.create_client(
            "s3",
            region_name=location.region or session.get_config_variable("region") or _DEFAULT_REGION,
            endpoint_url=location.endpoint,
            aws_access_key_id=location.access_key,
            aws_secret_access_key=location.secret_key,
            config=config,
        )
    except ValueError as error:
        raise StorageUnfitError(
            f"the SDK makes no client of {S3_ENDPOINT} and {S3_REGION}: {error}"
        ) from error


@functools.cache
def _loader(path: str | None) -> Descriptions:
    """Reads the SDK's own descriptions of S3 and its endpoints, once for all clients of a process.

    Each session would read them again, which takes most of the time that a client does. `path` is
    what the environment adds to the SDK's folders, None where it adds nothing.
    """
    return descriptions(path)


def _ca_file(text: str) -> str:
    """A path to this text, in memory: the SDK wants a path, and the root file system is read-only.

    StorageUnfitError if the text holds no certificate that TLS can use.
    """
    try:
        ssl.create_default_context(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise StorageUnfitError(
            f"{S3_CA_BUNDLE} holds no usable certificate ({error}): give the CA's certificate as "
            "PEM text, as `openssl x509 -in ca.crt` prints it"
        ) from error
    # Open as long as the process lives.
    descriptor = os.memfd_create("ca-bundle")
    os.write(descriptor, text.encode())
    return f"/proc/self/fd/{descriptor}"
