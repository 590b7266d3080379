"""What belongs to a database itself, as a psql script: pg_dump puts it into no dump of ours.

pg_dump writes it with `--create` only, for one name; the dumps of this engine load under any.
"""

import re
from collections.abc import Iterator, Sequence

from dumpers.engines.postgresql.catalog.server import Database
from dumpers.engines.postgresql.clients import quote_identifier

# Settings that are lists of names: GUC_LIST_QUOTE in the server, the same list as pg_dump's.
_LISTS = frozenset(
    (
        *("local_preload_libraries", "search_path", "session_preload_libraries"),
        *("shared_preload_libraries", "temp_tablespaces", "unix_socket_directories"),
    )
)
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}
_LOCALES = {"i": "ICU_LOCALE", "b": "BUILTIN_LOCALE"}
# psql puts the name in: that of the dumped database, or another that whoever loads it has chosen.
_NAME = ':"database"'
_UNLIMITED = -1
_DEFAULT_TABLESPACE = "pg_default"

_HEAD = """
--
-- Databases: encoding, locale, owner, comment, settings and rights. One that is there already is
-- left as it is, unless it is named by --set=database=NAME
--
"""


def database_options(database: Database) -> str:
    """The options of CREATE DATABASE that make an empty database of the same kind."""
    options = [
        ("TEMPLATE", "template0"),
        ("ENCODING", _literal(database.encoding)),
        *([("LOCALE_PROVIDER", _PROVIDERS[database.provider])] if database.provider else []),
        ("LC_COLLATE", _literal(database.collate)),
        ("LC_CTYPE", _literal(database.ctype)),
    ]
    if database.provider in _LOCALES and database.locale:
        options.append((_LOCALES[database.provider], _literal(database.locale)))
    if database.rules:
        options.append(("ICU_RULES", _literal(database.rules)))
    return " ".join(f"{name} {value}" for name, value in options)


def databases_script(databases: Sequence[Database], settings: Sequence[str] = ()) -> bytes:
    """The psql script that makes the databases as they were, each in a section of its own.

    `settings` are those of all roles in all databases.
    """
    everywhere = [f"ALTER ROLE ALL {_setting(setting)};" for setting in settings]
    lines = [line for database in databases for line in _section(database)]
    return "\n".join((*everywhere, _HEAD, *lines, "")).encode()


def properties_script(database: Database) -> bytes:
    """The psql script that gives the database of psql's variable `database` what this one has.

    Owner, tablespace, comment, settings and rights, to one that was just made.
    """
    return "\n".join((*_properties(database), "")).encode()


def _section(database: Database) -> Iterator[str]:
    shown = "".join(letter if letter.isprintable() else "?" for letter in database.name)
    count = "SELECT count(*) = 0 AS absent"
    from_ = "FROM pg_catalog.pg_database WHERE datname = :'database' \\gset"
    yield f"-- Database {shown}"
    yield "\\if :{?database}"
    yield f"{count}, true AS chosen {from_}"
    yield "\\else"
    yield f"\\set database {_psql_literal(database.name)}"
    yield f"{count}, count(*) = 0 AS chosen {from_}"
    yield "\\endif"
    yield "\\if :absent"
    yield f"CREATE DATABASE {_NAME} {database_options(database)};"
    yield "\\endif"
    yield "\\if :chosen"
    yield from _properties(database)
    yield "\\else"
    yield "\\echo database :database is there already and left as it is: see docs/restore.md"
    yield "\\endif"
    yield "\\unset database"
    yield f"-- End of database {shown}"
    yield ""


def _properties(database: Database) -> Iterator[str]:
    alter = f"ALTER DATABASE {_NAME}"
    owner = quote_identifier(database.owner)
    yield f"{alter} OWNER TO {owner};"
    if database.tablespace not in {"", _DEFAULT_TABLESPACE}:
        yield f"{alter} SET TABLESPACE {quote_identifier(database.tablespace)};"
    if database.connections != _UNLIMITED:
        yield f"{alter} CONNECTION LIMIT {database.connections};"
    if database.template:
        yield f"{alter} IS_TEMPLATE true;"
    if database.comment:
        yield f"COMMENT ON DATABASE {_NAME} IS {_literal(database.comment)};"
    for provider, label in database.labels:
        yield (
            f"SECURITY LABEL FOR {quote_identifier(provider)} ON DATABASE {_NAME} "
            f"IS {_literal(label)};"
        )
    for role, setting in database.settings:
        whose = f"ALTER ROLE {quote_identifier(role)} IN DATABASE {_NAME}" if role else alter
        yield f"{whose} {_setting(setting)};"
    for grantee, right, _ in _sorted(database.default_rights - database.rights):
        yield f"REVOKE {right} ON DATABASE {_NAME} FROM {_grantee(grantee)};"
    for grantee, right, grantable in _sorted(database.rights - database.default_rights):
        option = " WITH GRANT OPTION" if grantable else ""
        yield f"GRANT {right} ON DATABASE {_NAME} TO {_grantee(grantee)}{option};"


def _sorted(
    rights: frozenset[tuple[str | None, str, bool]],
) -> list[tuple[str | None, str, bool]]:
    return sorted(rights, key=lambda right: (right[0] or "", right[1:]))


def _grantee(role: str | None) -> str:
    return "PUBLIC" if role is None else quote_identifier(role)


def _setting(setting: str) -> str:
    name, _, value = setting.partition("=")
    return f"SET {_setting_name(name)} TO {_setting_value(name, value)}"


def _setting_name(name: str) -> str:
    parts = name.split(".")
    if all(map(_PLAIN_NAME.fullmatch, parts)):
        return name
    return ".".join(map(quote_identifier, parts))


def _setting_value(name: str, value: str) -> str:
    if name not in _LISTS:
        return _literal(value)
    return ", ".join(map(_literal, _split_list(value))) or "''"


def _split_list(value: str) -> list[str]:
    """The names in a setting's list: the server keeps them quoted where they need it."""
    items, current, quoted, index = [], "", False, 0
    while index < len(value):
        letter = value[index]
        index += 1
        if letter == '"' and quoted and value[index : index + 1] == '"':
            current += '"'
            index += 1
        elif letter == '"':
            quoted = not quoted
        elif letter == "," and not quoted:
            items.append(current)
            current = ""
        elif quoted or not letter.isspace():
            current += letter
    return [*items, current] if value.strip() else []


def _literal(text: str) -> str:
    quoted = text.replace("'", "''")
    return "E'{}'".format(quoted.replace("\\", "\\\\")) if "\\" in text else f"'{quoted}'"


def _psql_literal(text: str) -> str:
    """A text as psql's own commands take it."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return "'{}'".format(escaped.replace("\n", "\\n").replace("\r", "\\r"))
