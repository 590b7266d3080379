from itertools import pairwise

import pytest

from dumpers.contract.jobs import DumpJob
from dumpers.engines.mysql import options
from dumpers.engines.mysql.engine import ENGINE
from dumpers.engines.mysql.output.reading import prove
from dumpers.engines.mysql.survey.server import grants
from dumpers.engines.registry import ENGINES
from dumpers.runtime.errors import ConfigurationError, ExitCode
from dumpers.runtime.interrupt import Interrupt
from tests.unit.dumpers.contract.test_jobs import ENV

HEAD = b"-- MySQL dump 10.13  Distrib 9.7.4-2, for Linux (x86_64)\n--\n"
MARIADB = b"-- MariaDB dump 10.19-11.4.5-MariaDB, for Linux (x86_64)\n--\n"
SANDBOX = b"/*M!999999\\- enable the sandbox mode */ \n"
END = b"/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;\n\n-- Dump completed on 2026-11-21 16:44:08\n"
MYSQL = {
    "KSNAPSHOT_ENGINE": "mysql",
    "MYSQL_HOST": "db",
    "MYSQL_USERNAME": "shop",
    "MYSQL_PASSWORD": "secret",
    "MYSQL_DATABASE": "shop",
}


@pytest.mark.parametrize(
    ("head", "tail", "fault"),
    [
        (HEAD, END, None),
        (MARIADB, END, None),
        (SANDBOX + MARIADB, END, None),
        (HEAD, b"-- Dump completed\n", None),
        (HEAD, b"", "last line"),
        (HEAD, END + b"x", "last line"),
        (HEAD, b"INSERT INTO t VALUES ('-- Dump completed\n", "last line"),
        (b"", END, "does not start"),
        (b"mysqldump  Ver 9.7.4", END, "does not start"),
        (SANDBOX, END, "does not start"),
    ],
)
def test_prove(head: bytes, tail: bytes, fault: str | None) -> None:
    found = prove(head, tail)
    assert found is None if fault is None else fault in str(found)


def test_a_dump_that_is_cut_anywhere_is_not_whole() -> None:
    dump = SANDBOX + MARIADB + b"INSERT INTO t VALUES (1);\n" * 20 + END
    for end in range(len(dump)):
        assert prove(dump[:1024], dump[:end][-1024:]) is not None


@pytest.mark.parametrize(
    "text",
    [
        "-r /tmp/x",
        "--result-file=/tmp/x",
        "--result_file=/tmp/x",
        "--res=/tmp/x",
        "--tab=/tmp",
        "-T /tmp",
        "-qT/tmp",
        "--skip-comments",
        "--skip_comments",
        "--loose-skip-comments",
        "--disable-comments",
        "--comments=0",
        "--comments=OFF",
        "--compact",
        "--xml",
        "-X",
        "--force",
        "-qf",
        "--ignore-error=1146",
        "--log-error=/tmp/x",
        "--databases a",
        "-B",
        "--all-databases",
        "-A",
        "--host=elsewhere",
        "-h elsewhere",
        "-uroot",
        "--password=x",
        "-px",
        "--socket=/x",
        "--port=1",
        "-P1",
        "--defaults-file=/x",
        "--defaults-extra-file=/x",
        "--login-path=x",
        "--init-command=DROP",
        "--debug=d:t:o,/tmp/x",
        "--delete-source-logs",
        "--delete-master-logs",
        "--dump-slave",
        "--help",
        "--version",
        "-V",
        "--no-such-option",
        "table",
        "--where=1 table",
        "--where --force",
        "-w --force",
        "--set-gtid-purged --databases",
        "--network-timeout --force",
        "--skip-network-timeout --result-file=/tmp/x",
        "--",
        "-",
        "--where",
        "-w",
        "'open",
    ],
)
def test_options_that_would_hide_or_turn_the_dump_are_refused(text: str) -> None:
    job = DumpJob.from_env(ENV | MYSQL | {"MYSQLDUMP_OPTIONS": text}, ENGINES)
    with pytest.raises(ConfigurationError, match="MYSQLDUMP_OPTIONS") as caught:
        ENGINE.open(job, Interrupt()).__enter__()
    assert caught.value.exit_code == ExitCode.CONFIGURATION


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("--no-data --skip-triggers", ["--no-data", "--skip-triggers"]),
        ("--where='id > 5'", ["--where=id > 5"]),
        ("--where 'id > 5' -qQ", ["--where", "id > 5", "-qQ"]),
        ("-w 'id > 5'", ["-w", "id > 5"]),
        ("--skip-extended-insert", ["--skip-extended-insert"]),
        ("--skip-compact --comments", ["--skip-compact", "--comments"]),
        ("--ssl-mode=DISABLED --skip_ssl", ["--ssl-mode=DISABLED", "--skip_ssl"]),
        ("--max_allowed_packet=64M", ["--max_allowed_packet=64M"]),
        ("--set-gtid-purged=ON", ["--set-gtid-purged=ON"]),
        ("--set-gtid-purged -q", ["--set-gtid-purged", "-q"]),
        ("--skip-network-timeout -M", ["--skip-network-timeout", "-M"]),
    ],
)
def test_options_of_what_to_dump_are_taken(text: str, words: list[str]) -> None:
    assert options.parse(text) == words


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], True),
        (["--set-gtid-purged=OFF", "-q"], True),
        (["--set-gtid-purged=ON"], False),
        (["--set-gtid-purged", "-q"], False),
    ],
)
def test_a_dump_with_gtids_is_that_of_one_server(words: list[str], *, found: bool) -> None:
    assert options.is_repeatable(words) == found


