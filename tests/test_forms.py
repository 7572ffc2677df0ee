"""The forms in which words are counted."""

import pytest

from mgsl.params import Form
from mgsl.rarity import FORMS, writer

SENTENCE = (("the", "DT"), ("ponies", "NNS"), ("were", "VBD"), ("running", "VBG"), ("3", "CD"))


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("surface", "the ponies were running 3"),
        ("lemma", "the pony be run 3"),
        ("stem", "the poni were run 3"),
    ],
)
def test_a_sentence_is_written_in_each_form(form: Form, expected: str) -> None:
    told = writer(form, [SENTENCE])(SENTENCE)
    assert " ".join(word for word, _ in told) == expected
    assert [tag for _, tag in told] == [tag for _, tag in SENTENCE]


def test_all_sentences_decide_between_two_lemmas() -> None:
    bathing = (("bathing", "VBG"),)
    assert writer("lemma", [bathing])(bathing) == (("bath", "VBG"),)
    bathe = (("bathe", "VB"),)
    assert writer("lemma", iter([bathing, bathe]))(bathing) == (("bathe", "VBG"),)


def test_every_form_may_be_chosen() -> None:
    assert FORMS == ("surface", "lemma", "stem")
