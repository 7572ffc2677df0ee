"""Which words are counted, in which form, and how rare a query is."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgsl.data.annotations import Annotation, hold_out
from mgsl.params import Form
from mgsl.rarity import FORMS, bin_labels, frequencies, rarity, writer
from tests.published import rare_params

TAGS = ("NN", "VB", "JJ")


def annotation(qid: str, split: str) -> Annotation:
    return Annotation(qid, qid.split("-")[0], "a sentence", split, 0.0, 1.0, 2.0, None)


def test_frequencies_count_surface_forms_that_are_content_words() -> None:
    corpus = [
        (("dog", "NN"), ("dogs", "NNS"), ("light", "JJ"), ("the", "DT"), ("3", "NN")),
        (("light", "NN"), ("up", "RP"), ("t-shirt", "NN"), ("light", "RB")),
    ]
    assert frequencies(corpus, TAGS) == {"dog": 1, "dogs": 1, "light": 2}


@pytest.mark.parametrize(
    ("count", "inclusive", "expected"),
    [
        (0, False, (0, True)),
        (9, False, (0, True)),
        (10, False, (1, False)),
        (10, True, (0, True)),
        (11, True, (1, False)),
        (50, False, (2, False)),
        (50, True, (1, False)),
        (99, False, (2, False)),
        (100, False, (3, False)),
        (100, True, (2, False)),
        (101, True, (3, False)),
    ],
)
def test_edges_fall_on_the_side_that_the_reading_says(
    count: int, inclusive: bool, expected: tuple[int, bool]
) -> None:
    counts = Counter({"dog": count, "the": 1, "runs": 1000})
    query = (("the", "DT"), ("dog", "NN"), ("runs", "VBZ"))
    met = rarity(query, counts, rare_params(inclusive=inclusive))
    assert (met.bin, met.rare) == expected
    assert met.frequency == count


def test_a_query_without_content_words_is_common() -> None:
    met = rarity((("the", "DT"),), Counter(), rare_params())
    assert (met.frequency, met.bin, met.rare) == (None, 3, False)


def test_labels_say_what_the_bins_hold() -> None:
    assert bin_labels(rare_params()) == ["<10", "10-49", "50-99", ">=100"]
    assert bin_labels(rare_params(inclusive=True)) == ["<=10", "11-50", "51-100", ">100"]
    assert bin_labels(rare_params(bins=(5,))) == ["<5", ">=5"]


@given(st.integers(2, 40), st.floats(0.05, 0.9), st.integers(0, 5))
def test_validation_is_a_share_of_the_training_videos(videos: int, share: float, seed: int) -> None:
    train = [annotation(f"v{i}-{j}", "train") for i in range(videos) for j in range(2)]
    test = [annotation("t0-0", "test")]
    split = hold_out(train + test, share=share, seed=seed)
    assert [a.qid for a in split] == [a.qid for a in train + test]
    held_out = {a.video for a in split if a.split == "val"}
    assert len(held_out) == max(1, round(share * videos))
    assert not held_out & {a.video for a in split if a.split == "train"}
    assert "t0" not in held_out
    assert split == hold_out(train + test, share=share, seed=seed)


def test_a_published_validation_split_is_kept() -> None:
    published = [annotation("a-0", "train"), annotation("b-0", "val"), annotation("c-0", "test")]
    assert hold_out(published, share=0.5, seed=0) == published


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
    pairs = writer(form, [SENTENCE])(SENTENCE)
    assert " ".join(word for word, _ in pairs) == expected
    assert [tag for _, tag in pairs] == [tag for _, tag in SENTENCE]


def test_all_sentences_decide_between_two_lemmas() -> None:
    bathing = (("bathing", "VBG"),)
    assert writer("lemma", [bathing])(bathing) == (("bath", "VBG"),)
    bathe = (("bathe", "VB"),)
    assert writer("lemma", iter([bathing, bathe]))(bathing) == (("bathe", "VBG"),)


def test_every_form_may_be_chosen() -> None:
    assert FORMS == ("surface", "lemma", "stem")
