"""clickhouse-backup's own routes: what each answers, busy or not, and what it puts to work.

Read in its repository at the commit that follows v2.8.0 by the changes of v2.8.1, and at the tags
that `settings` names. Answers are JSON a row a line and in chunks; no row is no byte. Those that
tell an error say `text/plain`, as the status goes out before the header is set.
"""

import re
from dataclasses import dataclass

from tests.testbed.sidecars.api import doing, telling
from tests.testbed.sidecars.api.actions import take_actions
from tests.testbed.sidecars.api.doing import Answering
from tests.testbed.sidecars.api.refusals import PLAIN, error
from tests.testbed.sidecars.api.wire import Answer, Asked, lines
from tests.testbed.sidecars.worker import Process


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Who answers to which methods."""

    path: str
    methods: str
    answer: Answering


def answer(process: Process, asked: Asked) -> Answer:
    """What clickhouse-backup answers; unknown paths need no login."""
    routes = _routes(process)
    found = [(one, match) for one in routes if (match := _matches(one, asked.path))]
    if not found:
        return error(404, asked.path, f"{asked.method} {asked.target} 404 Not Found")
    for route, match in found:
        if asked.method in route.methods.split():
            if not _let_in(process, asked):
                headers = {"WWW-Authenticate": 'Basic realm="Provide username and password"'}
                return Answer(
                    status=401, body=b"401 Unauthorized\n", content=PLAIN, headers=headers
                )
            return route.answer(process, asked, match.groupdict())
    return error(405, asked.path, f"405 Method {asked.method} Not Allowed")


def _matches(route: Route, path: str) -> re.Match[str] | None:
    return re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", route.path), path)


def _let_in(process: Process, asked: Asked) -> bool:
    """By a header, or by `user` and `pass` of the query, which come before it."""
    login, query = process.settings.login, asked.query
    user = query["user"][0] if "user" in query else asked.login[0]
    password = query["pass"][0] if "pass" in query else asked.login[1]
    return (user, password) == ((login.user, login.password) if login else ("", ""))


def _root(process: Process, asked: Asked, named: dict[str, str]) -> Answer:
    text = f"Version: {process.settings.shown_version}\nDocumentation: "
    text += "https://github.com/Altinity/clickhouse-backup#api\n"
    text += "".join(f"{one.path}\n" for one in _routes(process))
    return Answer(body=text.encode(), content="text/plain; charset=UTF-8")


def _routes(process: Process) -> list[Route]:
    """All of them, as this version has them."""
    version = process.settings.shown_version
    routes = [
        Route(path="/", methods="GET HEAD", answer=_root),
        Route(path="/", methods="POST", answer=doing.restart),
        Route(path="/restart", methods="POST GET", answer=doing.restart),
        Route(
            path="/backup/version",
            methods="GET HEAD",
            answer=lambda *_: lines([{"version": version}]),
        ),
        Route(path="/backup/kill", methods="POST GET", answer=doing.kill),
        Route(path="/backup/watch", methods="POST GET", answer=doing.watch_on),
        Route(path="/backup/tables", methods="GET", answer=telling.tables),
        Route(path="/backup/tables/all", methods="GET", answer=telling.tables),
        Route(path="/backup/list", methods="GET HEAD", answer=telling.list_of),
        Route(path="/backup/list/{where}", methods="GET", answer=telling.list_of),
        Route(path="/backup/create", methods="POST", answer=doing.start("create")),
        Route(path="/backup/create_remote", methods="POST", answer=doing.start("create_remote")),
        Route(path="/backup/clean", methods="POST", answer=doing.now("clean")),
        Route(
            path="/backup/clean/remote_broken",
            methods="POST",
            answer=doing.now("clean_remote_broken"),
        ),
        Route(
            path="/backup/clean/local_broken",
            methods="POST",
            answer=doing.now("clean_local_broken"),
        ),
        *(
            Route(path=f"/backup/{one}/{{name}}", methods="POST", answer=doing.start(one))
            for one in ("upload", "download", "restore", "restore_remote")
        ),
        Route(path="/backup/delete/{where}/{name}", methods="POST", answer=doing.delete),
        Route(path="/backup/status", methods="GET", answer=telling.status),
        Route(path="/backup/actions", methods="GET HEAD", answer=telling.actions),
        Route(path="/backup/actions", methods="POST", answer=_post_actions),
        Route(path="/health", methods="GET HEAD POST", answer=lambda *_: lines([{"status": "OK"}])),
        Route(path="/metrics", methods="GET HEAD POST", answer=telling.metrics),
    ]
    if process.settings.has_remote_routes:
        return routes
    newer = ("/backup/create_remote", "/backup/restore_remote/{name}")
    return [one for one in routes if one.path not in newer]


def _post_actions(process: Process, asked: Asked, named: dict[str, str]) -> Answer:
    return take_actions(process, asked)
