"""When a store that answers with an error asks to be tried again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from botocore.exceptions import ClientError

from dumpers.contract.storages.location import S3Location
from dumpers.storage.errors import StoreAwayError
from dumpers.storage.s3.errors import translate

LOCATION = S3Location(bucket="b", path="", endpoint="https://store")


def asked(header: str, *, status: int = 503) -> float:
    """For how long the store of this answer is left alone."""
    answer = {
        "Error": {"Code": "SlowDown", "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {"retry-after": header}},
    }
    error = translate(ClientError(answer, "PutObject"), doing="write k", location=LOCATION)
    assert isinstance(error, StoreAwayError)
    return error.retry_after


@pytest.mark.parametrize(
    ("header", "seconds"), [("120", 120), (" 7 ", 7), ("0", 0), ("", 0), ("-3", 0), ("soon", 0)]
)
def test_seconds(header: str, seconds: float) -> None:
    assert asked(header) == seconds
    assert asked(header, status=429) == seconds


def test_a_date() -> None:
    late = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    assert 590 < asked(late) <= 600
    assert asked("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert asked("Wed, 21 Oct 2015 07:28:00") == 0
