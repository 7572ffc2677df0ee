"""Dictionary forms: what the rules find, what is listed, what stays."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgsl.lemmas import attest, lemma

SEEN = attest(
    [
        [("hope", "VB"), ("hope", "VBP"), ("hops", "VBZ")],
        [("smiles", "VBZ"), ("leaf", "NN"), ("glass", "NN")],
        [("large", "JJ"), ("watch", "VBP"), ("shoe", "NN"), ("dance", "NN"), ("tree", "NN")],
    ]
)


@pytest.mark.parametrize(
    ("token", "tag", "expected"),
    [
        ("opens", "VBZ", "open"),
        ("watches", "VBZ", "watch"),
        ("carries", "VBZ", "carry"),
        ("hoping", "VBG", "hope"),
        ("smiling", "VBG", "smile"),
        ("sitting", "VBG", "sit"),
        ("dancing", "VBG", "dance"),
        ("passing", "VBG", "pass"),
        ("lying", "VBG", "lie"),
        ("stopped", "VBD", "stop"),
        ("tried", "VBN", "try"),
        ("took", "VBD", "take"),
        ("is", "VBZ", "be"),
        ("leaves", "NNS", "leaf"),
        ("leaves", "VBZ", "leave"),
        ("glasses", "NNS", "glass"),
        ("shoes", "NNS", "shoe"),
        ("trees", "NNS", "tree"),
        ("women", "NNS", "woman"),
        ("larger", "JJR", "large"),
        ("biggest", "JJS", "big"),
        ("easier", "JJR", "easy"),
        ("best", "JJS", "good"),
    ],
)
def test_an_inflected_word_has_its_lemma(token: str, tag: str, expected: str) -> None:
    assert lemma(token, tag, SEEN) == expected


@pytest.mark.parametrize(
    ("token", "tag"), [("ring", "NN"), ("bring", "VB"), ("quickly", "RB"), ("grass", "NNS")]
)
def test_a_word_without_an_ending_stays(token: str, tag: str) -> None:
    assert lemma(token, tag, SEEN) == token


def test_the_sentences_decide_between_two_stems() -> None:
    assert lemma("hopping", "VBG", {("V", "hop"): 2, ("V", "hopp"): 1}) == "hop"
    assert lemma("bathing", "VBG", {}) == "bath"
    assert lemma("bathing", "VBG", {("V", "bathe"): 1}) == "bathe"


@given(
    token=st.text("abcdefghijklmnopqrstuvwxyz'", min_size=1, max_size=12),
    tag=st.sampled_from(["VBZ", "VBG", "VBD", "NNS", "NN", "JJR", "JJS", "DT"]),
)
def test_a_lemma_is_never_empty(token: str, tag: str) -> None:
    assert lemma(token, tag, Counter())
