"""Addresses that are refused however they are written, and patterns that an operator allows."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.workloads.hosts.addresses import address_of, is_allowed, is_refused

REFUSED = (
    *("localhost", "LOCALHOST", "localhost.", "db.localhost", "ip6-localhost", "localhost6"),
    *("127.0.0.1", "127.8.9.10", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7F.1"),
    *("0177.0.0.1", "017700000001", "0x7f.0x0.0x0.0x1", "127.0.0.1."),
    *("0.0.0.0", "0", "00", "0x0", "0.0.0.7"),
    *("169.254.169.254", "169.254.1.1", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376"),
    *("169.16689662", "0xA9.0xFE.43518"),
    *("100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1", "255.255.255.255"),
    *("::1", "::", "0:0:0:0:0:0:0:1", "[::1]", "fe80::1", "fe80::1%eth0", "febf::1"),
    *("::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:a9fe:a9fe", "::127.0.0.1", "::7f00:1"),
    *("64:ff9b::169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1"),
    *("::ffff:0:127.0.0.1", "::ffff:0:a9fe:a9fe", "64:ff9b:1::169.254.169.254"),
    # By 48, 56, 64 and 96 bits of prefix.
    *("64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:7f:0:1::", "64:ff9b:1:ab:a9:fea9:fe00:0"),
    *("64:ff9b:1:2:3::127.0.0.1",),
    *("rancher-metadata", "Rancher-Metadata.", "rancher-metadata.rancher.internal"),
    *("fd00:ec2::254", "FD00:EC2::254", "fd00:ec2:0:0::254", "fd20:ce::254", "ff02::1"),
    *("metadata.google.internal", "Metadata.Google.Internal.", "instance-data.ec2.internal"),
)
FINE = (
    *("db.example.com", "db", "10.0.0.7", "192.168.1.1", "128.0.0.1", "126.255.255.255"),
    *("169.253.255.255", "169.255.0.0", "1.127.0.1", "8.8.8.8", "167772167"),
    *("fd00::1", "2001:db8::1", "fec0::1", "::ffff:10.0.0.7", "64:ff9b::a00:7", "2002:a00:7::1"),
    *("::ffff:0:10.0.0.7", "64:ff9b:1::10.0.0.7", "64:ff9b:1:a00:0:700::"),
    *("64:ff9b:1:a:0:7::", "64:ff9b:1:ab:a:0:700:0", "64:ff9b:2::127.0.0.1"),
    *("rancher-metadata.example.com",),
    # No addresses: names, and what no client reads as an address.
    *("localhost.example.com", "mylocalhost", "127.0.0.1.example.com", "127.0.0.256", "0x"),
    *("127.0.0.0.1", "1e3", "0189.0.0.1", "4294967296"),
)


@pytest.mark.parametrize("host", REFUSED)
def test_refused(host: str) -> None:
    assert is_refused(host)


@pytest.mark.parametrize("host", FINE)
def test_fine(host: str) -> None:
    assert not is_refused(host)


_PARTS = st.one_of(
    st.integers(0, 2**33).map(str),
    st.integers(0, 2**33).map("0{:o}".format),
    st.integers(0, 2**33).map(hex),
    st.integers(0, 300).map(str),
)


@given(st.lists(_PARTS, min_size=1, max_size=5).map(".".join))
def test_numbers_are_read_as_the_c_library_does(host: str) -> None:
    try:
        expected = socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        expected = ""
    found = address_of(host)
    assert (str(found) if found else "") == expected


@pytest.mark.parametrize(
    ("host", "patterns", "expected"),
    [
        ("db.example.com", ["*"], True),
        ("db.example.com", ["*.example.com"], True),
        ("DB.Example.com.", ["*.example.COM"], True),
        ("db.example.com.evil.test", ["*.example.com"], False),
        ("example.com", ["*.example.com"], False),
        ("db.example.com", [], False),
        ("db.example.com", ["10.0.0.0/8"], False),
        ("10.0.0.7", ["10.0.0.0/8"], True),
        ("167772167", ["10.0.0.0/8"], True),
        ("167772167", ["10.0.0.7"], True),
        ("11.0.0.7", ["10.0.0.0/8"], False),
        ("fd12::1", ["10.0.0.0/8", "fd00::/8"], True),
        ("fd12:0::1", ["fd12::1"], True),
        # A name that begins as an address does.
        ("10.evil.example", ["10.*"], False),
        ("10.evil.example", ["10.*", "*.example"], True),
        ("10.0.0.7", ["10.*"], True),
        ("167772167", ["10.*"], True),
        ("11.0.0.7", ["10.*"], False),
        ("1db.example", ["1*"], False),
        ("db.7", ["*.7"], False),
        ("db.example", ["*"], True),
        ("db.example", ["*.*"], True),
        ("fd12::1", ["*:1"], True),
        ("db7.example", ["db*.example"], True),
    ],
)
def test_patterns(host: str, patterns: list[str], expected: object) -> None:
    assert is_allowed(host, patterns) is expected
