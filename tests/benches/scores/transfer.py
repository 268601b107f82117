"""Does a threshold mean the same on another model and another library?

    pip install -r src/model/bundled/training/requirements.txt
    python tests/benches/scores/transfer.py --models src/model/bundled OTHER... [--cache DIR]

A threshold is set where it is best (or where it finds 90 %) on one model and one library, and kept on every other pair of
the two. A method's loss there is its own best F1 minus the F1 of the threshold that came from elsewhere. "F1 at 0.6" is that
of the default threshold, and means something for scores that are log-odds only.
"""

from itertools import product

import numpy as np
from libraries import LIBRARIES, SETS, arguments, pictures
from methods import METHODS

RECALL = 0.9


class Pair:
    """One method's scores for a model and a library, with the truth; all labels under one threshold."""

    def __init__(self, model, library, scores, truth):
        self.model, self.library = model, library
        order = np.argsort(-scores.ravel(), kind="stable")
        self.scores, hits = scores.ravel()[order], truth.ravel()[order]
        self.found = np.cumsum(hits)
        self.recall = self.found / truth.sum()
        self.precision = self.found / np.arange(1, len(hits) + 1)
        self.f1 = 2 * self.recall * self.precision / np.maximum(self.recall + self.precision, 1e-9)

    def best(self):
        """(threshold, F1): midway to the next score, so that it does not hang on one picture."""
        at = int(self.f1.argmax())
        return self.scores[at : at + 2].mean(), self.f1[at]

    def for_recall(self):
        return self.scores[np.searchsorted(self.recall, RECALL)]

    def at(self, threshold):
        """(F1, recall, precision) of what reaches a threshold."""
        kept = int(np.searchsorted(-self.scores, -threshold, side="right"))
        return (self.f1[kept - 1], self.recall[kept - 1], self.precision[kept - 1]) if kept else (0.0, 0.0, 1.0)


def measured(pairs):
    """The row of one method."""
    other = [(a, b) for a, b in product(pairs, pairs) if a is not b]
    losses = {kind: [] for kind in ("library", "model", "both")}
    for a, b in other:
        kind = "library" if a.model == b.model else "model" if a.library == b.library else "both"
        losses[kind].append(b.best()[1] - b.at(a.best()[0])[0])
    every = [loss for kind in losses.values() for loss in kind]
    kept = np.array([b.at(a.for_recall()) for a, b in other])
    own = [pair.precision[np.searchsorted(pair.recall, RECALL)] for pair in pairs]
    return {
        "F1 at 0.6": np.mean([pair.at(np.log(0.6 / 0.4))[0] for pair in pairs]),
        "own F1": np.mean([pair.best()[1] for pair in pairs]),
        "own precision at 0.9": np.mean(own),
        "kept F1": np.mean([b.at(a.best()[0])[0] for a, b in other]),
        **{f"loss, other {kind}": np.mean(values) for kind, values in losses.items() if values},
        "worst loss": max(every),
        "recall kept from 0.9": np.mean(abs(kept[:, 1] - RECALL)),
        "its precision": np.mean(kept[:, 2]),
    }


def table(rows):
    columns = list(next(iter(rows.values())))
    print("| | " + " | ".join(columns) + " |\n|---|" + "---:|" * len(columns))
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(f"{100 * row[column]:.1f}" for column in columns) + " |")


def main():
    models, cache = arguments(__doc__)
    for name, labels in SETS.items():
        rows = {}
        for method, score in METHODS.items():
            pairs = []
            for model, library in product(models, LIBRARIES):
                seen, (named, background) = model.see(library), model.texts(labels)
                scores = score(seen @ named.T, seen @ background.T, model.scale)
                pairs.append(Pair(model, library, scores, labels.truth(pictures(library, cache)[1])))
            rows[method] = measured(pairs)
        print(f"\n{name}: {len(models)} models, {len(LIBRARIES)} libraries, in per cent\n")
        table(rows)


if __name__ == "__main__":
    main()
