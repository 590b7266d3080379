"""Recipients of age as people have them; nobody has the keys to these."""

RECIPIENTS = (
    "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    "age1hc4xy4tzzdxtgwy9kkseemn3xmzq4236nushkqr40ugrywpnvg4qxff9dn",
    "age1aykfgtarfax20aankce9vkqqq52xwcpy5jw79h03ze2gyql3wcxsjpw2dj",
)
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN"
