"""Where a server may listen, and that its port is its own."""

import pytest

from controller.settings.listen import Listen, listen
from controller.settings.settings import Settings
from dumpers.runtime.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "address", "port", "is_local"),
    [
        ("127.0.0.1:8081", "127.0.0.1", 8081, True),
        ("127.8.0.1:1024", "127.8.0.1", 1024, True),
        ("[::1]:65535", "::1", 65535, True),
        ("0.0.0.0:8081", "0.0.0.0", 8081, False),
        ("[::]:8081", "::", 8081, False),
        ("[fd00:0::1]:8081", "fd00::1", 8081, False),
        ("10.1.2.3:8081", "10.1.2.3", 8081, False),
    ],
)
def test_an_address_and_a_port(text: str, address: str, port: int, *, is_local: bool) -> None:
    found = listen(text)
    assert found == Listen(address=address, port=port)
    assert found.is_local is is_local
    assert listen(str(found)) == found


def test_nowhere_is_a_word() -> None:
    assert listen("none") is None


@pytest.mark.parametrize(
    "text",
    [
        "8081",
        ":8081",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:80",
        "127.0.0.1:1023",
        "127.0.0.1:65536",
        "127.0.0.1:99999",
        "127.0.0.1:\uff18\uff10\uff18\uff11",
        "127.0.0.256:8081",
        "127.0.0.1.1:8081",
        "[127.0.0.1]:8081",
        "::1:8081",
        "[::1:8081",
        "[fe80::1%eth0]:8081",
        "[:::]:8081",
        "localhost:8081",
        "127.0.0.1:8081 ",
        " none",
        "None",
        "off",
    ],
)
def test_anything_else_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"STATUS_PAGE_LISTEN is .*must be an IP address"):
        Settings.from_env({"WATCH_NAMESPACES": "a", "STATUS_PAGE_LISTEN": text})


@pytest.mark.parametrize("text", ["127.0.0.1:9090", "[::1]:9090", "0.0.0.0:9090"])
def test_its_port_is_never_that_of_the_metrics(text: str) -> None:
    env = {"WATCH_NAMESPACES": "a", "STATUS_PAGE_LISTEN": text}
    assert Settings.from_env(env).status_page == listen(text)
    with pytest.raises(ConfigurationError, match="its port must not be HTTP_PORT's"):
        Settings.from_env(env | {"HTTP_PORT": "9090"})
