"""Ids are made of words and never twice the same."""

from mgsl.reporting.draw import anchors


def test_an_id_has_the_words_in_small_letters_and_no_sign() -> None:
    assert anchors.of("Claim", "MGSL-Net beats 2D-TAN (R@1), “rare”") == (
        "claim-mgsl-net-beats-2d-tan-r-1-rare"
    )


def test_a_repeated_id_is_numbered() -> None:
    assert anchors.numbered(["a", "b", "a", "a"]) == ["a", "b", "a-2", "a-3"]
