import base64
import struct

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.contract.recipients import holds_private_key, recipient_fault, split_recipients
from tests.fakes.recipients import ED25519, RECIPIENTS

AGE = RECIPIENTS[0]
ECDSA = "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBMSpLrw3iBKaZTxtOY6E8xzekgmhqjnCKl+b"


def ssh(*fields: bytes) -> str:
    data = b"".join(struct.pack(">I", len(field)) + field for field in fields)
    return f"{fields[0].decode()} {base64.b64encode(data).decode()}"


def rsa(bits: int) -> str:
    modulus = (1 << (bits - 1)) | 1
    return ssh(b"ssh-rsa", b"\1\0\1", b"\0" + modulus.to_bytes((bits + 7) // 8))


@pytest.mark.parametrize(
    "text",
    [AGE, AGE.upper(), ED25519, f"{ED25519} alice@example", f"{ED25519} a b", rsa(2048), rsa(4096)],
)
def test_what_the_library_takes_has_no_fault(text: str) -> None:
    assert recipient_fault(text) == ""
    kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
    assert kind.Recipient.from_str(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is no age recipient"),
        ("alice", "is no age recipient"),
        ("/home/alice/.ssh/id_ed25519.pub", "is no age recipient"),
        ("age1", "has 4 characters"),
        (AGE[:-1], "has 61 characters"),
        (f"{AGE}q", "has 63 characters"),
        (f"{AGE[:-1]}q", "wrong checksum"),
        (f"{AGE[:20]}b{AGE[21:]}", "wrong checksum"),
        (f"{AGE[:20]}1{AGE[21:]}", "wrong checksum"),
        (f"{AGE[:20]}ü{AGE[21:]}", "wrong checksum"),
        (AGE[:20] + AGE[20:].upper(), "wrong checksum"),
        (f"{AGE}\n{AGE}", "has 125 characters"),
        ("ssh-ed25519", "is no whole ssh-ed25519 key"),
        (ED25519[:-4], "is no whole ssh-ed25519 key"),
        (f"{ED25519}AAAA", "is no whole ssh-ed25519 key"),
        (ED25519.replace("ssh-ed25519 ", "ssh-ed25519  "), "is no whole ssh-ed25519 key"),
        (ED25519.replace("ssh-ed25519", "ssh-rsa"), "holds another type"),
        (rsa(2048)[:-8], "is no whole ssh-rsa key"),
        (ssh(b"ssh-rsa", b"\1\0\1"), "is no whole ssh-rsa key"),
        (rsa(1024), "1024 bits"),
        (rsa(8192), "8192 bits"),
        ("ssh-dss AAAAB3NzaC1kc3MAAACBAP", "the type ssh-dss"),
        (f"ecdsa-sha2-nistp256 {ECDSA} a@b", "the type ecdsa-sha2-nistp256"),
        (f"sk-ssh-ed25519@openssh.com {ECDSA}", "the type sk-ssh-ed25519@openssh.com"),
        ("age1yubikey1qgqsp5z24ff2wkezx0x8vdsv7hwywhj68tp9m6hfchjuunlx8h5pzx33eal", "yubikey"),
        ("age1se1qgg72x2qfk9wg3wh0qg9u0v7l5dkq4jx69fv80p6wdus3ftg6flwg5dz2dp", "plugin se"),
        ("age1mine1qgqsp5z24ff2wkezx0x8vdsv7hwywhj68tp9m6hfchjuunlx8h5pzx33eal", "an age plugin"),
        ("age1pq1" + "q" * 1900, "post-quantum recipient (pq)"),
        ("age1tagpq1" + "q" * 1900, "post-quantum recipient (tagpq)"),
        ("github:alice", "names a GitHub user"),
        ("https://github.com/alice.keys", "names a GitHub user"),
    ],
)
def test_what_the_library_does_not_take_is_named(text: str, fault: str) -> None:
    assert fault in recipient_fault(text)
    for module in (pyrage.ssh, pyrage.x25519):
        # More bytes behind a whole key are a typo to us, and nothing to the library.
        if not text.endswith("isGNAAAA"):
            with pytest.raises(pyrage.RecipientError):
                module.Recipient.from_str(text)


@given(st.text() | st.text(alphabet="qpzry9x81", max_size=70).map("age1".__add__))
def test_any_text_without_a_fault_is_taken_by_the_library(text: str) -> None:
    if not recipient_fault(text):
        kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
        assert kind.Recipient.from_str(text)


@given(
    st.integers(min_value=4, max_value=61), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7lb1oi")
)
def test_any_single_typo_is_found(place: int, letter: str) -> None:
    typo = AGE[:place] + letter + AGE[place + 1 :]
    assert bool(recipient_fault(typo)) is (typo != AGE)


@pytest.mark.parametrize(
    "text",
    [
        "AGE-SECRET-KEY-1QQQQ",
        "age-secret-key-1qqqq",
        " AGE - SECRET\n-KEY-1QQQQ",
        "AGE-SECRET-,KEY-1QQQQ",
        "AGE-SECRET-KEY-PQ-1QQQQ",
        "AGE‑SECRET‑KEY‑1QQQQ",  # noqa: RUF001  hyphens that do not break
        "ＡＧＥ-ＳＥＣＲＥＴ-ＫＥＹ-1",  # noqa: RUF001
        "AGE-PLUGIN-YUBIKEY-1QQQQ",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----",
        "-----begin rsa private key-----",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----",
        "PuTTY-User-Key-File-3: ssh-ed25519",
        "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU",
        f"{AGE},AGE-SECRET-KEY-1QQQQ",
        f"{ED25519} AGE-SECRET-KEY-1QQQQ",
        "age1AGE-SECRET-KEY-1QQQQ",
    ],
)
def test_a_private_key_is_told_by_its_shape(text: str) -> None:
    assert holds_private_key(text)
    assert "private key" in recipient_fault(text)


@pytest.mark.parametrize(
    "text", ["", AGE, ED25519, f"{ED25519} a@b", rsa(4096), "BACKEND_S3_SECRET_KEY"]
)
def test_a_public_key_is_no_private_one(text: str) -> None:
    assert not holds_private_key(text)


def test_commas_separate_recipients() -> None:
    assert split_recipients(f" {AGE} ,, {ED25519} a@b,") == (AGE, f"{ED25519} a@b")
