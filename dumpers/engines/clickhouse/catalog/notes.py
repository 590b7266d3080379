"""The notes of several servers as those of one dump: one for each kind, with all names."""

from collections.abc import Iterable, Mapping

from dumpers.contract.notes import Note, NoteCode


def gather_notes(held: Mapping[str, Iterable[Note]]) -> tuple[Note, ...]:
    """The notes of all servers, by their labels, each kind once with the names of all objects.

    What is not true of all servers names those of which it is, unless there is only one.
    """
    found: dict[tuple[NoteCode, str], dict[str, list[str]]] = {}
    for label, notes in held.items():
        for note in notes:
            labels_of = found.setdefault((note.code, note.text), {})
            for name in note.objects or ("",):
                labels = labels_of.setdefault(name, [])
                if label not in labels:
                    labels.append(label)
    gathered = []
    for (code, text), labels_of in found.items():
        by_labels: dict[tuple[str, ...], list[str]] = {}
        for name, labels in labels_of.items():
            by_labels.setdefault(tuple(labels), []).append(name)
        for servers, names in by_labels.items():
            where = "" if len(servers) == len(held) else f" ({', '.join(servers)})"
            objects = tuple(sorted(name for name in names if name))
            gathered.append(Note(code=code, text=f"{text}{where}", objects=objects))
    return tuple(gathered)
