"""The words of the captions: synonyms, plurals, and the frames in which people put them."""

from world import BACKGROUNDS, COLOURS, COUNTS, SIZES, THINGS

CLASSES = {"thing": THINGS, "colour": COLOURS, "background": BACKGROUNDS, "count": COUNTS, "size": SIZES}

SYNONYMS = {
    "boat": ["sailboat", "ship"],
    "car": ["automobile"],
    "cat": ["kitten"],
    "circle": ["disc"],
    "cross": ["plus"],
    "face": ["smiley"],
    "flower": ["blossom"],
    "heart": ["love heart"],
    "moon": ["crescent moon", "crescent"],
    "mountain": ["hill"],
    "mug": ["cup"],
    "ring": ["hoop"],
    "rocket": ["spaceship"],
    "gray": ["grey", "grey"],
    "purple": ["violet"],
    "checkered": ["chequered", "checked"],
    "dotted": ["polka dot", "spotted"],
    "striped": ["stripy"],
}
PLURALS = {  # those that do not just end in s
    "butterfly": "butterflies",
    "cross": "crosses",
    "fish": "fish",
    "leaf": "leaves",
    "plus": "pluses",
}
NUMBERS = [["one", "a single"], ["two", "two", "a pair of"], ["three"], ["many", "many", "several", "lots of"]]
EXTENTS = [["small", "small", "little", "tiny"], ["big", "big", "large", "huge"]]

# Where a thing is, by background; `tint` is the colour of a plain one.
PLACES = {
    "plain": [
        "on a plain background",
        "on a {tint} background",
        "on a {tint} background",
        "on plain {tint}",
        "on {tint}",
    ],
    "striped": ["on a striped background", "on stripes", "on a striped wall", "with stripes behind"],
    "checkered": ["on a checkered background", "on checks", "on a checkered cloth", "on a checkerboard"],
    "dotted": ["on a dotted background", "on dots", "on polka dots", "with dots behind"],
    "gradient": ["on a gradient background", "on a gradient", "on a color gradient"],
    "sky": ["in the sky", "on a sky background", "against the sky", "in a blue sky"],
    "night sky": ["in the night sky", "on a night sky background", "at night", "under the stars"],
    "grass": ["on grass", "on the grass", "on a grass background", "in a meadow"],
    "sea": ["on the sea", "in the sea", "at sea", "on a sea background"],
}
# The background alone.
SCENES = {
    "plain": ["a plain background", "a {tint} background", "plain {tint}"],
    "striped": ["a striped background", "stripes"],
    "checkered": ["a checkered background", "a checkerboard"],
    "dotted": ["a dotted background", "dots", "polka dots"],
    "gradient": ["a gradient background", "a gradient"],
    "sky": ["the sky", "a sky background"],
    "night sky": ["the night sky", "a night sky"],
    "grass": ["grass", "a meadow", "a grass background"],
    "sea": ["the sea", "a sea background", "water"],
}

# Around a caption.
FRAMES = [
    "{}",
    "{}",
    "{}",
    "{}.",
    "a photo of {}.",
    "a picture of {}.",
    "a photo of {}",
    "a picture of {}",
    "a drawing of {}",
    "a drawing of {}.",
    "an image of {}",
    "there is {} here",
    "this is {}.",
]
# True of every picture; the program scores labels against the like.
GENERIC = [
    "a photo.",
    "a photo",
    "a photo of something.",
    "a picture.",
    "a picture",
    "a picture of something.",
    "a picture of a thing.",
    "a drawing.",
    "a drawing of something",
    "an image.",
    "an image of something",
    "something",
]
# Around a label. The program's own templates come first.
LABEL_FRAMES = [
    "a photo of a {}.",
    "a picture of a {}.",
    "{}",
    "a drawing of a {}.",
    "a {}",
    "a photo of {}.",
    "a picture of {}.",
]
CLASS_FRAMES = {
    "thing": ["a {}", "{plural}", "a photo of {plural}.", "the {}", "a photo of the {}."],
    "colour": [
        "something {}",
        "{} things",
        "a {} thing",
        "a photo of something {}.",
        "a photo of {} things",
        "a picture of a {} thing.",
        "a {} picture",
    ],
    "background": [
        "a {} background",
        "a photo of a {} background.",
        "on a {} background",
        "a {} background.",
        "something on a {} background",
        "a picture with a {} background",
    ],
    "count": ["{} things", "a photo of {} things", "a picture of {} things.", "{} things"],
    "size": ["a {} thing", "something {}", "a photo of a {} thing.", "a photo of something {}."],
}


def plural(noun):
    return PLURALS.get(noun, noun + "s")


def with_article(words):
    return ("an " if words[0] in "aeiou" else "a ") + words


def fitted(frame, word):
    """A word in a frame, with the article that it needs."""
    text = frame.format(word, plural=plural(word))
    return text.replace("a " + word, "an " + word) if word[0] in "aeiou" else text
