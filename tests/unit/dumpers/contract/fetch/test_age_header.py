import pyrage
import pytest

from dumpers.contract.fetch.age_header import LONGEST, cut_header, stanza_kinds

IDENTITY = pyrage.x25519.Identity.generate()
SEALED: bytes = pyrage.encrypt(b"hello " * 20_000, [IDENTITY.to_public()])
END = SEALED.index(b"\n", SEALED.index(b"\n--- ") + 1) + 1
HEADER = SEALED[:END]


# Named, as a header is of another length each time.
@pytest.mark.parametrize(
    "size", [END, END + 1, END + 500, len(SEALED)], ids=["end", "next", "later", "whole"]
)
def test_a_header_is_cut_at_its_end(size: int) -> None:
    assert cut_header(SEALED[:size]) == HEADER


def test_a_header_that_goes_on_has_no_end_yet() -> None:
    for size in range(len(b"age-encryption.org/v1\n"), END):
        assert cut_header(SEALED[:size]) is None


@pytest.mark.parametrize(
    "beginning", [b"", b"age-encryption.org/v2\n", b"\x1f\x8b\x08", b"age-encryption.org/v1"]
)
def test_what_is_no_age_file_is_refused(beginning: bytes) -> None:
    with pytest.raises(ValueError, match="does not begin as an age file"):
        cut_header(beginning)


def test_a_header_without_end_is_refused() -> None:
    endless = b"age-encryption.org/v1\n" + b"-> X25519 abc\nabc\n" * (LONGEST // 16)
    with pytest.raises(ValueError, match="has no end"):
        cut_header(endless[:LONGEST])


@pytest.mark.parametrize(
    ("stanzas", "kinds"),
    [
        (b"-> X25519 abc\nbody\n", ("X25519",)),
        (
            b"-> X25519 abc\nbody\n-> X25519 d\nbody\n-> ssh-ed25519 a b\nbody\n",
            ("X25519", "ssh-ed25519"),
        ),
        (b"-> X25519 abc\nbody\n-> j%(/Y7p,-grease\nbody\n", ("X25519",)),
        (b"-> scrypt salt 18\nbody\n", ("scrypt",)),
        (b"-> piv-p256 abc\nbody\n", ("piv-p256",)),
        (b"", ()),
    ],
)
def test_the_kinds_of_recipients(stanzas: bytes, kinds: tuple[str, ...]) -> None:
    header = b"age-encryption.org/v1\n" + stanzas + b"--- " + b"A" * 43 + b"\n"
    assert stanza_kinds(header) == kinds
