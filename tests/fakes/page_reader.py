"""Reads the page's table as a browser would, by Python's own parser."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"meta", "link", "polyline", "path"})


@dataclass(slots=True)
class Cell:
    """A cell's column, what it says, and the labels of its pictures."""

    heading: str
    words: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


class Reader(HTMLParser):
    """Collects the rows of all tables, and every tag with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.headings: list[str] = []
        self.rows: list[dict[str, Cell]] = []
        self.links: list[str] = []
        self._open: list[str] = []
        self._cells: list[Cell] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append((tag, given))
        if tag == "a":
            self.links.append(given["href"])
        if tag == "tr":
            self._cells = []
        if tag in {"td", "th"}:
            place = len(self._cells)
            heading = self.headings[place] if "tbody" in self._open else ""
            assert given.get("data-of", heading) == heading
            self._cells.append(Cell(heading))
        if "aria-label" in given and self._cells:
            self._cells[-1].pictures.append(given["aria-label"])
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        assert self._open.pop() == tag, f"</{tag}> closes nothing"
        if tag == "tr" and "thead" in self._open:
            self.headings = [cell.text for cell in self._cells]
        elif tag == "tr":
            self.rows.append({cell.heading: cell for cell in self._cells})

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self._open):
            self._cells[-1].words.append(data)


def read(page: str | bytes) -> Reader:
    """Parse a page; whatever is opened must be closed in order."""
    reader = Reader()
    reader.feed(page if isinstance(page, str) else page.decode())
    reader.close()
    assert reader._open == []
    return reader


def cell(reader: Reader, workload: str, heading: str) -> str:
    """What a workload's row says in a column."""
    (row,) = [row for row in reader.rows if row["Workload"].text.split()[0] == workload]
    return row[heading].text
