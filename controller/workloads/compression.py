"""The annotation about how backups are compressed."""

from controller.settings import parsers
from controller.settings.choices import Compression
from controller.workloads.annotations import Annotation, unset_or

COMPRESSION = Annotation(
    key="compression",
    default="the operator's",
    help="How the objects of a backup are compressed: "
    f"{', '.join(f'`{how}`' for how in Compression)}.",
    read=unset_or(None, parsers.one_of(Compression)),
)
