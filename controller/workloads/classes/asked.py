"""The annotation that names a workload's class."""

from controller.model.status import Reason
from controller.settings import parsers
from controller.workloads.annotations import Annotation, unset_or

CLASS = Annotation(
    key="class",
    default="that of its namespace or labels",
    help="The operator's class whose values count where no annotation says more.",
    read=unset_or("", parsers.label),
    reason=Reason.CLASS_INVALID,
)
