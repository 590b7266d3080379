"""The settings of what the controller tells people: its log."""

from dataclasses import dataclass

from controller.settings import parsers
from controller.settings.setting import setting_field
from dumpers.runtime.log import LogFormat, LogLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """The part of Settings that decides about nothing in the cluster."""

    log_level: LogLevel = setting_field(
        env="LOG_LEVEL",
        chart="log.level",
        default="info",
        help="Least important lines of the log: `debug` (every decision), `info` or `warning`.",
        read=parsers.one_of(LogLevel),
    )
    log_format: LogFormat = setting_field(
        env="LOG_FORMAT",
        chart="log.format",
        default="auto",
        help="`json` or `text`; `auto` is text on a terminal, else JSON.",
        read=parsers.one_of(LogFormat),
    )
