"""The annotation that names the host of a database."""

from controller.model.names import ALLOW_HOST_LABEL
from controller.settings import parsers
from controller.workloads.annotations import Annotation, unset_or

HOST = Annotation(
    key="host",
    default="the Service's",
    help="The host to connect to, instead of a Service. A Secret that another annotation names "
    f'then needs the label `{ALLOW_HOST_LABEL}: "true"`.',
    read=unset_or("", parsers.host),
)
