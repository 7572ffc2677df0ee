"""Dictionary forms of English nouns, verbs and adjectives, by rules and a list of exceptions.

The rules take off the ending that a Penn tag announces and propose stems. Of these, the one that
the sentences at hand have most often as a word of its class is taken, or the first if they have
none: "hoping" is "hope" where "hope" is a verb of the corpus. No dictionary is needed; what rules
cannot know, such as "felt" from "feel", is listed, and what is not listed stays as it is.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

Attested = Mapping[tuple[str, str], int]  # how often a (class, word) occurs; see `attest`

_ENDINGS: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {  # by tag: ending, replacements
    "VBZ": (("ies", ("y", "ie")), ("es", ("", "e")), ("s", ("",))),
    "VBG": (("ying", ("y", "ie")), ("ing", ("", "e"))),
    "VBD": (("ied", ("y", "ie")), ("ed", ("", "e"))),
    "VBN": (("ied", ("y", "ie")), ("ed", ("", "e"))),
    "NNS": (("ies", ("y", "ie")), ("ves", ("f", "fe", "ve")), ("es", ("", "e")), ("s", ("",))),
    "NNPS": (("ies", ("y",)), ("es", ("", "e")), ("s", ("",))),
    "JJR": (("ier", ("y",)), ("er", ("", "e"))),
    "JJS": (("iest", ("y",)), ("est", ("", "e"))),
}
_SIBILANTS = ("ss", "sh", "ch", "x", "zz", "o")  # only after these does -es stand for -s
_UNDOUBLED = set("bdgmnprt")  # consonants that double before an ending: "sitting", "bigger"
_SILENT = set("csuvz")  # letters after which a stem likely ends in e: "dancing", "moved"
_VOWELS = set("aeiouy")

_IRREGULAR = {  # by class: forms, the last with its lemma
    "V": """am is are was were been being:be has had having:have does did done doing:do goes went
        gone:go got gotten:get took taken:take came:come made:make gave given:give saw seen:see
        sat:sit stood:stand held:hold threw thrown:throw ran:run began begun:begin ate eaten:eat
        fell fallen:fall felt:feel left:leave led:lead lit:light found:find kept:keep caught:catch
        bent:bend brought:bring built:build bought:buy drew drawn:draw drank drunk:drink
        drove driven:drive fed:feed fought:fight flew flown:fly grew grown:grow hung:hang
        heard:hear hid hidden:hide knelt:kneel knew known:know laid:lay lain:lie lost:lose
        meant:mean met:meet paid:pay rode ridden:ride rose risen:rise said:say sent:send
        shook shaken:shake shot:shoot shown:show sang sung:sing slept:sleep slid:slide sold:sell
        spoke spoken:speak spent:spend spun:spin sprang sprung:spring stole stolen:steal stuck:stick
        struck stricken:strike swept:sweep swam swum:swim swung:swing taught:teach told:tell
        thought:think understood:understand woke woken:wake wore worn:wear won:win wound:wind
        wrote written:write broke broken:break blew blown:blow bit bitten:bite chose chosen:choose
        dug:dig froze frozen:freeze beaten:beat became:become burnt:burn dealt:deal
        forgot forgotten:forget leapt:leap leant:lean lent:lend shone:shine sank sunk:sink
        stung:sting swore sworn:swear tore torn:tear wept:weep wrung:wring awoke awoken:awaken
        bound:bind crept:creep dove:dive flung:fling overtook overtaken:overtake rewound:rewind
        rang rung:ring sewn:sew shaven:shave slung:sling spilt:spill spat:spit strode:stride
        strung:string undid undone:undo withdrew withdrawn:withdraw wove woven:weave""",
    "N": """men:man women:woman children:child people:person feet:foot teeth:tooth mice:mouse
        geese:goose""",
    "J": """better best:good worse worst:bad further furthest farther farthest:far more most:much
        less least:little""",
}


def attest(tagged: Iterable[Iterable[tuple[str, str]]]) -> Counter[tuple[str, str]]:
    """How often each word occurs without an ending, or may stand before an -s.

    Args:
        tagged: sentences of (token, Penn tag) pairs, lower-cased.
    """
    return Counter(
        (tag[0], stem)
        for sentence in tagged
        for token, tag in sentence
        if tag not in _ENDINGS or tag in ("VBZ", "NNS")
        for stem in ([token] if tag not in _ENDINGS else _stems(token, tag))
    )


def lemma(token: str, tag: str, attested: Attested) -> str:
    """The dictionary form of one token.

    Args:
        token: lower-cased.
        tag: its Penn tag. What is no noun, verb or adjective stays as it is.
        attested: what `attest` counted.
    """
    kind = tag[:1]
    if listed := _EXCEPTIONS.get((kind, token)):
        return listed
    stems = [stem for stem in _stems(token, tag) if len(stem) > 1 and _VOWELS & set(stem)]
    return max(stems, key=lambda stem: attested.get((kind, stem), 0), default=token)


def _stems(token: str, tag: str) -> list[str]:
    """What is left without the ending, the likeliest first."""
    for ending, replacements in _ENDINGS.get(tag, ()):
        rest = token.removesuffix(ending)
        if rest == token or (ending == "es" and not rest.endswith(_SIBILANTS)):
            continue
        if ending == "s" and rest.endswith("s"):
            break  # "grass" has no ending
        doubled = rest[-2:-1] == rest[-1:]
        if doubled and rest[-1:] in _UNDOUBLED and ending in ("ing", "ed", "er", "est"):
            return [rest[:-1], rest]
        silent = rest[-1:] in _SILENT and not doubled
        stems = [rest + replacement for replacement in replacements]
        return stems[::-1] if silent or len(rest) == 1 else stems  # "dance", "lie"
    return []


def _exceptions(kind: str, text: str) -> Iterator[tuple[tuple[str, str], str]]:
    forms: list[str] = []
    for item in text.split():
        form, _, base = item.partition(":")
        forms.append(form)
        if base:
            yield from (((kind, form), base) for form in forms)
            forms.clear()


_EXCEPTIONS = dict(pair for kind, text in _IRREGULAR.items() for pair in _exceptions(kind, text))
