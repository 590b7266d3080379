"""Why a login may have failed, by the look of what it was tried with."""


def doubt_password(password: str) -> str:
    """Say what is odd about a password, without any of it; empty if nothing is.

    `echo secret | base64` puts a line end behind it, which most servers take for a part of it.
    """
    if password != password.rstrip("\r\n"):
        return (
            "the password ends in a line end, as `echo … | base64` makes it: write the Secret "
            "anew, with `printf %s …` or `kubectl create secret --from-literal`"
        )
    if password != password.strip():
        return "the password begins or ends in a blank: is it meant to be there? Look at the Secret"
    return ""
