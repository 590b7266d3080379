"""The settings of classes: named sets of values that workloads choose by one annotation."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.settings import parsers
from controller.settings.classes.backup_class import BackupClass
from controller.settings.classes.reading import parse_classes
from controller.settings.drilling import DrillSettings
from controller.settings.setting import setting_field


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSettings(DrillSettings):
    """See Settings, which has these fields."""

    classes: Mapping[str, BackupClass] = setting_field(
        env="CLASSES",
        chart="classes",
        default="{}",
        help="Classes by name, as a JSON object: values of annotations, and who may use them.",
        read=parse_classes,
    )
    class_required: bool = setting_field(
        env="CLASS_REQUIRED",
        chart="classRequired",
        default="false",
        help="`true`: a workload without a class is rejected.",
        read=parsers.boolean,
    )
