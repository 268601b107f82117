"""The tokenizer: a small byte-level BPE in CLIP's own layout, learned from captions and ordinary English words.

`python tokens.py CLIP_TOKENIZER_JSON OUT` writes it. CLIP's vocabulary lends its layout and its English words, which it
lists from the most frequent down; every byte is a token, so any text at all can be encoded.
"""

import json
import random
import sys

from captions import caption, class_prompts
from tokenizers import Tokenizer, trainers
from words import CLASSES, GENERIC, SYNONYMS, plural
from world import BACKGROUNDS, COLOURS, COUNTS, HELD_OUT, SIZES, THINGS, Truth

SIZE = 1200
SPECIAL = ["<|startoftext|>", "<|endoftext|>"]


def corpus(english):
    """Captions and prompts, then single words: those of the world many times, others the more often the commoner."""
    r = random.Random(0)
    for _ in range(20000):
        yield caption(r, _any_truth(r))[0]
    for attribute in CLASSES:
        for _ in range(50):
            yield from class_prompts(r, attribute)
    own = [*GENERIC, *(word for group in SYNONYMS.values() for word in group), *map(plural, THINGS)]
    yield from own * 60
    for rank, word in enumerate(english):
        yield from [word] * max(1, 2000 // (rank + 10))


def _any_truth(r):
    pairs = [(t, c) for t in range(len(THINGS)) for c in range(len(COLOURS)) if (t, c) not in HELD_OUT]
    background, tint = r.randrange(len(BACKGROUNDS)), r.randrange(len(COLOURS))
    return Truth(*r.choice(pairs), background, tint, r.randrange(len(COUNTS)), r.randrange(len(SIZES)))


def learn(layout):
    """A tokenizer with `layout`'s normaliser, splitter and special tokens, and a vocabulary of its own."""
    by_rank = sorted(layout["model"]["vocab"], key=layout["model"]["vocab"].get)
    words = [token.removesuffix("</w>") for token in by_rank if token.endswith("</w>")]
    english = [word for word in words if len(word) > 2 and word.isascii() and word.isalpha()][:6000]
    single = by_rank[:512]  # every byte, then every byte that ends a word
    tokenizer = Tokenizer.from_str(json.dumps(layout))
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE, min_frequency=2, initial_alphabet=single[:256], end_of_word_suffix="</w>", show_progress=False
    )
    tokenizer.train_from_iterator(corpus(english), trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"][: SIZE - len(single) - len(SPECIAL)]
    return _fill_in(layout, single + ["".join(pair) for pair in merges] + SPECIAL, merges)


def _fill_in(layout, vocabulary, merges):
    """`layout` with another vocabulary, and the special tokens' ids in it wherever they stand."""
    ids = {token: k for k, token in enumerate(vocabulary)}
    layout["model"].update(vocab=ids, merges=merges)
    for added in layout["added_tokens"]:
        added["id"] = ids[added["content"]]
    for part in ("cls", "sep"):
        layout["post_processor"][part][1] = ids[layout["post_processor"][part][0]]
    return layout


if __name__ == "__main__":
    with open(sys.argv[1]) as source:
        result = learn(json.load(source))
    with open(sys.argv[2], "w") as target:
        json.dump(result, target, ensure_ascii=False, separators=(",", ":"))
