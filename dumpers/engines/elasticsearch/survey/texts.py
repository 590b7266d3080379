"""Reading the parts of a dump that belong to the whole cluster."""

from dataclasses import dataclass

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.elasticsearch.client import DeniedError, Server
from dumpers.engines.elasticsearch.cluster_resources import STREAMS, parts
from dumpers.engines.elasticsearch.product import Product
from dumpers.runtime.interrupt import Interrupt

_UNREADABLE = (
    "these are not in the dump, as this account may not read them, or the service does not show "
    "them to anybody: grant the rights that docs/elasticsearch.md lists"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A part of the cluster that is there already: its JSON object and how many things it holds."""

    name: str
    body: bytes
    count: int


def read_texts(
    server: Server, product: Product, streams: frozenset[str], interrupt: Interrupt
) -> tuple[tuple[Text, ...], tuple[Note, ...]]:
    """The parts that belong to the whole cluster, and a note on those that cannot be read.

    A server without the API of a part has nothing of it. Scripts are the exception: they are
    listed by an API that is not theirs.
    """
    found: list[Text] = []
    missing: list[str] = []
    for part in parts(product):
        try:
            body = server.if_there(part.path, interrupt=interrupt)
            if body is not None and part.all_path:
                body = server.ask("GET", part.all_path, interrupt=interrupt)
        except DeniedError:
            # Whoever may see none of the data streams may not ask for them, either.
            if part.name != STREAMS.name or streams:
                missing.append(part.what)
            continue
        if body is None:
            if part.is_certain:
                missing.append(part.what)
            continue
        kept, count = part.kept(body, streams)
        found.append(Text(name=part.name, body=kept, count=count))
    notes = (Note(code=NoteCode.UNREADABLE, text=_UNREADABLE, objects=tuple(missing)),)
    return tuple(found), notes if missing else ()
