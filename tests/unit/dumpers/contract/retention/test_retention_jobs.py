"""The environments of jobs that delete: what is wrong is named, with the variable, all at once."""

from collections.abc import Callable, Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.contract.retention.jobs import DeleteJob, PruneJob
from dumpers.runtime.errors import ConfigurationError

STORE = {
    "BACKEND_PATH": "/ksnapshot/",
    "BACKEND_BUCKET": "backups",
    "KSNAPSHOT_CLUSTER": "c",
    "KSNAPSHOT_CRONJOB": "cj",
    "HOSTNAME": "pod",
}
PRUNE = STORE | {"KSNAPSHOT_RETENTION_FLOOR": "keep-last=3"}
DELETE = STORE | {"KSNAPSHOT_BACKUPS": "r1"}
Read = Callable[[Mapping[str, str]], PruneJob | DeleteJob]


def faults(read: Read, env: Mapping[str, str]) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as refused:
        read(env)
    return refused.value.faults


def test_a_prune() -> None:
    job = PruneJob.from_env(PRUNE)
    assert (job.floor, job.dry_run, job.deadline) == ("keep-last=3", False, None)
    assert (job.cluster, job.location.bucket, job.location.path) == ("c", "backups", "ksnapshot")
    told = {"KSNAPSHOT_DRY_RUN": "true", "KSNAPSHOT_DEADLINE_SECONDS": "60"}
    job = PruneJob.from_env(PRUNE | told | {"KSNAPSHOT_RETENTION_FLOOR": "none"})
    assert (job.floor, job.dry_run, job.deadline) == ("none", True, 60)


@pytest.mark.parametrize(
    ("listed", "backups"),
    [
        ("r1", ("r1",)),
        ("all", None),
        (" all ", None),
        ("r2,r1", ("r2", "r1")),
        (" r1 ,, r2 ,r1,", ("r1", "r2")),
    ],
)
def test_a_deletion(listed: str, backups: tuple[str, ...] | None) -> None:
    job = DeleteJob.from_env(DELETE | {"KSNAPSHOT_BACKUPS": listed})
    assert (job.cronjob, job.backups, job.dry_run, job.requested_by) == ("cj", backups, False, "")


def test_who_asked_for_a_deletion() -> None:
    job = DeleteJob.from_env(
        DELETE | {"KSNAPSHOT_REQUESTED_BY": "jane", "KSNAPSHOT_DRY_RUN": "true"}
    )
    assert (job.requested_by, job.dry_run, job.skip_missing) == ("jane", True, False)
    assert DeleteJob.from_env(DELETE | {"KSNAPSHOT_SKIP_MISSING": "true"}).skip_missing


@pytest.mark.parametrize(
    ("read", "env", "wrong", "said"),
    [
        (
            PruneJob.from_env,
            PRUNE,
            {"KSNAPSHOT_RETENTION_FLOOR": ""},
            "KSNAPSHOT_RETENTION_FLOOR is not set: it must hold what is kept whatever the policies",
        ),
        (PruneJob.from_env, PRUNE, {"BACKEND_BUCKET": ""}, "BACKEND_BUCKET"),
        (PruneJob.from_env, PRUNE, {"KSNAPSHOT_DEADLINE_SECONDS": "soon"}, "_DEADLINE_SECONDS"),
        (
            DeleteJob.from_env,
            DELETE,
            {"KSNAPSHOT_BACKUPS": ""},
            "KSNAPSHOT_BACKUPS is not set: it must hold ids of backups separated by commas, or all",
        ),
        *(
            (
                DeleteJob.from_env,
                DELETE,
                {"KSNAPSHOT_BACKUPS": listed},
                f"KSNAPSHOT_BACKUPS is {listed[:40]!r}: it must hold ids separated by commas, or",
            )
            for listed in (",", " , ", "all,r1", "r1,all", ",".join(["all", *"r" * 50]))
        ),
        # Not that of the pod's name: what is deleted is said in full.
        (
            DeleteJob.from_env,
            DELETE,
            {"KSNAPSHOT_CRONJOB": "", "HOSTNAME": "cj-28800000-abcde"},
            "KSNAPSHOT_CRONJOB is not set: it must hold the CronJob whose backups are deleted",
        ),
        *(
            (
                read,
                env,
                {"KSNAPSHOT_DRY_RUN": text},
                f"KSNAPSHOT_DRY_RUN is {text[:20]!r}: it must be true or false",
            )
            for text in ("yes", "1", "True", "x" * 100)
            for read, env in ((PruneJob.from_env, PRUNE), (DeleteJob.from_env, DELETE))
        ),
    ],
)
def test_a_bad_value_is_named_with_its_variable(
    read: Read, env: Mapping[str, str], wrong: Mapping[str, str], said: str
) -> None:
    [fault] = faults(read, {**env, **wrong})
    assert said in fault


@pytest.mark.parametrize(
    ("read", "names"),
    [
        (PruneJob.from_env, ("BACKEND_BUCKET", "HOSTNAME", "RETENTION_FLOOR", "DRY_RUN")),
        (DeleteJob.from_env, ("BACKEND_BUCKET", "HOSTNAME", "KSNAPSHOT_BACKUPS", "DRY_RUN")),
    ],
)
def test_every_fault_is_named_at_once(read: Read, names: tuple[str, ...]) -> None:
    named = faults(read, {"KSNAPSHOT_DRY_RUN": "perhaps"})
    for name in names:
        assert any(name in fault for fault in named), name


@given(
    st.dictionaries(
        st.sampled_from([*PRUNE, "KSNAPSHOT_BACKUPS", "KSNAPSHOT_DRY_RUN", "S3_CA_BUNDLE"]),
        st.text(max_size=20),
    )
)
def test_whatever_the_environment_holds_a_job_or_faults_come_of_it(env: dict[str, str]) -> None:
    for read, whole in ((PruneJob.from_env, PRUNE), (DeleteJob.from_env, DELETE)):
        with suppress(ConfigurationError):
            read({**whole, **env})
