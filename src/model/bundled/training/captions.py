"""Captions as people write them, each with its claim: what must hold of a picture for the caption to be true of it.

A claim is a `Truth` whose NONE means "says nothing about this". A caption is true of every picture that agrees with its
claim wherever it says something; training uses that to tell a false negative from a true one.
"""

from words import (
    CLASS_FRAMES,
    CLASSES,
    EXTENTS,
    FRAMES,
    GENERIC,
    LABEL_FRAMES,
    NUMBERS,
    PLACES,
    SCENES,
    SYNONYMS,
    fitted,
    plural,
    with_article,
)
from world import BACKGROUNDS, COLOURS, NONE, THINGS, Truth

NOTHING = Truth(NONE, NONE, NONE, NONE, NONE, NONE)


def name(r, word, rate=0.12):
    """A word, or now and then one that means the same."""
    return r.choice(SYNONYMS[word]) if word in SYNONYMS and r.random() < rate else word


def class_prompts(r, attribute):
    """One prompt for each class of an attribute, all in the same frame."""
    frame = r.choice(LABEL_FRAMES if r.random() < 0.55 else CLASS_FRAMES[attribute])
    return [fitted(frame, name(r, word, 0.05)) for word in CLASSES[attribute]]


def caption(r, truth):
    """(text, claim) for a picture."""
    if r.random() < 0.04:
        return r.choice(GENERIC), NOTHING
    if truth.thing == NONE:
        return _framed(r, *_scene(r, truth))
    kind = r.random()
    if kind < 0.62:
        return _framed(r, *_full(r, truth, colour=True))
    if kind < 0.78:
        return _framed(r, *_full(r, truth, colour=False))
    if kind < 0.86 and truth.colour != NONE:
        return _colour_only(r, truth)
    if kind < 0.95:
        return _framed(r, *_scene(r, truth))
    return f"{r.choice(NUMBERS[truth.count])} {'thing' if truth.count == 0 else 'things'}", NOTHING._replace(
        count=truth.count
    )


def _framed(r, text, claim):
    text = r.choice(FRAMES).format(text)
    return (text[0].upper() + text[1:] if r.random() < 0.1 else text), claim


def _full(r, truth, colour):
    """Number, size, colour, thing and place, each of them now and then left out."""
    claim, words = NOTHING._replace(thing=truth.thing), []
    if truth.size != NONE and r.random() < 0.45:
        words.append(r.choice(EXTENTS[truth.size]))
        claim = claim._replace(size=truth.size)
    if colour and truth.colour != NONE:
        words.append(name(r, COLOURS[truth.colour]))
        claim = claim._replace(colour=truth.colour)
    noun = name(r, THINGS[truth.thing])
    if truth.count == 0:
        numbered = r.random() < 0.12
        phrase = " ".join([*words, noun])
        phrase = (
            f"{r.choice(NUMBERS[0])} {phrase}" if numbered else phrase if r.random() < 0.15 else with_article(phrase)
        )
    else:
        numbered = r.random() < 0.65
        single = not numbered and r.random() < 0.4
        phrase = " ".join([*words, noun if single else plural(noun)])
        phrase = (
            with_article(phrase) if single else f"{r.choice(NUMBERS[truth.count])} {phrase}" if numbered else phrase
        )
    if numbered:
        claim = claim._replace(count=truth.count)
    if r.random() < 0.5:
        place, claim = _placed(r, PLACES, truth, claim)
        phrase = f"{phrase} {place}"
    return phrase, claim


def _placed(r, table, truth, claim):
    text = r.choice(table[BACKGROUNDS[truth.background]])
    if "{tint}" in text:
        text = fitted(text.replace("{tint}", "{}"), name(r, COLOURS[truth.background_colour]))
        return text, claim._replace(background=truth.background, background_colour=truth.background_colour)
    return text, claim._replace(background=truth.background)


def _scene(r, truth):
    if r.random() < 0.3:
        word = BACKGROUNDS[truth.background]
        return name(r, word), NOTHING._replace(background=truth.background)
    return _placed(r, SCENES, truth, NOTHING)


def _colour_only(r, truth):
    frame = r.choice([*CLASS_FRAMES["colour"], *LABEL_FRAMES])
    return fitted(frame, name(r, COLOURS[truth.colour])), NOTHING._replace(colour=truth.colour)
