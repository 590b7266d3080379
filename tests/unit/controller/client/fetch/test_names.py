from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.client.fetch.names import (
    choose_for_stdout,
    choose_objects,
    file_name,
    label_of,
)
from controller.client.restore.options import OptionError
from dumpers.contract.fetch.offer import Offer, OfferedObject
from tests.unit.dumpers.contract.fetch.test_offer import OBJECT, OFFER


def item(name: str, *part: str, ending: str = ".sql") -> OfferedObject:
    return replace(OBJECT, name=name, part=part, ending=ending)


def offer(*objects: OfferedObject) -> Offer:
    return replace(OFFER, objects=objects)


SHOP = offer(item("shop", ending=".globals.sql"), item("shop"))
TABLES = offer(
    item("app", "schema"),
    item("app", "s1r1", "app", "orders", ending=".native"),
    item("app", "s1r1", "app", "orders_2", ending=".native"),
    item("app", "s2r1", "app", "orders", ending=".native"),
)


@pytest.mark.parametrize(
    ("held", "wanted", "places"),
    [
        (SHOP, (), [0, 1]),
        (SHOP, ("shop",), [0, 1]),
        (SHOP, ("shop.sql",), [1]),
        (SHOP, ("shop.globals.sql", "shop.sql"), [0, 1]),
        (TABLES, ("app/s1r1",), [1, 2]),
        (TABLES, ("app/s1r1/",), [1, 2]),
        (TABLES, ("app/s2r1/app/orders.native", "app/schema"), [0, 3]),
        (TABLES, ("app/s1r1/app/orders",), [1]),
        (TABLES, ("app",), [0, 1, 2, 3]),
    ],
)
def test_objects_are_chosen_by_their_names(
    held: Offer, wanted: tuple[str, ...], places: list[int]
) -> None:
    assert choose_objects(held, wanted) == places


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("shp.sql", "did you mean shop.sql"),
        ("zzz", "it holds shop.globals.sql, shop.sql"),
        ("sho", "--object 'sho'"),
    ],
)
def test_an_unknown_name_is_refused_with_those_that_are_near(wanted: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        choose_objects(SHOP, (wanted,))


def test_stdout_takes_one_object() -> None:
    assert choose_for_stdout(SHOP, [0, 1], is_named=False) == 1
    assert choose_for_stdout(SHOP, [0], is_named=True) == 0
    for held, places, is_named in ((SHOP, [0, 1], True), (TABLES, [0, 1, 2, 3], False)):
        with pytest.raises(OptionError, match="stdout has room for one"):
            choose_for_stdout(held, places, is_named=is_named)


@pytest.mark.parametrize(
    ("held", "stored", "name"),
    [
        (item("shop"), False, "shop.sql"),
        (item("shop"), True, "shop.sql.gz.age"),
        (
            item("app", "s1r1", "app", "orders", ending=".native"),
            False,
            "app/s1r1/app/orders.native",
        ),
        (item("../../etc/passwd"), False, "..%2F..%2Fetc%2Fpasswd.sql"),
        (item("..", "..", "x"), False, "%2E%2E/%2E%2E/x.sql"),
        (item(".", ""), False, "%2E/_.sql"),
        (item("Zoë"), False, "Zo%C3%AB.sql"),
        (item("x", ending="/../y"), False, "x%2F..%2Fy"),
    ],
)
def test_files_are_named_after_their_objects(
    held: OfferedObject, *, stored: bool, name: str
) -> None:
    assert str(file_name(held, OFFER, stored=stored)) == name


def test_what_is_in_the_clear_and_stored_keeps_its_endings() -> None:
    clear = replace(OFFER, recipients=None)
    assert str(file_name(item("shop"), clear, stored=True)) == "shop.sql.gz"
    assert (
        str(file_name(item("shop"), replace(clear, compression="none"), stored=True)) == "shop.sql"
    )
    small = replace(OFFER, compression="zstd")
    assert str(file_name(item("shop"), small, stored=True)) == "shop.sql.zst.age"
    assert str(file_name(item("shop"), small, stored=False)) == "shop.sql"


@given(st.text(), st.lists(st.text(), max_size=3), st.text())
def test_no_name_leads_out_of_the_folder(name: str, part: list[str], ending: str) -> None:
    path = file_name(item(name, *part, ending=ending), OFFER, stored=False)
    assert not path.is_absolute()
    assert not {"", ".", ".."} & set(path.parts)
    assert len(path.parts) == 1 + len(part)


def test_labels() -> None:
    assert label_of(item("a\x1b[2Jb")) == "a?[2Jb.sql"
    assert [label_of(each) for each in TABLES.objects][:2] == [
        "app/schema.sql",
        "app/s1r1/app/orders.native",
    ]
