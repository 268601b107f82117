"""What training asks of the model: captions that match, labels that win, patches that know what they show."""

import torch
import torch.nn.functional as F
from torch import nn
from words import CLASSES
from world import BACKGROUNDS, COLOURS, HELD_OUT, NONE, THINGS, Truth

SHOWN, CLEAR = 77, 13  # of 255: coverage from which a patch shows the thing, and up to which it shows none
LOOKALIKES = [("star", "night sky"), ("cloud", "sky")]  # a background that may hold what a caption about a thing means

NEVER = float("-inf")


def _unheard():
    """Things x colours: the pairs held out. One more row and column, all false, answer for NONE."""
    table = torch.zeros(len(THINGS) + 1, len(COLOURS) + 1, dtype=torch.bool)
    for pair in HELD_OUT:
        table[pair] = True
    return table


# Training never shows a held-out pair, nor does it ever say that one is wrong: were "cat" a wrong answer to everything
# blue, the model would learn that nothing blue is a cat.
UNHEARD = _unheard()


def things_unheard(truths):
    """Pictures x things: those that training has never seen in the picture's colour."""
    return UNHEARD[:-1, truths[:, 1]].T


def colours_unheard(truths):
    """Pictures x colours: those in which training has never seen the picture's thing."""
    return UNHEARD[truths[:, 0], :-1]


class PatchHeads(nn.Module):
    """Linear classifiers on every patch token, used in training alone: thing or none, colour, background."""

    def __init__(self, width):
        super().__init__()
        self.thing = nn.Linear(width, len(THINGS) + 1)
        self.colour = nn.Linear(width, len(COLOURS))
        self.background = nn.Linear(width, len(BACKGROUNDS))

    def loss(self, tokens, truths, cover):
        """`cover` is each token's share of thing, in 0..255. Patches on an edge are left out."""
        thing, colour, background = (truths[:, k, None].expand_as(cover) for k in range(3))
        shown, clear = (cover > SHOWN) & (thing != NONE), cover < CLEAR
        ignore = torch.full_like(thing, -100)
        none = torch.full_like(thing, len(THINGS))
        targets = (
            torch.where(shown, thing, torch.where(clear, none, ignore)),
            torch.where(shown & (colour != NONE), colour, ignore),
            torch.where(clear, background, ignore),
        )
        logits = (
            self.thing(tokens).masked_fill(F.pad(things_unheard(truths), (0, 1))[:, None], NEVER),
            self.colour(tokens).masked_fill(colours_unheard(truths)[:, None], NEVER),
            self.background(tokens),
        )
        return sum(F.cross_entropy(x.float().flatten(0, 1), t.flatten()) for x, t in zip(logits, targets))


def agreement(claims, truths):
    """(true, doubtful) by picture (row) and caption (column): whether the claim holds, and whether that is unsure."""
    said = claims[None] != NONE
    true = ((claims[None] == truths[:, None]) | ~said).all(2)
    thing, colour = claims[:, 0], claims[:, 1]
    colour_only, thing_only = (thing == NONE) & (colour != NONE), (thing != NONE) & (colour == NONE)
    doubtful = colour_only[None] & (colour[None] == truths[:, None, 3])
    doubtful |= thing_only[None] & things_unheard(truths)[:, thing]
    doubtful |= colour_only[None] & colours_unheard(truths)[:, colour]
    for meant, background in LOOKALIKES:
        doubtful |= (thing[None] == THINGS.index(meant)) & (truths[:, None, 2] == BACKGROUNDS.index(background))
    return true, doubtful & ~true


def contrastive(logits, claims, truths):
    """InfoNCE both ways. Other captions that are true of a picture are no negatives for it, nor are doubtful ones."""
    true, doubtful = agreement(claims, truths)
    own = torch.eye(len(truths), dtype=torch.bool)
    logits = logits.masked_fill((true | doubtful) & ~own, NEVER)
    target = torch.arange(len(truths))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def labels(logits, truths, generic):
    """Zero-shot as the program does it: the true label beats the others and the generic prompt, which beats the false.

    `logits` maps each attribute to pictures x classes; `generic` is pictures x 1. Returns a loss for each attribute and
    that of the generic prompt.
    """
    unheard = {"thing": things_unheard(truths), "colour": colours_unheard(truths)}
    losses, below = {}, [generic]
    for attribute in CLASSES:
        truth = truths[:, Truth._fields.index(attribute)]
        known = truth != NONE
        fair = logits[attribute].masked_fill(unheard[attribute], NEVER) if attribute in unheard else logits[attribute]
        losses[attribute] = F.cross_entropy(torch.cat([fair, generic], 1)[known], truth[known])
        false = torch.ones_like(fair, dtype=torch.bool)
        false[known] = false[known].scatter(1, truth[known, None], False)
        if attribute in ("count", "size"):
            false &= known[:, None]
        below.append(fair.masked_fill(~false, NEVER))
    losses["generic"] = F.cross_entropy(torch.cat(below, 1), torch.zeros(len(truths), dtype=torch.long))
    return losses
