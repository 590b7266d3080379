from release.values_table import BEGIN, END, commented_keys, make_table, with_table

_VALUES = """\
# About the file.

# How many.
replicas: 1

# A group, see docs/a.md.
group:
  # One of <a>, `<b>` or a|b:
  #   left: out
  # and more.
  one: ""
  inner:
    two: {}
"""


def test_a_key_has_the_comment_that_stands_above_it() -> None:
    assert [(key.path, key.comment) for key in commented_keys(_VALUES)] == [
        ("replicas", "How many."),
        ("group", "A group, see docs/a.md."),
        ("group.one", "One of <a>, `<b>` or a|b: and more."),
        ("group.inner", ""),
        ("group.inner.two", ""),
    ]


def test_a_row_for_each_value_and_each_group_that_has_a_comment() -> None:
    assert make_table(_VALUES).splitlines()[2:] == [
        "| `replicas` | `1` |  | How many. |",
        "| `group.*` |  |  | A group, see [docs/a.md](../../docs/a.md). |",
        r'| `group.one` | `""` |  | One of \<a>, `<b>` or a\|b: and more. |',
        "| `group.inner.two` | `{}` |  |  |",
    ]


def test_what_stands_around_the_table_is_kept() -> None:
    page = with_table(f"before\n{BEGIN}old\n{END}after\n", "new\n")
    assert page == with_table(page, "new\n") == f"before\n{BEGIN}\nnew\n\n{END}after\n"
