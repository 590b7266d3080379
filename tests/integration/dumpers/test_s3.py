"""What each S3 option does to the requests, and where the keys that sign them come from."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from dumpers.contract.storages.location import S3Location
from dumpers.contract.storages.object_lock import ObjectLock
from dumpers.runtime.errors import (
    ConfigurationError,
    InterruptedRunError,
    StorageFailedError,
    StorageRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.errors import StoreAwayError, UnknownToStoreError
from dumpers.storage.open_uploads import probe
from dumpers.storage.run_storage import RunStorage, open_bucket
from dumpers.storage.s3 import errors
from dumpers.storage.s3.bucket import S3Bucket
from tests.fakes import stub_s3
from tests.fakes.stub_s3 import Answer, Asked, StubStore
from tests.fakes.uploads import only
from tests.testbed.stores import s3 as s3_testbed
from tests.testbed.toolchain.processes import wait_until

Answerer = Callable[[Asked], Answer | None]

OPTIONS = ("x-amz-tagging", "x-amz-storage-class", "x-amz-server-side-encryption")
KMS = "x-amz-server-side-encryption-aws-kms-key-id"
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubStore]:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with stub_s3.start() as made:
        yield made


def location(stub: StubStore, **options: object) -> S3Location:
    plain = S3Location(
        bucket="bkt",
        path="",
        endpoint=stub.url,
        access_key="AKOURS",
        secret_key="secret",
        patience=0,
    )
    return replace(plain, **options)  # type: ignore[arg-type]  # as the test gives them


def use(bucket: S3Bucket) -> None:
    bucket.put("record", b"{}", only_new=False)
    created = bucket.create_upload("dump", run="r", token="t", checksums=False)
    part = bucket.upload_part("dump", created.id, number=1, data=memoryview(b"x"), crc32=None)
    assert part["PartNumber"] == 1


def test_nothing_optional_is_sent_unasked(stub: StubStore) -> None:
    use(open_bucket(location(stub), None))
    sent = {name for asked in stub.asked for name in asked.headers}
    assert not [name for name in sent if name in {*OPTIONS, KMS} or "checksum" in name]


@pytest.mark.parametrize("checksums", [True, False])
def test_a_lock_is_asked_for_where_one_is_wanted(stub: StubStore, *, checksums: bool) -> None:
    stub.answer = refusing_checksums(0, "", method="none")
    wanted = location(stub, object_lock=ObjectLock(mode="COMPLIANCE", days=30))
    began = datetime(2026, 1, 31, 23, 59, 59, 7, tzinfo=UTC)
    with RunStorage(wanted, run="r", interrupt=Interrupt(), started=began) as store:
        store.checksums = checksums
        store.put_once("started", b"{}")
        with only(store) as upload:
            upload.write(b"rows")
            upload.complete()
        store.put_once("manifest", b"{}", is_locked=True)
    locked = {
        f"{item.method} {item.path.partition('?')[0]}": (
            item.headers["x-amz-object-lock-mode"],
            item.headers["x-amz-object-lock-retain-until-date"],
        )
        for item in stub.asked
        if "x-amz-object-lock-mode" in item.headers
    }
    until = ("COMPLIANCE", "2026-03-02T23:59:59Z")
    assert locked == {"POST /bkt/dump": until, "PUT /bkt/manifest": until}
    # Stores demand one of the two of whatever is to be locked.
    [part] = [item for item in stub.asked if "partNumber" in item.path]
    proofs = {"content-md5", "x-amz-checksum-crc32"} & part.headers.keys()
    assert proofs == ({"x-amz-checksum-crc32"} if checksums else {"content-md5"})


def test_what_was_asked_for_is_sent(stub: StubStore) -> None:
    asked_for = location(
        stub,
        tags=(("team", "a b"), ("cost:center", "1/2")),
        storage_class="STANDARD_IA",
        sse="aws:kms",
        sse_kms_key_id="key-1",
    )
    use(open_bucket(asked_for, None))
    record, dump, part = (asked.headers for asked in stub.asked)
    for headers in (record, dump):
        assert headers["x-amz-tagging"] == "team=a%20b&cost%3Acenter=1%2F2"
        assert headers["x-amz-server-side-encryption"] == "aws:kms"
        assert headers[KMS] == "key-1"
    assert dump["x-amz-storage-class"] == "STANDARD_IA"
    assert "x-amz-storage-class" not in record
    assert not {*OPTIONS, KMS} & set(part)


def test_a_store_that_ignores_the_encryption_asked_for_is_refused(stub: StubStore) -> None:
    def ignore(asked: Asked) -> Answer | None:
        plain = replace(asked, headers={})
        return stub_s3._plain(plain)

    stub.answer = ignore
    bucket = open_bucket(location(stub, sse="AES256"), None)
    with pytest.raises(StorageRefusedError, match="no encryption: remove S3_SSE"):
        bucket.put("record", b"{}", only_new=False)
    with pytest.raises(StorageRefusedError, match="S3_SSE asks for AES256"):
        bucket.create_upload("dump", run="r", token="t", checksums=False)
    assert "DELETE /bkt/dump?uploadId=u1" in stub.paths()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(501, "NotImplemented", UnknownToStoreError), (403, "AccessDenied", StorageRefusedError)],
)
def test_a_refusal_names_what_was_asked_for(
    stub: StubStore, status: int, code: str, kind: type[Exception]
) -> None:
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    stub.answer = lambda _: Answer(status=status, body=body)
    bucket = open_bucket(location(stub, tags=(("a", "b"),), sse="AES256"), None)
    with pytest.raises(kind, match="asked for: S3_SSE, S3_TAGS"):
        bucket.put("record", b"{}", only_new=False)


@pytest.mark.parametrize(
    ("status", "code", "said", "kind", "hint"),
    [
        (403, "RequestTimeTooSkewed", "no", StorageRefusedError, "this node's clock is wrong"),
        (404, "NoSuchBucket", "no", StorageRefusedError, "correct S3_BUCKET"),
        (400, "InvalidStorageClass", "no", StorageRefusedError, "correct S3_STORAGE_CLASS"),
        (400, "InvalidTag", "no", StorageRefusedError, "correct S3_TAGS"),
        (400, "KMS.NotFoundException", "no", StorageRefusedError, "correct S3_SSE_KMS_KEY_ID"),
        (400, "ExpiredToken", "no", StorageRefusedError, "the credentials ran out"),
        (403, "SignatureDoesNotMatch", "no", StorageRefusedError, "S3_REGION, or see what stands"),
        (
            400,
            "AuthorizationHeaderMalformed",
            "the region 'us-east-1' is wrong; expecting 'sbg'",
            StorageRefusedError,
            r"correct S3_REGION \(.*expecting 'sbg'\)",
        ),
        (400, "InvalidRegionName", "must be one of: auto", StorageRefusedError, "S3_REGION"),
        (
            400,
            "InvalidArgument",
            "Credential access key has length 20, should be 32",
            StorageRefusedError,
            "correct AWS_ACCESS_KEY_ID",
        ),
        (403, "SecondLevelDomainForbidden", "no", StorageRefusedError, "S3_PATH_STYLE to false"),
        (405, "MethodNotAllowed", "no", StorageRefusedError, "correct S3_ENDPOINT"),
        (
            400,
            "InvalidRequest",
            "S3 API Requests must be made to API port.",
            StorageRefusedError,
            "correct S3_ENDPOINT",
        ),
        (403, "QuotaExceeded", "no", StorageRefusedError, "raise the quota"),
        (507, "XMinioStorageFull", "no", StorageFailedError, "raise the quota"),
        (500, "InternalError", "no", StoreAwayError, "InternalError"),
        (503, "SlowDown", "no", StoreAwayError, "SlowDown"),
        (503, "XMinioServerNotInitialized", "no", StoreAwayError, "NotInitialized"),
        (429, "TooManyRequests", "no", StoreAwayError, "TooManyRequests"),
        (408, "RequestTimeout", "no", StoreAwayError, "RequestTimeout"),
        (400, "RequestTimeout", "no", StoreAwayError, "RequestTimeout"),
        (409, "OperationAborted", "no", StoreAwayError, "OperationAborted"),
        (404, "NoSuchUpload", "no", StorageFailedError, "lifecycle rule"),
    ],
)
def test_a_refusal_says_what_to_do_and_whether_waiting_helps(
    stub: StubStore, status: int, code: str, said: str, kind: type[Exception], hint: str
) -> None:
    body = f"<Error><Code>{code}</Code><Message>{said}</Message></Error>".encode()
    stub.answer = lambda _: Answer(status=status, body=body)
    with pytest.raises(kind, match=hint) as caught:
        open_bucket(location(stub), None).put("record", b"{}", only_new=False)
    assert "asked for" not in str(caught.value)
    assert isinstance(caught.value, StoreAwayError) == (kind is StoreAwayError)
    assert len(stub.asked) == 1


@pytest.mark.parametrize(
    ("options", "code", "hint"),
    [
        ({"path_style": False}, "NoSuchBucket", "set it to true"),
        ({"path_style": False}, "MalformedXML", "set it to true"),
        ({"endpoint": None}, "InvalidAccessKeyId", "without S3_ENDPOINT requests go to AWS"),
        ({"endpoint": "http://bkt.store.example"}, "AccessDenied", "names? the bucket already"),
        ({"endpoint": "http://store.example/bkt"}, "NoSuchKey", "names? the bucket already"),
    ],
)
def test_a_refusal_doubts_what_was_set(
    stub: StubStore,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, object],
    code: str,
    hint: str,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", stub.url)
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    stub.answer = lambda _: Answer(status=404, body=body)
    where = location(stub, **{"endpoint": "http://store.example", **options})
    if where.endpoint is None:
        error = ClientError({"Error": {"Code": code, "Message": "no"}}, "PutObject")
        shown = str(errors.translate(error, doing="write", location=where))
    else:
        with pytest.raises(StorageRefusedError) as caught:
            open_bucket(where, None).put("record", b"{}", only_new=False)
        shown = str(caught.value)
    assert re.search(hint, shown), shown


def refusing_checksums(status: int, code: str, *, method: str | None = None) -> Answerer:
    """A store that refuses what has a header of checksums, of requests with this method."""
    body = f"<Error><Code>{code}</Code><Message>Invalid argument.</Message></Error>".encode()

    def answer(asked: Asked) -> Answer | None:
        wants = any(name.startswith("x-amz-checksum") for name in asked.headers)
        if wants and method in {None, asked.method}:
            return Answer(status=status, body=b"" if asked.method == "HEAD" else body)
        if asked.method == "HEAD":
            return Answer(body=b"rows", headers={"x-amz-meta-ksnapshot-run": "r"})
        if asked.path.endswith("?uploads"):
            return Answer(body=stub_s3.UPLOAD, headers={"x-amz-checksum-type": "FULL_OBJECT"})
        if asked.method == "POST":
            return Answer(body=COMPLETED)
        return None

    return answer


COMPLETED = b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"


@pytest.mark.parametrize(
    ("status", "code", "method"),
    [
        (403, "SignatureDoesNotMatch", None),
        (403, "AccessDenied", None),
        (400, "InvalidArgument", None),
        (501, "NotImplemented", None),
        (400, "InvalidRequest", "POST"),
        (400, "InvalidArgument", "PUT"),
        (400, "InvalidArgument", "HEAD"),
    ],
)
def test_a_store_that_trips_over_checksums_is_asked_without(
    stub: StubStore, caplog: pytest.LogCaptureFixture, status: int, code: str, method: str | None
) -> None:
    """As do GCS (403, 412), Backblaze B2 (400), Ceph (400) and Cloudflare R2 (501)."""
    caplog.set_level(logging.INFO)
    stub.answer = refusing_checksums(status, code, method=method)
    with RunStorage(location(stub), run="r", interrupt=Interrupt()) as store:
        store.put_once("record", b"{}")
        probe(store, "dump")
        for name in ("dump", "next"):
            with only(store, name) as upload:
                upload.write(b"rows")
                assert upload.complete()["main"].checked
    assert "no checksums" in caplog.text or "for checksums" in caplog.text
    asked = [item for item in stub.asked if any("x-amz-checksum" in name for name in item.headers)]
    # What was refused once is not tried again.
    again = [item.path for item in asked if "/next" in item.path and method in {None, item.method}]
    assert again == []


def test_a_condition_whose_signature_does_not_fit_is_left_out(stub: StubStore) -> None:
    """A proxy between that drops or alters it."""

    def answer(asked: Asked) -> Answer | None:
        if "if-none-match" in asked.headers:
            body = b"<Error><Code>SignatureDoesNotMatch</Code></Error>"
            return Answer(status=403, body=body)
        return Answer(status=404) if asked.method == "HEAD" else None

    stub.answer = answer
    with RunStorage(location(stub), run="r", interrupt=Interrupt()) as store:
        assert store.put_once("record", b"{}")
        stub.answer = lambda _: answer(replace(_, headers={"if-none-match": "*"}))
        with pytest.raises(StorageRefusedError, match="AWS_SECRET_ACCESS_KEY"):
            store.put_once("record", b"{}")


def test_a_completion_that_trips_over_its_checksum_goes_on_without(stub: StubStore) -> None:
    """Google Cloud Storage calls it a failed precondition."""

    def answer(asked: Asked) -> Answer | None:
        completes = asked.method == "POST" and "uploadId" in asked.path
        if completes and "x-amz-checksum-crc32" in asked.headers:
            return Answer(status=412, body=b"<Error><Code>PreconditionFailed</Code></Error>")
        return refusing_checksums(0, "", method="none")(asked)

    stub.answer = answer
    with RunStorage(location(stub), run="r", interrupt=Interrupt()) as store:
        probe(store, "dump")
        with only(store) as upload:
            upload.write(b"rows")
            assert upload.complete()["main"].checked
    assert not store.checksums


def test_a_store_that_refuses_with_and_without_checksums_is_refused(stub: StubStore) -> None:
    body = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    stub.answer = lambda _: Answer(status=403, body=body)
    with (
        RunStorage(location(stub), run="r", interrupt=Interrupt()) as store,
        pytest.raises(StorageRefusedError, match="grant it"),
    ):
        probe(store, "dump")


@pytest.mark.parametrize(
    ("path_style", "url"),
    [
        (None, "http://store.example/bkt/record"),
        (True, "http://store.example/bkt/record"),
        (False, "http://bkt.store.example/record"),
    ],
)
def test_path_style_and_proxy(
    stub: StubStore, monkeypatch: pytest.MonkeyPatch, url: str, *, path_style: bool | None
) -> None:
    monkeypatch.setenv("HTTP_PROXY", stub.url)
    where = location(stub, endpoint="http://store.example", path_style=path_style)
    open_bucket(where, None).put("record", b"{}", only_new=False)
    assert stub.paths() == [f"PUT {url}"]


def test_no_proxy_is_heeded(stub: StubStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    open_bucket(location(stub), None).put("record", b"{}", only_new=False)
    assert stub.paths() == ["PUT /bkt/record"]


def test_a_proxys_password_is_not_told(stub: StubStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:hunter2@127.0.0.1:9")
    with pytest.raises(StorageFailedError) as caught:
        open_bucket(location(stub), None).abort_upload("dump", "u1")
    assert "hunter2" not in str(caught.value)


def test_a_ca_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_testbed.start(tls=True) as server:
        name = server.create_bucket("tls")
        assert server.ca is not None
        where = S3Location(
            bucket=name,
            path="",
            endpoint=server.endpoint,
            access_key=server.root.access,
            secret_key=server.root.secret,
        )
        with pytest.raises(StorageRefusedError, match="by S3_CA_BUNDLE"):
            open_bucket(where, None).put("k", b"{}", only_new=True)
        trusting = open_bucket(replace(where, ca_bundle=server.ca.read_text()), None)
        trusting.put("k", b"{}", only_new=True)
        assert server.read(name, "k") == b"{}"
        # Bodies are not signed over TLS: the checksum is what proves them.
        upload = trusting.create_upload("dump", run="r", token="t", checksums=True)
        assert upload.checksums
        with pytest.raises(StorageFailedError, match="BadDigest"):
            trusting.upload_part(
                "dump", upload.id, number=1, data=memoryview(b"sent"), crc32="AAAAAA=="
            )


def test_a_certificate_that_is_none(stub: StubStore) -> None:
    text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    with pytest.raises(ConfigurationError, match="S3_CA_BUNDLE holds no usable certificate"):
        open_bucket(location(stub, ca_bundle=text), None)


def test_the_bandwidth_is_kept_and_an_interrupt_heard(stub: StubStore) -> None:
    interrupt = Interrupt()
    with RunStorage(location(stub, max_bandwidth=1 << 20), run="r", interrupt=interrupt) as store:
        data = memoryview(bytes(512 << 10))
        began = time.monotonic()
        store.call(lambda: store.bucket.upload_part("dump", "u1", number=1, data=data, crc32=None))
        assert time.monotonic() - began >= 0.45
        slow = memoryview(bytes(64 << 20))
        sending = store.submit(
            lambda: store.bucket.upload_part("dump", "u1", number=2, data=slow, crc32=None)
        )
        interrupt.cancel("SIGTERM")
        with pytest.raises(InterruptedRunError):
            interrupt.result(sending)
        wait_until(sending.done, seconds=30, what="the part to be given up")


def test_a_paced_part_does_not_arrive_once_its_scope_was_stopped(stub: StubStore) -> None:
    interrupt = Interrupt()
    with RunStorage(location(stub, max_bandwidth=1 << 20), run="r", interrupt=interrupt) as store:
        scope = interrupt.child()
        data = memoryview(bytes(2 << 20))
        scoped = store.with_interrupt(scope)
        sending = scoped.submit(
            lambda: scoped.bucket.upload_part("dump", "u1", number=1, data=data, crc32=None)
        )
        scope.cancel("the failure of another stream")
        wait_until(sending.done, seconds=30, what="the part to be given up")
        assert isinstance(sending.exception(), StorageFailedError)
        assert not [asked for asked in stub.asked if len(asked.body) == len(data)]


def keyless(stub: StubStore) -> S3Location:
    return location(stub, access_key=None, secret_key=None)


def test_keys_of_a_pod_identity(
    stub: StubStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """EKS Pod Identity: an agent's address and a token's file."""
    (tmp_path / "token").write_text("pod-token")
    alone(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{stub.url}/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    stub.answer = lambda asked: credentials("AKPOD") if "/v1/" in asked.path else None
    open_bucket(keyless(stub), None).put("record", b"{}", only_new=False)
    agent, put = stub.asked
    assert agent.headers["authorization"] == "pod-token"
    assert "Credential=AKPOD/" in put.headers["authorization"]
    assert put.headers["x-amz-security-token"] == "session"


def test_keys_of_a_web_identity(
    stub: StubStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """IRSA: a role, a token's file, and the token service."""
    (tmp_path / "token").write_text("web-token")
    alone(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/dump")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", stub.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    body = (
        b'<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        b"<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKWEB</AccessKeyId>"
        b"<SecretAccessKey>s</SecretAccessKey><SessionToken>session</SessionToken>"
        b"<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser>"
        b"<Arn>arn:aws:sts::1:assumed-role/dump/x</Arn><AssumedRoleId>x</AssumedRoleId>"
        b"</AssumedRoleUser></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    )
    stub.answer = lambda asked: Answer(body=body) if asked.path == "/" else None
    open_bucket(keyless(stub), None).put("record", b"{}", only_new=False)
    token_service, put = stub.asked
    assert b"WebIdentityToken=web-token" in token_service.body
    assert "Credential=AKWEB/" in put.headers["authorization"]
    assert "/eu-west-3/s3/" in put.headers["authorization"]


def test_keys_of_an_instance_role(
    stub: StubStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    alone(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", stub.url)

    def answer(asked: Asked) -> Answer | None:
        if asked.path == "/latest/api/token":
            return Answer(body=b"imds-token")
        if asked.path.endswith("/security-credentials/"):
            return Answer(body=b"node")
        return credentials("AKNODE") if asked.path.endswith("/node") else None

    stub.answer = answer
    open_bucket(keyless(stub), None).put("record", b"{}", only_new=False)
    assert "Credential=AKNODE/" in stub.asked[-1].headers["authorization"]


def test_no_keys_anywhere(stub: StubStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alone(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StorageRefusedError, match="ServiceAccount an identity"):
        open_bucket(keyless(stub), None).put("record", b"{}", only_new=False)
    assert stub.asked == []


def alone(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """No keys of this machine's own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "none"))


def credentials(access: str) -> Answer:
    document = {
        "Code": "Success",
        "AccessKeyId": access,
        "SecretAccessKey": "s",
        "Token": "session",
        "Expiration": "2099-01-01T00:00:00Z",
    }
    return Answer(body=json.dumps(document).encode())
