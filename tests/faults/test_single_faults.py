"""One fault at one request of a pass that does everything: nothing wanted is lost, and it heals.

Cases are every request of such a pass, of a process that was restarted and of one that went on,
times every fault. Requests are told apart by method, path and query, as reads go out in no certain
order. A fault meets the request each time that the pass makes it, retries included, except where
its name says once. A 404 never comes with the API server's word on one object, which is the truth
by nature: lists get that of an API group that is away, everything else a proxy's.

`KSNAPSHOT_FAULTS=all` runs all cases, any other text those whose name has it; without, a selection
by `KSNAPSHOT_FAULT_SEED`.
"""

import base64
import itertools
import logging
import os
import random
import secrets
import time
from collections.abc import Iterator

import pytest

from controller.loop.pass_state import PassState
from controller.model import names
from tests.faults.single_faults import LATE, RESTARTED, RUNNING, TIMEOUT, Case, Request
from tests.integration.controller import busy, legacy, world
from tests.integration.controller.busy import (
    BUSY,
    DONE,
    DUMPING,
    FRESH,
    GONE,
    OLD,
    SHOPS,
    Busy,
    Snapshot,
)
from tests.integration.controller.rights import ACCOUNT
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.toolchain.pki import authority

_SELECTED = 40
# A fault holds up one call with its retries and nothing else.
_LONGEST = 15 * TIMEOUT
_PASSWORDS = (world.PASSWORD, busy.NEW_PASSWORD, legacy.PASSWORD)
_SECRETS = (*_PASSWORDS, *(base64.b64encode(item.encode()).decode() for item in _PASSWORDS))
Texts = dict[str, str]


@pytest.fixture(scope="module")
def made(apiserver: ApiServer) -> Iterator[Busy]:
    # Always the same names, so that a seed always means the same cases.
    place = world.build(
        apiserver,
        namespaces=2,
        tag="faults",
        GONE_PASSES="1",
        GONE_GRACE_SECONDS="60",
        BACKUP_SECRET_NAME="ksnapshot-secret",
    )
    mine = authority(apiserver.ca.parent / "proxy-of-faults")
    pair = mine.server("proxy")
    with HttpProxy("127.0.0.1", apiserver.port, tls=pair, upstream_ca=apiserver.ca) as proxy:
        identity = apiserver.account(place.control, ACCOUNT)
        file = apiserver.kubeconfig_for(identity, url=proxy.url, ca=mine.pair.cert)
        kube = place.kube(file, timeout=TIMEOUT)
        found = Busy(world=place, proxy=proxy, kube=kube, cluster=place.cluster())
        found.create()
        yield found


