"""What there is in the training world, the truth about one picture of it, and the pairs that training never sees."""

import random
from typing import NamedTuple

from backgrounds import BACKGROUNDS
from palette import COLOURS

THINGS = (
    "circle square triangle star heart ring cross moon house tree flower fish boat car cloud face arrow diamond sun "
    "mountain bird butterfly leaf rocket balloon umbrella mug key apple cat"
).split()
COUNTS = ["one", "two", "three", "many"]
SIZES = ["small", "big"]
NONE = -1  # in place of an index: there is no such thing, or it has no name


class Truth(NamedTuple):
    """What is in a picture, as indices into the lists above."""

    thing: int
    colour: int
    background: int
    background_colour: int  # of a plain background
    count: int
    size: int


def _held_out(share=0.08, seed=11):
    """Pairs (thing, colour) kept from training: at random per thing, so that no rule gives them away.

    A thing loses one colour at most, so that every one is learned in ten colours or more.
    """
    r = random.Random(seed)
    things = r.sample(range(len(THINGS)), round(share * len(THINGS) * len(COLOURS)))
    return frozenset((thing, r.randrange(len(COLOURS))) for thing in things)


HELD_OUT = _held_out()


def describe(truth):
    """The truth in a few words, for contact sheets."""
    names = (
        (truth.count, COUNTS),
        (truth.size, SIZES),
        (truth.colour, COLOURS),
        (truth.thing, THINGS),
        (truth.background, BACKGROUNDS),
    )
    return " ".join(table[k] for k, table in names if k != NONE)
