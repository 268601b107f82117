"""Libraries whose truth is known, drawn by the training's own code, and what each model makes of them.

They differ in what they hold: a threshold that fits one of them may not fit the next. Pictures come from seeds that no
training started from; they and their embeddings are drawn once and kept.
"""

import argparse
import random
import sys
from pathlib import Path

import numpy as np
import tomllib

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "src/model/bundled/training"))

import draw
from evaluate import Exported
from world import BACKGROUNDS, COLOURS, NONE, THINGS, Truth

SIDE = draw.SIDE
# The set of things names these; other things are pictures that no label of it fits.
LABELLED = ["cat", "house", "tree", "boat", "star", "fish", "car", "moon", "apple", "key"]
OTHERS = [thing for thing in THINGS if thing not in LABELLED]
OUTDOORS = {BACKGROUNDS.index(name) for name in ("night sky", "sea", "grass")}
NOTHING = Truth(NONE, NONE, NONE, NONE, NONE, NONE)


def _often(things, share):
    """Weights under which these things make up this share of all pictures."""
    rest = len(THINGS) - len(things)
    return [share / len(things) if thing in things else (1 - share) / rest for thing in THINGS]


def _drawn(r, **how):
    picture, truth, _ = draw.draw(r, "test", **how)
    return picture, truth


def _empty(r):
    """A background alone, no plain one: whether that is "something red" is nothing to measure by."""
    while True:
        picture, truth, _ = draw._empty(r, 2 * SIDE)
        if truth.background != BACKGROUNDS.index("plain"):
            return picture, truth


def _stranger(r):
    """Nothing of the world that a model was trained on: noise, coarse or fine, in a random tint."""
    noise = np.random.default_rng(r.randrange(2**32))
    cells = r.choice([2, 3, 6, 12, 32, 96])
    coarse = noise.uniform(0, 1, (cells, cells, 3)) * noise.uniform(60, 255, 3)
    return np.kron(coarse, np.ones((SIDE // cells, SIDE // cells, 1))).astype(np.uint8), NOTHING


def _until(r, accept):
    while True:
        picture, truth = _drawn(r)
        if accept(truth):
            return picture, truth


def _mixed(share, one, other):
    return lambda r: one(r) if r.random() < share else other(r)


# (what is drawn, how many pictures)
LIBRARIES = {
    "even": (_drawn, 1000),
    "one thing": (lambda r: _drawn(r, often=_often(["cat"], 0.7)), 1000),
    "few labelled": (_mixed(0.3, _empty, lambda r: _drawn(r, often=_often(OTHERS, 0.97))), 1000),
    "blue": (_mixed(0.8, lambda r: _until(r, lambda t: COLOURS[t.colour] == "blue"), _drawn), 1000),
    "outdoors": (lambda r: _until(r, lambda t: t.background in OUTDOORS), 1000),
    "big": (lambda r: _drawn(r, level=0.0), 1000),
    "strangers": (_mixed(0.6, _stranger, _drawn), 1000),
    "small": (_drawn, 60),
}


def pictures(name, cache):
    """(pictures, truths) of a library."""
    path = cache / f"{name.replace(' ', '-')}.npz"
    if not path.exists():
        draw_one, count = LIBRARIES[name]
        r = random.Random(f"scores {name}")
        drawn = [draw_one(r) for _ in range(count)]
        np.savez(path, pictures=np.stack([p for p, _ in drawn]), truths=np.array([t for _, t in drawn]))
    with np.load(path) as kept:
        return kept["pictures"], kept["truths"]


class LabelSet:
    """A shipped label file, perhaps with some of its labels alone."""

    def __init__(self, name, only=None):
        self.file = tomllib.loads((ROOT / f"config/labels/drawn/{name}.toml").read_text())
        labels = self.file["labels"]
        self.labels = [label for label in labels if only is None or label["name"] in only]
        self.names = [label["name"] for label in self.labels]

    def prompts(self, label):
        """As pixdex fills them: a text that brings its article along takes the place of the template's."""
        return [fill(template, text) for text in label.get("prompts", [label["name"]]) for template in self.templates]

    @property
    def templates(self):
        return self.file["templates"]

    def truth(self, truths):
        """Pictures x labels."""
        column, words = (0, THINGS) if self.names[0] in THINGS else (1, COLOURS)
        return truths[:, column, None] == np.array([words.index(name) for name in self.names])


def fill(template, text):
    if text.split()[0] in ("a", "an", "the"):
        template = template.replace("a {label}", "{label}")
    return template.replace("{label}", text)


SETS = {"things": LabelSet("things", LABELLED), "colours": LabelSet("colours")}


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


class Model:
    """A model folder with what it makes of libraries and label sets."""

    def __init__(self, folder, cache):
        self.exported, self.cache = Exported(folder), cache / folder.resolve().as_posix().strip("/").replace("/", "-")
        self.cache.mkdir(parents=True, exist_ok=True)
        self.scale = self.exported.clip.logit_scale.exp().item()

    def see(self, name):
        """The embeddings of a library."""
        path = self.cache / f"{name.replace(' ', '-')}.npy"
        if not path.exists():
            np.save(path, self.exported.see(pictures(name, self.cache.parent)[0]).numpy())
        return np.load(path)

    def read(self, texts):
        return self.exported.read(texts).numpy()

    def mean_of(self, prompts):
        return unit(self.read(prompts).mean(0))

    def texts(self, labels):
        """(a label's embedding each, the background's)."""
        named = np.stack([self.mean_of(labels.prompts(label)) for label in labels.labels])
        return named, self.read(labels.file["background"])


def arguments(about):
    """(models, cache) as the command line names them."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, nargs="+", default=[ROOT / "src/model/bundled"])
    parser.add_argument("--cache", type=Path, default=ROOT / "target/scores", help="keeps pictures and embeddings")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    return [Model(folder, options.cache) for folder in options.models], options.cache
