"""Reads answers of the API server, and cuts them down to the wanted fields while parsing them."""

import time
from collections.abc import Callable
from functools import cache
from typing import Any, Generic, TypeAlias, TypeVar, cast

import msgspec
import urllib3

from controller.kube import projections
from controller.kube.client import Document, Resource

T = TypeVar("T")
# Raises ValueError or RecursionError if the body is not what is expected.
Decode: TypeAlias = Callable[[bytearray], T]
JSON = "application/json"
_METADATA = "PartialObjectMetadataList"
_CHUNK = 1 << 16
_parse = msgspec.json.Decoder(Document).decode


class Page(msgspec.Struct, Generic[T]):
    """One page of a list, as the API server answers it."""

    kind: str = ""
    metadata: dict[str, Any] | None = None
    items: list[T] | None = None


def read_body(response: urllib3.BaseHTTPResponse, deadline: float) -> bytearray:
    """Read the whole body by the deadline; a socket's timeout alone would not end a trickle."""
    body = bytearray()
    for chunk in response.stream(_CHUNK):
        body += chunk
        if time.monotonic() > deadline:
            response.close()
            raise TimeoutError
    response.release_conn()
    return body


def decode_document(body: bytearray) -> Document:
    """Decode an object with everything but `managedFields`, half the bytes of many an object."""
    return _without_managed_fields(_parse(body))


@cache
def object_decoder(shape: type | None) -> Decode[Document]:
    """Return what decodes one object to `shape`; None keeps everything but `managedFields`."""
    return msgspec.json.Decoder(shape).decode if shape else decode_document


def page_format(
    resource: Resource, *, metadata_only: bool
) -> tuple[str, str, Decode[Page[Document]]]:
    """Return kind and media type of a page of a list, and what decodes it."""
    if metadata_only:
        accept = f"{JSON};as={_METADATA};v=v1;g=meta.k8s.io"
        return _METADATA, accept, page_decoder(projections.Object)
    return f"{resource.kind}List", JSON, page_decoder(resource.shape)


@cache
def page_decoder(shape: type | None) -> Decode[Page[Document]]:
    """Return what decodes a page of objects to `shape`; None as in `object_decoder`."""
    parse = msgspec.json.Decoder(cast("Any", Page)[shape or Document]).decode
    if shape:
        return cast("Decode[Page[Document]]", parse)

    def decode(body: bytearray) -> Page[Document]:
        page: Page[Document] = parse(body)
        for document in page.items or ():
            _without_managed_fields(document)
        return page

    return decode


def _without_managed_fields(document: Document) -> Document:
    meta = document.get("metadata")
    if isinstance(meta, dict):
        meta.pop("managedFields", None)
    elif meta is not None:
        raise ValueError
    return document


# Many threads read at once, and two that let msgspec meet a type for the first time together crash
# the process: it shows the one what the other has not filled in yet (seen with 0.22).
for _shape in (None, *projections.SHAPES):
    object_decoder(_shape)
    page_decoder(_shape)
