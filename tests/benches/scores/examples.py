"""What do example pictures do for a label whose prompt is good, weak, or means nothing to the model?

    python tests/benches/scores/examples.py --models src/model/bundled OTHER... [--cache DIR]

For each model, library and label of things with enough pictures, some of them are examples, and the others are to be found.
F1 is that of the default threshold of 0.6, and that of the best threshold in hindsight.
"""

import random
from itertools import product

import numpy as np
from libraries import LIBRARIES, SETS, arguments, fill, pictures, unit
from methods import SAMPLE, log_odds

COUNTS = [1, 3, 10]
DRAWS = 2
NONSENSE = "zorblax my quux grelb fnord plonk wibble drimp skoo vantu".split()
THRESHOLD = np.log(0.6 / 0.4)
KINSHIP, SLOPE = 0.5, 10.0  # as in src/tag/exemplars.rs


class Case:
    """A label of a library with its prompt's embedding and some examples."""

    def __init__(self, seen, text, background, examples, scale):
        self.seen, self.text, self.background, self.scale = seen, text, background, scale
        self.at, self.examples = examples, seen[examples]
        self.centre = seen[:SAMPLE].mean(0)
        flat = seen[:SAMPLE] - self.centre
        self.spread = flat.T @ flat / len(flat)

    def odds(self, text):
        """Of a text against the background."""
        return log_odds(self.seen @ text[:, None], self.seen @ self.background.T, self.scale)[:, 0]


def prompt(case):
    return case.odds(case.text)


def plain_mean(case):
    """Prompt and examples as if they lay in one cone."""
    return case.odds(unit(case.text + unit(case.examples.mean(0))))


def shifted(case):
    """The way from the background to the prompt, turned half towards the way from the library's mean to the examples."""
    ground = case.background.mean(0)
    way, seen = case.text - ground, case.examples.mean(0) - case.centre
    turned = unit(unit(way) + unit(seen)) * np.linalg.norm(way)
    return case.odds(ground + turned)


def likeness(loading):
    """Log-odds of being like the examples, as pixdex has them: even where a picture is half as far on the way from the
    library's mean to the examples as another picture with the label is expected to be.

    The way is that of exemplar LDA, (spread + loading) \\ (examples - mean); without a loading it leaves the spread out.
    """

    def score(case):
        dim = len(case.spread)
        ridge = np.eye(dim) if loading is None else case.spread + loading * np.trace(case.spread) / dim * np.eye(dim)
        goal = case.examples.mean(0) - case.centre
        way = np.linalg.solve(ridge, goal)
        k = len(case.examples)
        reach = k * KINSHIP / (1 + (k - 1) * KINSHIP)
        return SLOPE * ((case.seen - case.centre) @ way / (way @ goal) / reach - 0.5)

    return score


def weighed(case):
    """The prompt counts as far as it tells the examples from the library, the likeness for the rest."""
    said = prompt(case)
    sure = 1 / (1 + np.exp(-said))
    usual = sure[:SAMPLE].mean()
    worth = min(1.0, max(0.0, (sure[case.at].mean() - usual) / (1 - usual)))
    return worth * said + (1 - worth) * likeness(0.1)(case)


def either(case):
    return np.maximum(prompt(case), likeness(0.1)(case))


WAYS = {
    "prompt alone": prompt,
    "mean of prompt and examples": plain_mean,
    "prompt turned towards the examples": shifted,
    "likeness, spread left in": likeness(None),
    "likeness, loading 1": likeness(1),
    "likeness, loading 0.1": likeness(0.1),
    "likeness, loading 0.03": likeness(0.03),
    "the larger of both": either,
    "prompt weighed by what it tells": weighed,
}


def f1(kept, truth):
    return 2 * (kept & truth).sum() / max(1, kept.sum() + truth.sum())


def best_f1(scores, truth):
    found = np.cumsum(truth[np.argsort(-scores)])
    return (2 * found / (np.arange(1, len(truth) + 1) + truth.sum())).max()


def cases(models, cache):
    """(quality of the prompt, number of examples, model, library, case, truth without the examples, left out)."""
    labels = SETS["things"]
    for model, library in product(models, LIBRARIES):
        seen, (named, background) = model.see(library), model.texts(labels)
        nonsense = [model.mean_of([fill(t, word) for t in labels.templates]) for word in NONSENSE]
        truth = labels.truth(pictures(library, cache)[1])
        for at, count, draw in product(range(len(labels.names)), COUNTS, range(DRAWS)):
            places = np.flatnonzero(truth[:, at])
            if len(places) < 15:
                continue
            examples = random.Random(f"{library} {at} {count} {draw}").sample(list(places), count)
            rest = np.setdiff1d(np.arange(len(seen)), examples)
            for quality, text in (
                ("good", named[at]),
                ("weak", unit(0.55 * named[at] + 0.45 * nonsense[at])),
                ("meaningless", nonsense[at]),
            ):
                case = Case(seen, text, background, examples, model.scale)
                yield quality, count, case, truth[rest, at], rest


def main():
    models, cache = arguments(__doc__)
    kept = {}
    for quality, count, case, truth, rest in cases(models, cache):
        for way, score in WAYS.items():
            scores = score(case)[rest]
            kept.setdefault((quality, count, way), []).append((f1(scores >= THRESHOLD, truth), best_f1(scores, truth)))
    columns = list(product(("good", "weak", "meaningless"), COUNTS))
    print("F1 at 0.6 / at the best threshold, in per cent\n")
    print("| | " + " | ".join(f"{quality}, {count}" for quality, count in columns) + " |\n|---|" + "---:|" * len(columns))
    for way in WAYS:
        means = [100 * np.mean(kept[(*column, way)], axis=0) for column in columns]
        print(f"| {way} | " + " | ".join(f"{at:.0f} / {best:.0f}" for at, best in means) + " |")


if __name__ == "__main__":
    main()
