"""The words and sentence patterns of the embedded dataset.

A verb is listed in the one form that it takes; the few verbs with two forms are frequent in both,
so that no rare form stands for a frequent action. The form says the tag.
"""

import random
import re
from collections.abc import Iterable, Mapping

KINDS = ("subject", "verb", "adjective", "noun", "place")

UNSEEN: dict[str, str] = {  # in validation and test sentences only
    "verb": """bleaches caresses embellishes hammered salvaged lacquered unpacking tugging
        embroiders ransacks burnished defaced upholstered whittling appraising kneading""",
    "adjective": """beige cumbersome gaudy iridescent octagonal speckled tattered turquoise
        lavender bulbous ragged opulent murky indigo warped threadbare""",
    "noun": """abacus banjo chisel corkscrew crossbow didgeridoo flute gargoyle marionette metronome
        snorkel trapeze xylophone zither astrolabe crucible dulcimer figurine gavel kazoo
        lectern monocle quiver sitar tassel theremin wok zeppelin""",
}

BINS: dict[str, tuple[str, str, str, str]] = {  # by training frequency, the rarest bin first
    "subject": ("", "", "", "woman man boy girl person chef teacher dancer"),
    "verb": (
        """inspects tosses scrubs juggles photographs dismantles sands weighs hoists admired
        varnished dusted unwrapped smashed engraved tilted buried assembled auctioning hauling
        rinsing stacking tapping chaining labeling kissing guarding sharpens rotates scrapes
        borrows squeezes decorates bends oils steals waxed melted wrinkled toppled examined
        fastened mended dyed scratched peeled sealing crushing rattling trimming spinning
        stitching dunking soaking""",
        """shakes repairs hides drags polished packed measured sketching balancing drying opens
        sells stirs folds twisted rolled burned flipping grabbing swinging""",
        "washes pulls kicked moved holding throwing ties closes loaded traded sorting hitting",
        """lifts carries cleans pushes drops covers paints wraps lifted carrying cleaned pushing
        dropped covering painted wrapping""",
    ),
    "adjective": (
        """antique bulky battered crimson crooked dented elegant fragile fuzzy gigantic glossy
        grimy hollow ivory jagged lopsided magenta miniature mottled ornate peculiar pristine
        rugged scarlet shabby sleek translucent azure brittle chipped clumsy colossal cracked
        dainty emerald exotic faded frosted gilded grubby hefty knitted leaky lumpy marbled
        musty padded plaid quaint rickety sturdy tangled velvet woven""",
        """striped golden rusty purple dusty empty gray narrow soft fancy orange square plain
        silver curved wide thin spotted broken wet""",
        "yellow shiny dirty round tiny pink brown long tall thick bright flat",
        "red small blue old green large white heavy black new",
    ),
    "noun": (
        """accordion anchor beehive birdcage boomerang cactus candelabra canoe cauldron cello
        chandelier cleaver coconut compass cradle crate doorbell dustpan easel fossil funnel
        gong gramophone hammock harp hourglass jigsaw kayak kite loom mallet mandolin microscope
        moccasin obelisk parasol pitchfork plunger prism quilt rake saddle sextant skateboard
        sled spatula stethoscope tambourine teapot thimble toboggan trowel typewriter unicycle
        wheelbarrow aquarium axe bagpipe barometer bathtub bugle buoy cassette catapult
        chessboard cymbal dagger dartboard dollhouse doormat fishbowl flagpole flask footstool
        goblet hairbrush harmonica harpoon hinge inkwell jukebox ladle lute maraca mop mousetrap
        nutcracker oboe paddle pendulum periscope pincushion pinwheel piston pulley sandbag
        scarecrow shovel sickle spindle sundial surfboard tripod tuba ukulele urn viola wagon
        windmill""",
        """kettle trophy blanket suitcase violin barrel clock cake vase umbrella camera telescope
        lantern melon puppet bicycle trumpet statue tray scarf pillow candle carpet shelf pan
        jar toy rope hat wheel brush curtain bench parcel""",
        """bucket drum guitar lamp pumpkin helmet ladder mirror cup pot coat sack tire fan board
        stool""",
        "box ball bag bottle chair bowl basket book plate towel",
    ),
    "place": ("", "", "", "window kitchen door garden sofa stage porch counter"),
}