@pytest.mark.parametrize(
    "text",
    [
        *("--no-create-info", "-qt", "--skip-quote-names", "--quote-names=0", "--order-by-size"),
        *("--order_by_size=1", "--compatible=ansi", "--loose-no-create-info"),
        *("--set-gtid-purged=ON", "--set-gtid-purged", "--ignore-table=shop.a"),
        "--ignore-table-data shop.a",
    ],
)
def test_options_that_do_not_go_with_a_dump_per_table(text: str) -> None:
    assert options.parse(text)
    given = ENV | MYSQL | {"MYSQLDUMP_OPTIONS": text, "KSNAPSHOT_PER_TABLE": "true"}
    with pytest.raises(ConfigurationError, match=r"MYSQLDUMP_OPTIONS .* KSNAPSHOT_PER_TABLE"):
        ENGINE.open(DumpJob.from_env(given, ENGINES), Interrupt()).__enter__()


def test_what_the_tool_would_pass_over_where_tables_are_named() -> None:
    given = ENV | MYSQL | {"MYSQLDUMP_OPTIONS": "--ignore-table=shop.a", "KSNAPSHOT_TABLES": "b"}
    with pytest.raises(ConfigurationError, match="use KSNAPSHOT_EXCLUDE_TABLES"):
        ENGINE.open(DumpJob.from_env(given, ENGINES), Interrupt()).__enter__()


@pytest.mark.parametrize(
    "text",
    ["--no-data", "-Q", "--skip-order-by-size", "--quote-names", "--set-gtid-purged=commented"],
)
def test_options_that_go_with_a_dump_per_table(text: str) -> None:
    assert options.parse(text, per_table=True)


def test_no_database_is_named_where_the_databases_are() -> None:
    env = ENV | MYSQL
    del env["MYSQL_DATABASE"]
    with pytest.raises(ConfigurationError, match="MYSQL_DATABASE is not set"):
        DumpJob.from_env(env, ENGINES)
    assert DumpJob.from_env(env | {"KSNAPSHOT_DATABASES": "*"}, ENGINES).connection.database == ""


@pytest.mark.parametrize("variable", ["KSNAPSHOT_TABLES", "KSNAPSHOT_DATABASES"])
@pytest.mark.parametrize("text", [",", "a,,b", "a,"])
def test_an_empty_name_in_a_list(variable: str, text: str) -> None:
    job = DumpJob.from_env(ENV | MYSQL | {variable: text}, ENGINES)
    with pytest.raises(ConfigurationError, match=variable):
        ENGINE.open(job, Interrupt()).__enter__()


@pytest.mark.parametrize(
    ("lines", "may"),
    [
        (["GRANT ALL PRIVILEGES ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*8'"], True),
        (["GRANT USAGE ON *.* TO 'a'@'%'", "GRANT SELECT, EVENT ON `shop`.* TO 'a'@'%'"], True),
        (["GRANT SELECT ON `shop`.* TO 'a'@'%'"], False),
        (["GRANT EVENT ON `sh%`.* TO 'a'@'%'"], True),
        (["GRANT EVENT ON `sho_`.* TO 'a'@'%'"], True),
        (["GRANT EVENT ON `sho\\_`.* TO 'a'@'%'"], False),
        (["GRANT EVENT ON `other`.* TO 'a'@'%'"], False),
        (["GRANT EVENT ON `shop`.`orders` TO 'a'@'%'"], False),
        (["GRANT SELECT (id, EVENT), INSERT (EVENT) ON `shop`.* TO 'a'@'%'"], False),
        (["GRANT EVENT ON *.* TO 'a'@'%'", "REVOKE EVENT ON `shop`.* FROM `a`@`%`"], False),
        (["GRANT EVENT ON *.* TO 'a'@'%'", "REVOKE EVENT ON `other`.* FROM `a`@`%`"], True),
        (["GRANT `role`@`%` TO `a`@`%`"], False),
        (['GRANT EVENT ON "shop".* TO "a"@"%"'], True),
        ([""], False),
        ([], False),
    ],
)
def test_what_an_account_may(lines: list[str], *, may: bool) -> None:
    assert grants.parse(lines).may("EVENT", "shop") == may


def test_a_right_on_one_table() -> None:
    found = grants.parse(["GRANT SELECT ON `mysql`.`proc` TO 'a'@'%'"])
    assert found.may("SELECT", "mysql", "proc")
    assert not found.may("SELECT", "mysql")
    assert not found.may("SELECT", "mysql", "user")


def test_the_options_say_each_name_once() -> None:
    names = sorted([*options._FLAGS, *options._VALUED])
    assert all(first != second for first, second in pairwise(names))
