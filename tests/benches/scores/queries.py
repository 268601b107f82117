"""Where a ranking ends, and what a weight means: the constants of search, over libraries that they were not chosen on.

    python tests/benches/scores/queries.py --models src/model/bundled OTHER... [--cache DIR]

The cut-off: things, colours and coloured things are asked for by the words of pixdex's own tests. Precision and recall are
means over what is there, and over what 30 % or more of a library shows; for what is not there, there are the hits on average,
and how often it is said that nothing fits.
The weights: "a star, not red", and "like this picture, but blue".
"""

import numpy as np
from libraries import COLOURS, LIBRARIES, THINGS, arguments, pictures
from methods import SAMPLE

BACKGROUND = ["a photo.", "a picture of something."]  # this and the constants below as in src/search/cutoff.rs
MOST_Z, SHARE_EXPONENT, LEAD, HANDFUL = 4.5, 2.32, (-1.0, 3.0), 5
STRICTNESS = 0.5


class Library:
    """What a model makes of a library, measured as pixdex does."""

    def __init__(self, model, name):
        self.seen, truths = model.see(name), pictures(name, model.cache.parent)[1]
        self.things, self.colours = truths[:, 0], truths[:, 1]
        logits = model.scale * self.sample_of(self.seen) @ model.read(BACKGROUND).T
        self.background = np.log(np.exp(logits).sum(1)).mean() / model.scale
        self.scale = model.scale

    def stands_out(self, found):
        """The floor by z and by the best hit."""
        usual = self.sample_of(found)
        share = 1 - (1 - STRICTNESS) ** SHARE_EXPONENT
        near = usual.mean() + share * (found.max() - usual.mean())
        return max(near, usual.mean() + MOST_Z * STRICTNESS * usual.std())

    def fits(self, _):
        """The floor by the background."""
        return self.background + (LEAD[0] + (LEAD[1] - LEAD[0]) * STRICTNESS) / self.scale

    def both(self, found):
        return min(self.stands_out(found), self.fits(found))

    def sample_of(self, found):
        return found[:: -(-len(found) // SAMPLE)]

    def balanced(self, found):
        return found / self.sample_of(found).std()


FLOORS = {"z and best": Library.stands_out, "background": Library.fits, "either": Library.both}


def article(thing):
    return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"


class Texts:
    """The embeddings of all that is asked for, each made once."""

    def __init__(self, model):
        texts = [article(thing) for thing in THINGS] + [f"something {colour}" for colour in COLOURS]
        texts += [coloured(thing, colour) for thing in THINGS for colour in COLOURS]
        self.rows = dict(zip(texts, model.read(texts)))

    def of(self, texts):
        return np.stack([self.rows[text] for text in texts]).T


def coloured(thing, colour):
    return f"{article(colour)} {thing}"


def queries(library):
    """(text, which pictures are right): of coloured things those of which there is each half."""
    asked = [(article(thing), library.things == i) for i, thing in enumerate(THINGS)]
    asked += [(f"something {colour}", library.colours == i) for i, colour in enumerate(COLOURS)]
    for i, thing in enumerate(THINGS):
        for j, colour in enumerate(COLOURS):
            if (library.things == i).any() and (library.colours == j).any():
                right = (library.things == i) & (library.colours == j)
                asked.append((coloured(thing, colour), right))
    return asked


def cut(library, found, right, floor):
    """(precision, recall) of a query, or (hits, whether nothing fits) where there is nothing to find."""
    kept = found >= floor(library, found)
    is_told = found.max() < library.background
    if is_told and kept.sum() > HANDFUL:
        kept = np.isin(np.arange(len(found)), np.argsort(-found)[:HANDFUL])
    if not right.any():
        return kept.sum(), is_told
    return (kept & right).sum() / max(kept.sum(), 1), (kept & right).sum() / right.sum()


def print_cuts(model, texts):
    print(f"{'library':13} asked" + "".join(f"{name:>13}" for name in FLOORS) + "   of 30 %: those again      absent: hits, told")
    for name in LIBRARIES:
        library = Library(model, name)
        asked = queries(library)
        found = library.seen @ texts.of([text for text, _ in asked])
        present = [i for i, (_, right) in enumerate(asked) if right.any()]
        common = [i for i, (_, right) in enumerate(asked) if right.mean() >= 0.3]
        absent = [i for i, (_, right) in enumerate(asked) if not right.any()]

        def mean(which, floor):
            cuts = [cut(library, found[:, i], asked[i][1], floor) for i in which]
            return np.mean(cuts, 0) if cuts else (np.nan, np.nan)

        shown = [mean(which, floor) for which in (present, common) for floor in FLOORS.values()]
        cells = [f"{precision:.2f} {recall:.2f}" for precision, recall in shown]
        hits, told = mean(absent, Library.both)
        print(f"{name:13} {len(asked):5}" + "".join(f"{cell:>13}" for cell in cells) + f"{hits:8.1f} {told:4.0%}")


def best(scores, right):
    """The share of right ones among as many of the first as there are."""
    return right[np.argsort(-scores)[: right.sum()]].mean()


def without(texts, library, weight, scaled):
    """Of "a star, not red": stars of other colours, where there are red ones."""
    colours = library.seen @ texts.of([f"something {colour}" for colour in COLOURS])
    things = library.seen @ texts.of([article(thing) for thing in THINGS])
    shares = []
    for i, _ in enumerate(THINGS):
        for j, _ in enumerate(COLOURS):
            shown, avoided = library.things == i, library.colours == j
            if (shown & avoided).any() and (shown & ~avoided).any():
                shares.append(best(scaled(things[:, i]) - weight * scaled(colours[:, j]), shown & ~avoided))
    return np.mean(shares)


def recoloured(texts, library, weight, scaled):
    """Of a picture and "something blue": blue pictures of the same thing."""
    colours = library.seen @ texts.of([f"something {colour}" for colour in COLOURS])
    shares = []
    for k in range(0, len(library.seen), max(len(library.seen) // 60, 1)):
        for j, _ in enumerate(COLOURS):
            right = (library.things == library.things[k]) & (library.colours == j) & (library.things[k] >= 0)
            if right.any() and library.colours[k] != j:
                scores = scaled(library.seen @ library.seen[k]) + weight * scaled(colours[:, j])
                scores[k] = -np.inf
                shares.append(best(scores, right))
    return np.mean(shares)


def print_weights(libraries, texts, about, measure, weights):
    for how, scaled in (("as they are", lambda library: lambda found: found), ("in deviations", lambda library: library.balanced)):
        shares = [np.mean([measure(texts, library, w, scaled(library)) for library in libraries]) for w in weights]
        row = "  ".join(f"{weight}: {share:.1%}" for weight, share in zip(weights, shares))
        print(f"{about}, similarities {how:13}  {row}")


def main():
    models, _ = arguments(__doc__)
    for model in models:
        print(f"\n{model.cache.name}")
        texts = Texts(model)
        print_cuts(model, texts)
        libraries = [Library(model, name) for name in ("even", "outdoors", "small")]
        print_weights(libraries, texts, "a star, not red", without, (0.25, 0.5, 0.75, 1.0, 1.5))
        print_weights(libraries, texts, "like this, but blue", recoloured, (0.5, 1.0, 2.0))


if __name__ == "__main__":
    main()