SAME_ACTION = {  # the second form of a verb and the first, by which events know it
    "lifted": "lifts",
    "carrying": "carries",
    "cleaned": "cleans",
    "pushing": "pushes",
    "dropped": "drops",
    "covering": "covers",
    "painted": "paints",
    "wrapping": "wraps",
}

PREPOSITION = {
    "window": "near",
    "kitchen": "in",
    "door": "by",
    "garden": "in",
    "sofa": "beside",
    "stage": "on",
    "porch": "on",
    "counter": "behind",
}

# Upper-case names stand for words of that kind; "a" becomes "an" before a vowel.
PATTERNS: dict[str, tuple[str, ...]] = {
    "s": (
        "the/DT SUBJECT/NN VERB/VBZ a/DT ADJECTIVE/JJ NOUN/NN",
        "a/DT SUBJECT/NN VERB/VBZ the/DT ADJECTIVE/JJ NOUN/NN",
        "the/DT SUBJECT/NN slowly/RB VERB/VBZ a/DT ADJECTIVE/JJ NOUN/NN",
        "then/RB the/DT SUBJECT/NN VERB/VBZ the/DT ADJECTIVE/JJ NOUN/NN again/RB",
    ),
    "ed": (
        "the/DT SUBJECT/NN VERB/VBD a/DT ADJECTIVE/JJ NOUN/NN",
        "a/DT SUBJECT/NN quickly/RB VERB/VBD the/DT ADJECTIVE/JJ NOUN/NN",
        "a/DT ADJECTIVE/JJ NOUN/NN was/VBD VERB/VBN by/IN the/DT SUBJECT/NN",
        "the/DT ADJECTIVE/JJ NOUN/NN is/VBZ VERB/VBN by/IN a/DT SUBJECT/NN",
    ),
    "ing": (
        "the/DT SUBJECT/NN is/VBZ VERB/VBG a/DT ADJECTIVE/JJ NOUN/NN",
        "a/DT SUBJECT/NN is/VBZ VERB/VBG the/DT ADJECTIVE/JJ NOUN/NN",
        "the/DT SUBJECT/NN was/VBD carefully/RB VERB/VBG a/DT ADJECTIVE/JJ NOUN/NN",
        "now/RB a/DT SUBJECT/NN is/VBZ VERB/VBG a/DT ADJECTIVE/JJ NOUN/NN",
    ),
}


def seen_as(word: str) -> str:
    """The word that stands for the same thing in every sentence, and in the video."""
    return SAME_ACTION.get(word, word)


def describe(
    words: Mapping[str, str], *, front_share: float, rng: random.Random
) -> list[tuple[str, str]]:
    """Say what happens in one sentence: its lower-case tokens with their Penn tags.

    Args:
        words: one word of each kind; the place may be absent.
        front_share: how often a place opens the sentence instead of closing it, in [0, 1].
        rng: chooses the pattern.
    """
    form = next(ending for ending in PATTERNS if words["verb"].endswith(ending))
    tokens = [_fill(pair, words) for pair in rng.choice(PATTERNS[form]).split()]
    if place := words.get("place"):
        phrase = [(PREPOSITION[place], "IN"), ("the", "DT"), (place, "NN")]
        front = rng.random() < front_share
        tokens = [*phrase, (",", ","), *tokens] if front else [*tokens, *phrase]
    tokens.append((".", "."))
    following = [token for token, _ in tokens[1:]] + [""]
    return [
        ("an" if token == "a" and after[:1] in set("aeiou") else token, tag)
        for (token, tag), after in zip(tokens, following, strict=True)
    ]


def write_out(tokens: Iterable[str]) -> str:
    """A sentence as people write it; `split_tokens` takes it apart again."""
    return re.sub(r" ([.,])", r"\1", " ".join(tokens)).capitalize()


def split_tokens(sentence: str) -> list[str]:
    """The lower-case tokens of a sentence that `write_out` wrote."""
    return re.findall(r"[a-z]+|[.,]", sentence.lower())


def _fill(pair: str, words: Mapping[str, str]) -> tuple[str, str]:
    token, tag = pair.split("/")
    return words.get(token.lower(), token) if token.isupper() else token, tag
