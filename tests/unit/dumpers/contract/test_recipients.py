import base64
import re

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from dumpers.contract.recipients import (
    check_recipients,
    holds_private_key,
    recipient_fault,
    split_recipients,
)
from dumpers.runtime.errors import EncryptionError
from dumpers.streams import age


def ssh(
    key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def field(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def rsa_key(exponent: bytes, modulus: bytes, behind: bytes = b"") -> str:
    key = field(b"ssh-rsa") + field(exponent) + field(modulus) + behind
    return f"ssh-rsa {base64.b64encode(key).decode()}"


AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
ED25519 = ssh(ed25519.Ed25519PrivateKey.generate())
RSA = ssh(rsa.generate_private_key(65537, 2048))
SMALL_RSA = ssh(rsa.generate_private_key(65537, 1024))
YUBIKEY = "age1yubikey1qgqsp5z24ff2wkezx0x8vdsv7hwywhj68tp9m6hfchjuunlx8h5pzx33eal"
IDENTITY = str(pyrage.x25519.Identity.generate())
PEM_BODY = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz"
PRIVATE_KEYS = {
    "age": IDENTITY,
    "lower case": IDENTITY.lower(),
    "with a line end": f"{IDENTITY}\n",
    "within a file": f"# created: now\n# public key: {AGE}\n{IDENTITY}\n",
    "beside a recipient": f"{AGE},{IDENTITY}",
    "before a recipient": f"{IDENTITY} , {AGE}",
    "behind a recipient's beginning": f"age1{IDENTITY}",
    "as a comment": f"{ED25519} {IDENTITY}",
    "over two lines": f"{IDENTITY[:9]}\n  {IDENTITY[9:]}",
    "over a comma": f"{IDENTITY[:9]},{IDENTITY[9:]}",
    "with blanks": " ".join(IDENTITY),
    "with zero-width characters": "\u200b".join(IDENTITY),
    "full width": "".join(chr(ord(letter) + 0xFEE0) for letter in IDENTITY),
    "other dashes": IDENTITY.replace("-", "\u2011"),
    "plugin": "AGE-PLUGIN-YUBIKEY-1QQPQSQGQVQSHQ5ZQGQQ7LJ6D",
    "plugin, lower case": "age-plugin-se-1qgqsp5z24ff2wkezx0x8vdsv7hwywhj",
    "plugin, as a comment": f"{ED25519} AGE-PLUGIN-TPM-1QGQQKQQYVQQKQ",
    **{
        f"PEM {kind}": f"-----BEGIN {kind}PRIVATE KEY-----\n{PEM_BODY}\n-----END"
        for kind in ("", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ")
    },
    "PEM on one line": f"-----BEGIN OPENSSH PRIVATE KEY----- {PEM_BODY}",
    "PEM, lower case": f"-----begin openssh private key-----{PEM_BODY}",
    "PEM with other dashes": f"\u2014BEGIN OPENSSH PRIVATE KEY\u2014 {PEM_BODY}",
    "body of an OpenSSH key": PEM_BODY,
    "PuTTY": "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\nAAAAIA",
}


@pytest.mark.parametrize(
    "recipient",
    [
        pytest.param(AGE, id="age"),
        pytest.param(AGE.upper(), id="upper case"),
        pytest.param(ED25519, id="ed25519"),
        pytest.param(ED25519.rstrip("="), id="without padding"),
        pytest.param(f"{ED25519} alice@example", id="comment"),
        pytest.param(f"{ED25519} alice's private key", id="comment that only sounds private"),
        pytest.param(f"{ED25519} ci@storage-plugin-1", id="comment with plugin"),
        pytest.param(RSA, id="rsa"),
        pytest.param(rsa_key(b"\1\0\1", b"\0" + b"\x85" * 512), id="largest rsa"),
    ],
)
def test_what_the_dumper_can_encrypt_to_is_right(recipient: str) -> None:
    assert recipient_fault(recipient) is None
    assert check_recipients(recipient) == recipient
    assert age.parse_recipients([recipient])


@pytest.mark.parametrize(
    ("recipient", "words"),
    [
        pytest.param("age1typo", "8 characters instead of 62", id="short"),
        pytest.param(AGE[:-1], "61 characters", id="cut"),
        pytest.param(AGE + "q", "63 characters", id="long"),
        pytest.param(AGE.replace("7hjy", "7hjq"), "checksum", id="typo"),
        pytest.param(AGE.replace("7hjy", "7hjb"), "checksum", id="letter that none has"),
        pytest.param(AGE.replace("7hjy", "71jy"), "checksum", id="1 for l"),
        pytest.param(AGE.replace("7hjy", "7HJY"), "mixes upper and lower case", id="mixed case"),
        pytest.param(f"{AGE} {AGE}", "commas separate recipients", id="blank between"),
        pytest.param("age1ü", "characters instead of 62", id="not ASCII"),
        pytest.param(YUBIKEY, "plugin yubikey", id="yubikey"),
        pytest.param("age1tpm1typo", "plugin tpm", id="plugin with a typo"),
        pytest.param("age1tag1qqq", "hardware key", id="tag"),
        pytest.param("age1pq1" + "q" * 1900, "post-quantum", id="post-quantum"),
        pytest.param("AGE1PQ1" + "Q" * 1900, "post-quantum", id="post-quantum in upper case"),
        pytest.param("ssh-ed25519", "must follow one blank and the key", id="kind alone"),
        pytest.param(ED25519.replace(" ", "  "), "one blank", id="two blanks"),
        pytest.param(ED25519[:-4], "cut", id="cut ed25519"),
        pytest.param(ED25519[:-1], "cut", id="cut within a group"),
        pytest.param(RSA[:-8], "cut", id="cut rsa"),
        pytest.param("ssh-rsa AAA!", "wrong character", id="not base64"),
        pytest.param("ssh-rsa " + ED25519.split()[1], "another kind", id="wrong kind in front"),
        pytest.param("ssh-ed25519 " + RSA.split()[1], "another kind", id="wrong kind, the other"),
        pytest.param(SMALL_RSA, "1024 bits, but age needs 2048 to 4096", id="small rsa"),
        pytest.param(rsa_key(b"\1\0\1", b"\0" + b"\x85" * 1024), "8192 bits", id="large rsa"),
        pytest.param(rsa_key(b"\2", b"\0" + b"\x85" * 256), "wrong character", id="even exponent"),
        pytest.param(rsa_key(b"\1\0\1", b"\x85" * 256), "wrong character", id="negative"),
        pytest.param("ssh-dss AAAAB3NzaC1kc3M= a@b", r"\(ssh-dss\)", id="dss"),
        pytest.param(ssh(ec.generate_private_key(ec.SECP256R1())), "ecdsa-sha2", id="ecdsa"),
        pytest.param("sk-ssh-ed25519@openssh.com AAAA a@b", "sk-ssh-ed25519", id="sk"),
        pytest.param("ssh-rsa-cert-v01@openssh.com AAAA", "ssh-rsa-cert", id="certificate"),
        pytest.param("github:alice", "https://github.com/<user>.keys", id="github"),
        pytest.param("Alice", "comment of an SSH key must not hold a comma", id="a word"),
        pytest.param(f"{AGE}\t", "does not print", id="tab"),
        pytest.param("", "must be a public key", id="nothing"),
    ],
)
def test_what_the_dumper_cannot_encrypt_to_is_named_with_the_fix(
    recipient: str, words: str
) -> None:
    assert re.search(words, recipient_fault(recipient) or "")
    with pytest.raises(ValueError, match="age1"):
        check_recipients(recipient)
    with pytest.raises(EncryptionError, match=words):
        age.parse_recipients([recipient])


def test_a_list_names_the_bad_ones_by_their_place() -> None:
    text = f"{AGE}, age1typo,{ED25519} Doe, Alice,,"
    assert split_recipients(text) == (AGE, "age1typo", f"{ED25519} Doe", "Alice")
    with pytest.raises(ValueError, match=r"recipient 2 of 4 is not .*; recipient 4 of 4 is not"):
        check_recipients(text)
    with pytest.raises(ValueError, match=r"; and 197 more$") as caught:
        check_recipients("x," * 200)
    assert len(str(caught.value)) < 900


@pytest.mark.parametrize("text", ["", " , ", ","])
def test_a_list_of_nothing_is_no_list(text: str) -> None:
    with pytest.raises(ValueError, match="it holds none"):
        check_recipients(text)


@pytest.mark.parametrize("text", [f"{AGE}, {AGE}", f" {AGE} ", f"{AGE},"])
def test_blanks_and_a_last_comma_do_not_count(text: str) -> None:
    assert check_recipients(text) == text


@pytest.mark.parametrize("text", [f"{AGE}\n", f"{AGE}\n{AGE}", f"{AGE},\n{AGE}", f"{AGE}\u2028"])
def test_a_line_end_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="line end"):
        check_recipients(text)


@pytest.mark.parametrize("text", PRIVATE_KEYS.values(), ids=PRIVATE_KEYS)
def test_a_private_key_is_refused_and_never_shown(text: str) -> None:
    assert holds_private_key(text)
    for refused in (check_recipients, lambda text: age.parse_recipients([text])):
        with pytest.raises((ValueError, EncryptionError), match="leaked") as caught:
            refused(text)
        assert no_part_of(text, str(caught.value))
        assert caught.value.__cause__ is None


@given(
    before=st.text(max_size=50),
    key=st.sampled_from(sorted(PRIVATE_KEYS.values())),
    after=st.text(max_size=50),
)
def test_no_private_key_is_shown_whatever_stands_around_it(
    before: str, key: str, after: str
) -> None:
    text = before + key + after
    with pytest.raises(ValueError, match="must") as caught:
        check_recipients(text)
    assert no_part_of(key, str(caught.value))
    with pytest.raises(EncryptionError) as refused:
        age.parse_recipients(split_recipients(text))
    assert no_part_of(key, str(refused.value))


@given(st.text() | st.text(alphabet="age1qpzry9x8 -sh,").map("age1".__add__))
def test_any_text_is_right_or_has_a_fault_of_bounded_length(text: str) -> None:
    assert len(recipient_fault(text) or "") < 300


@given(
    recipient=st.sampled_from([AGE, ED25519, RSA]),
    place=st.integers(0, 700),
    letter=st.characters(min_codepoint=32, max_codepoint=126),
)
def test_what_is_right_here_is_right_to_the_library(
    recipient: str, place: int, letter: str
) -> None:
    place %= len(recipient)
    changed = recipient[:place] + letter + recipient[place + 1 :]
    if recipient_fault(changed) is None:
        assert age.parse_recipients([changed])
    if recipient == AGE and changed != AGE:
        assert recipient_fault(changed)


@given(st.binary(min_size=32, max_size=32))
def test_every_key_of_the_library_is_right(seed: bytes) -> None:
    assert recipient_fault(str(pyrage.x25519.Identity.generate().to_public())) is None
    assert recipient_fault(ssh(ed25519.Ed25519PrivateKey.from_private_bytes(seed))) is None


def test_a_huge_text_is_searched_in_linear_time() -> None:
    for text in ("begin" * 50_000, "age-plugin-" * 25_000, "-" * 250_000):
        holds_private_key(text)


def no_part_of(secret: str, message: str) -> bool:
    """Whether no ten characters in a row of what is secret are in a message."""
    secret = secret.replace(AGE, " ").replace(ED25519, " ")
    for word in re.split(r"(?i)[\s,]|age-secret-key-1|-----|BEGIN|PRIVATE|KEY", secret):
        for start in range(max(len(word) - 9, 0)):
            if word[start : start + 10].lower() in message.lower():
                return False
    return True
