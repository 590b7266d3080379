import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.runtime.masking import mask

STRONG = "Tr0ub4dor&3"
REFUSED = 'FATAL:  password authentication failed for user "app"'


@pytest.mark.parametrize(
    "secret",
    ["p", "pg", "app", "password", "user", "authentication", "failed for user", "5432", "20261128"],
)
@pytest.mark.parametrize(
    "text",
    [
        f'pg_dump: error: connection to server at "db" (10.0.0.1), port 5432 failed: {REFUSED}',
        "pg_dump of 'app' at db:5432 ended with status 1: permission denied for table user",
        "ERROR 1045 (28000): Access denied for user 'app'@'%' (using password: YES)",
        "mysqldump: Got error: 1049: Unknown database 'password' when selecting the database",
        'ERROR:  relation "password" does not exist',
        "dump-app-20261128093000.sql.gz",
        "Code: 516. DB::Exception: app: Authentication failed: password is incorrect",
        "unable to authenticate user [app] for REST request [/]: Basic authentication failed",
    ],
)
def test_a_secret_that_could_be_a_word_neither_spoils_a_message_nor_shows_in_its_gaps(
    secret: str, text: str
) -> None:
    assert mask(text, [secret]) == text


@pytest.mark.parametrize("secret", ["p", "shop", "password", STRONG])
@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("connection info: host=db password=", " dbname=shop-db"),
        ("connection info: password='", "' dbname=shop-db"),
        ("PGPASSWORD=", ""),
        ("postgresql://app:", "@db:5432/orders"),
        ("ERROR: syntax error: ALTER ROLE app PASSWORD '", "'"),
        ("CREATE USER 'app'@'%' IDENTIFIED BY '", "'"),
        ("ALTER USER app IDENTIFIED WITH sha256_password BY '", "';"),
        ("SELECT 1 FROM remote('db:9000', 'd', 't', 'app', '", "')"),
        ('{"user": "app", "password": "', '"}'),
    ],
)
def test_where_a_secret_stands_it_is_hidden_whatever_it_looks_like(
    secret: str, before: str, behind: str
) -> None:
    shown = mask(f"{before}{secret}{behind}", [secret])
    assert secret not in shown[len(before) - 1 : len(shown) - len(behind)]
    assert shown.startswith(before.rstrip("'\"\\"))
    assert shown.endswith(behind.lstrip("'\"\\;@"))


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        (STRONG, f"cannot log in with {STRONG} at db"),
        (STRONG, f"xx{STRONG}xx"),
        ("it's 1 secret", "PASSWORD is 'it''s 1 secret' here"),
        ("it's 1 secret", r"failed near 'it\'s 1 secret' at line 1"),
        ("back\\slash1", r"literal 'back\\slash1'"),
        ("p@ss/w0rd!", "http://app:p%40ss%2Fw0rd%21@db/"),
        ("p@ss w0rd!", "?key=p%40ss+w0rd%21&more"),
        ('quo"te 1', r'{"value": "quo\"te 1"}'),
        ("line-end-1\n", r"b'line-end-1\n'"),
        ("line-end-1\n", "line-end-1"),
        (STRONG, "VHIwdWI0ZG9yJjM="),
        (STRONG, "Authorization: Basic YXBwOlRyMHViNGRvciYz"),
    ],
)
def test_a_secret_is_hidden_in_every_spelling(secret: str, text: str) -> None:
    shown = mask(text, [secret])
    assert "***" in shown
    for piece in (secret.strip(), STRONG, "w0rd", "slash1", "quo", "VHIwdWI0", "YXBwOlRy"):
        assert piece not in shown


@pytest.mark.parametrize("length", range(4, len(STRONG)))
@pytest.mark.parametrize("cut", ["", "…", "...", " …\n(12 bytes left out)\n… and more"])
def test_a_piece_of_a_secret_at_a_cut_is_hidden(length: int, cut: str) -> None:
    shown = mask(f"the server said {STRONG[:length]}{cut}", [STRONG])
    assert shown == f"the server said ***{cut}"


def test_the_rest_of_a_secret_behind_a_cut_is_hidden() -> None:
    assert mask(f"begun …{STRONG[4:]} ended", [STRONG]) == "begun …*** ended"


def test_a_piece_that_is_a_word_stays() -> None:
    text = "there is no role postgres\nnor a database"
    assert mask(text, ["postgres-2024!"]) == text


def test_names_that_are_known_may_be_shown() -> None:
    text = 'role "app_2024" of db-2024.prod does not exist'
    assert mask(text, ["app_2024"], known=("app_2024", "db-2024.prod")) == text
    assert mask(text, ["app_2024"]) == 'role "***" of db-2024.prod does not exist'


def test_the_longest_secret_is_hidden_first() -> None:
    assert mask("abc-1234-5 abc-1234", ["abc-1234", "abc-1234-5"]) == "*** ***"


@given(st.text(), st.text(min_size=8).filter(lambda text: any(map(str.isdigit, text))))
def test_hiding_twice_changes_nothing_more(text: str, secret: str) -> None:
    once = mask(text, [secret])
    assert mask(once, [secret]) == once
