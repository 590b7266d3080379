import re

from controller.cli.main import VERBS
from controller.client.terminal.errors import Exit
from controller.model.status import Reason, State
from controller.report.metrics.families import FAMILIES
from controller.runs.reasons import RunReason
from controller.settings.settings import SETTINGS
from controller.workloads.classes.keys import IN_CLASSES
from controller.workloads.request import ANNOTATIONS
from dumpers.contract.notes import NoteCode
from dumpers.runtime.errors import FINAL_EXIT_CODES, ExitCode
from tests.paths import REPOSITORY

_README = (REPOSITORY / "README.md").read_text()
_CHART = (REPOSITORY / "charts" / "ksnapshot" / "README.md").read_text()
_COMMAND = (REPOSITORY / "docs" / "command.md").read_text()
_OPERATIONS = (REPOSITORY / "docs" / "operations.md").read_text()


def _section(text: str, title: str) -> str:
    return re.split(r"^## ", text.split(f"\n## {title}", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def _first_cells(section: str) -> list[str]:
    return re.findall(r"^\| `?([\w.-]+)`? \|", section, re.MULTILINE)[1:]


def test_every_annotation_has_its_row() -> None:
    page = (REPOSITORY / "docs" / "annotations.md").read_text()
    listed = _first_cells(_section(page, "All of them"))
    assert listed == [annotation.key for annotation in ANNOTATIONS]


def test_the_charts_page_lists_every_setting() -> None:
    section = _section(_CHART, "Values and settings")
    assert {setting.env for setting in SETTINGS} - set(
        re.findall(r"`([A-Z0-9_]+)`", section)
    ) == set()


def test_every_annotation_that_a_class_can_hold_is_named() -> None:
    page = (REPOSITORY / "docs" / "classes.md").read_text()
    (line,) = re.findall(r"^- \*\*What a class can hold\*\*: ([^.]+)\.", page, re.MULTILINE)
    assert re.findall(r"`([\w-]+)`", line) == list(IN_CLASSES)


def test_every_reason_has_its_row() -> None:
    assert sorted(_first_cells(_section(_OPERATIONS, "Reasons"))) == sorted(Reason)


def test_every_refusal_is_told_to_those_who_may_only_annotate() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| [a-z, ]*unknown[a-z, ]* \|", _section(_OPERATIONS, "Reasons"), re.MULTILINE
    )
    page = (REPOSITORY / "docs" / "tenants.md").read_text()
    told = re.findall(r"`(\w+)`", _section(page, "When it is refused"))
    # Of a workload that is another one now, or is gone: nothing is refused.
    assert set(rows) - set(told) == {"OwnerNotFound", "TypeChanged", "GroupChanged"}
    assert {"StorageNotAllowed", "ScheduleTooOften"} <= set(told)


def test_every_reason_of_a_run_has_its_row() -> None:
    rows = _first_cells(_section(_OPERATIONS, "Why a run failed"))
    assert sorted(rows) == sorted(RunReason)


def test_every_code_of_a_note_has_its_row() -> None:
    assert _first_cells(_section(_OPERATIONS, "Notes on a backup")) == list(NoteCode)


def test_every_state_has_its_row() -> None:
    assert _first_cells(_section(_OPERATIONS, "States of a workload")) == list(State)


def test_every_exit_code_has_its_row() -> None:
    codes = sorted(ExitCode)
    section = _section(_OPERATIONS, "Exit codes of a dump")
    rows = re.findall(r"^\| (\d+) \|(.*)", section, re.MULTILINE)
    assert [int(code) for code, _ in rows] == codes
    final = {int(code) for code, row in rows if "fails at once" in row}
    assert final == set(map(int, FINAL_EXIT_CODES))


def test_every_verb_of_the_command_and_its_exit_codes_have_their_rows() -> None:
    verbs = re.findall(r"^\| \[?`(\w+)`", _COMMAND.split("\n## ", 1)[0], re.MULTILINE)
    assert verbs == list(VERBS)
    section = _section(_COMMAND, "Exit codes")
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)}
    assert codes == set(Exit)
    assert not {code for code in ExitCode if code >= 10} & codes


def test_links_lead_somewhere() -> None:
    for page in (
        *REPOSITORY.glob("*.md"),
        REPOSITORY / "charts" / "ksnapshot" / "README.md",
        *(REPOSITORY / "docs").rglob("*.md"),
    ):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_is_found_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(docs/([\w./-]+\.md)", _README))
    pages = {page.name for page in (REPOSITORY / "docs").glob("*.md")} | {"recipes/README.md"}
    assert pages - linked == set()


def test_every_test_of_a_report_is_there() -> None:
    page = (REPOSITORY / "docs" / "nothing-missing.md").read_text()
    sources = (path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)", "\n".join(sources), re.MULTILINE))
    assert set(re.findall(r"`(test_\w+)`", page)) - there == set()
    cases = re.findall(r"`((?:operators|groups|results)/[\w.-]+)`", page)
    assert [case for case in cases if not (REPOSITORY / "tests" / "golden" / case).is_dir()] == []


def test_every_attack_names_tests_that_are_there_or_says_that_none_is() -> None:
    page = (REPOSITORY / "docs" / "threat-model.md").read_text()
    rows = re.findall(r"^\| (?!attack |-)(.+) \|$", page, re.MULTILINE)
    assert len(rows) > 20
    for row in rows:
        tests = row.rpartition(" | ")[2]
        named = re.findall(r"`([^`]+)`", tests)
        assert named or tests == "not tried", row
        for name in named:
            path, _, test = name.partition("::")
            if test:
                assert f"\ndef {test}(" in (REPOSITORY / path).read_text(), name
            else:
                assert (REPOSITORY / path / "view.yaml").exists(), name


def test_every_metric_has_its_row() -> None:
    rows = _first_cells(_section(_OPERATIONS, "Health and metrics"))
    assert rows == [family.name for family in FAMILIES]


def test_every_alert_has_its_page_with_all_that_somebody_at_night_needs() -> None:
    pages = {
        page.stem: page.read_text() for page in (REPOSITORY / "docs" / "runbooks").glob("K*.md")
    }
    alerts = {rule.stem for rule in (REPOSITORY / "charts" / "ksnapshot" / "rules").glob("*.yaml")}
    assert set(pages) == alerts
    for name, page in pages.items():
        assert page.startswith(f"# {name}\n")
        parts = re.findall(r"^## (.+)$", page, re.MULTILINE)
        assert parts == ["Description", "Impact", "Diagnosis", "Resolution", "When to escalate"]
        assert re.search(r"^1\. ", _section(page, "Diagnosis"), re.MULTILINE)
    listed = re.findall(r"\(runbooks/(\w+)\.md\)", _section(_OPERATIONS, "Alerts"))
    assert sorted(listed) == sorted(alerts)