@pytest.mark.timeout(3600)
def test_whatever_single_request_fails_nothing_wanted_is_lost_and_the_next_pass_converges(
    made: Busy, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    caplog.set_level(logging.DEBUG)
    goals, everything = [], []
    for process in (RESTARTED, RUNNING):
        requests, goal = _clean(made, process)
        goals.append(goal)
        everything += [
            Case(process=process, request=request, fault=fault)
            for request in requests
            for fault in request.faults
        ]
    goal = goals[0]
    assert goals == [goal, goal]
    kept = [made.cronjob(name) for name in itertools.chain(*SHOPS) if name != GONE]
    secrets_of = (f"Secret/{names.secret_name(name)}" for name in kept)
    assert goal.keys() == {*(f"CronJob/{name}" for name in kept), *secrets_of}
    cases, how = _select(everything)
    wrong = [f"{case}: {text}" for case in cases for text in _wrong(case, made, goal, caplog)]
    seconds = time.monotonic() - started
    with capsys.disabled():
        print(f"\nsingle faults: {len(cases)} of {len(everything)} cases, {how}, {seconds:.0f} s")
    assert not wrong, "\n".join(wrong)


def _select(cases: list[Case]) -> tuple[list[Case], str]:
    """The cases to run, and how they were chosen."""
    asked = os.environ.get("KSNAPSHOT_FAULTS", "")
    if asked:
        return [case for case in cases if asked == "all" or asked in str(case)], repr(asked)
    seed = os.environ.get("KSNAPSHOT_FAULT_SEED") or str(secrets.randbelow(10**6))
    return random.Random(seed).sample(cases, _SELECTED), f"KSNAPSHOT_FAULT_SEED={seed}"


def _clean(made: Busy, process: str) -> tuple[list[Request], Texts]:
    """What a pass without faults asks for, and what it leaves."""
    memory = _of(process, made.prepare())
    made.proxy.forget()
    result = made.run(memory, BUSY)
    assert result.succeeded, result.failures
    seen = {(item.method, item.path) for item in made.proxy.settled()}
    requests = [Request(method=method, path=path) for method, path in sorted(seen)]
    return requests, _texts(made.snapshot())


def _of(process: str, memory: PassState) -> PassState:
    return memory if process == RUNNING else PassState()


def _wrong(case: Case, made: Busy, goal: Texts, caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    """What a case shows that must not be."""
    memory = _of(case.process, made.prepare())
    before = made.snapshot()
    made.proxy.forget()
    made.proxy.set(case.rule)
    caplog.clear()
    result = made.run(memory, BUSY)
    told = [repr(result), *_logged(caplog)]
    if case.fault == LATE:
        made.proxy.settled()
    made.proxy.clear()
    if all(item.outcome == "ok" for item in made.proxy.settled()):
        yield "the request was not made"
    after = made.snapshot()
    right = _right(case, made, goal)
    yield from _losses(before, after, right)
    yield from _strays(before, after, right)
    unhandled = _unhandled(after, right)
    yield from (f"{name} was not dealt with" for name in unhandled - _excused(case.request, made))
    if unhandled and result.succeeded:
        yield "the pass calls itself a success"
    if any(secret in text for text in told for secret in _SECRETS):
        yield "a secret was told"
    if result.seconds > _LONGEST:
        yield f"the pass took {result.seconds:.1f} s"
    yield from _unhealed(made, memory, goal)


def _right(case: Case, made: Busy, goal: Texts) -> dict[str, set[str]]:
    """By generated object, the texts that it may have in the end."""
    right = {key: {text} for key, text in goal.items()}
    if case.request.place == "kube-system" and case.fault == "403":
        # Not to be allowed to read it is a way to run; the next pass puts the cluster's name right.
        for name in (FRESH, OLD):
            texts = right[f"CronJob/{made.cronjob(name)}"]
            texts |= {text.replace(made.cluster, "default") for text in texts}
    return right


def _losses(before: Snapshot, after: Snapshot, right: dict[str, set[str]]) -> Iterator[str]:
    """What is wanted and is gone, was made anew, or is neither as it was nor as it should be."""
    for key in sorted(before.keys() & right.keys()):
        if key not in after:
            yield f"{key} was deleted"
        elif after[key].uid != before[key].uid:
            yield f"{key} was made anew"
        elif after[key].text not in {before[key].text, *right[key]}:
            yield f"{key} was changed to {after[key].text}"


def _strays(before: Snapshot, after: Snapshot, right: dict[str, set[str]]) -> Iterator[str]:
    """What came and should not have, or stayed when what it belongs to went."""
    for key in sorted(after.keys() - before.keys()):
        if after[key].text not in right.get(key, ()):
            yield f"{key} came as {after[key].text}"
    for key in sorted(after):
        kind, _, name = key.removesuffix("-credentials").partition("/")
        if kind == "Secret" and f"CronJob/{name}" not in after:
            yield f"{key} has no CronJob"


def _unhandled(after: Snapshot, right: dict[str, set[str]]) -> set[str]:
    """The workloads that are not as they should be in the end."""
    texts = _texts(after)
    return {
        name
        for name in itertools.chain(*SHOPS)
        for key in texts.keys() | right.keys()
        if f"-{name}-" in key and texts.get(key) not in right.get(key, {None})
    }


def _excused(request: Request, made: Busy) -> set[str]:
    """The workloads that a failed request may keep from being dealt with."""
    shops = dict(zip(made.world.watched, map(set, SHOPS), strict=True))
    if request.method == "POST":
        return {FRESH}
    if request.name and request.kind == "jobs":
        # What ended is told later, and whether one runs is not known.
        return {DONE, DUMPING}
    if request.name:
        return {name for name in itertools.chain(*SHOPS) if name in request.name.split("-")}
    if request.place in shops:
        return shops[request.place]
    # Only what has no cluster recorded yet, or a Job to wait for or to tell of.
    few = {"": {FRESH, OLD}, "jobs": {GONE, DONE, DUMPING}, "pods": {DONE}}
    return few.get(request.kind, set(itertools.chain(*SHOPS)))


def _unhealed(made: Busy, memory: PassState, goal: Texts) -> Iterator[str]:
    """What the next pass without faults does not put right; GONE may start its grace time anew."""
    result = made.run(memory, BUSY + 10)
    texts = _texts(made.snapshot())
    rest = [key for key in texts.keys() ^ goal.keys() if f"-{GONE}-" not in key]
    rest += [key for key in texts.keys() & goal.keys() if texts[key] != goal[key]]
    if texts != goal and not rest:
        result = made.run(memory, BUSY + 80)
        texts = _texts(made.snapshot())
    if texts != goal:
        yield f"not healed: {sorted({*rest, *(texts.keys() ^ goal.keys())})}"
    if not result.succeeded:
        yield f"not healed: {result.failures}"


def _logged(caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    for record in caplog.records:
        yield f"{record.getMessage()} {record.__dict__} {record.exc_text}"


def _texts(snapshot: Snapshot) -> Texts:
    return {key: item.text for key, item in snapshot.items()}
