"""The settings of what the controller tells people: log, metrics, boards, notifications.

The URLs that notifications go to are no setting: they are read from the folder of a mounted Secret.
"""

from dataclasses import dataclass

from controller.settings import parsers
from controller.settings.choices import Occasion
from controller.settings.listen import Listen, listen
from controller.settings.setting import setting_field
from controller.settings.watching.watch_settings import WatchSettings
from dumpers.runtime.log import LogFormat, LogLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting(WatchSettings):
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
    notifications_folder: str = setting_field(
        env="NOTIFICATIONS_FOLDER",
        chart=None,
        default="",
        help="Folder of the mounted Secret with the URLs of notifications; empty: none are sent.",
        read=parsers.printable,
    )
    notifications_about: tuple[Occasion, ...] = setting_field(
        env="NOTIFICATIONS_ABOUT",
        chart="notifications.about",
        default="failure,recovery,overdue",
        help="What notifications are about, of `failure`, `recovery` and `overdue`, with commas.",
        read=parsers.some_of(Occasion),
    )
    http_port: int = setting_field(
        env="HTTP_PORT",
        chart="controller.httpPort",
        default="8080",
        help="Port of /healthz, /readyz and /metrics.",
        read=parsers.whole(1, 65535),
    )
    status_page: Listen | None = setting_field(
        env="STATUS_PAGE_LISTEN",
        chart="statusPage.listen",
        default="127.0.0.1:8081",
        help="Where the status page is served, which shows all tenants; `none`: nowhere.",
        read=listen,
    )
    boards: bool = setting_field(
        env="BOARDS",
        chart="controller.boards",
        default="true",
        help="`true`: each watched namespace gets a ConfigMap with the state of its workloads.",
        read=parsers.boolean,
    )
