"""Trees of values: branches are merged, values replaced, nothing is changed in place."""

from mgsl.nested import flatten, merge

TREE = {"a": 1, "b": {"c": 2, "d": {"e": 3}}}


def test_branches_are_merged_and_values_replaced() -> None:
    assert merge(TREE, {"b": {"c": 4, "d": {"f": 5}}, "g": 6}) == {
        "a": 1, "b": {"c": 4, "d": {"e": 3, "f": 5}}, "g": 6,
    }  # fmt: skip
    assert TREE == {"a": 1, "b": {"c": 2, "d": {"e": 3}}}
    assert merge(TREE, {"b": 7}) == {"a": 1, "b": 7}  # for the types to complain of


def test_values_stand_under_dotted_keys() -> None:
    assert flatten(TREE) == {"a": 1, "b.c": 2, "b.d.e": 3}
