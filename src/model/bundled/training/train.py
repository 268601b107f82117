"""Trains the bundled model on pictures that `draw.py` makes as it goes.

    python train.py --minutes 120 --state /tmp/bundled.pt --export OUT_DIR

Another model of another shape, to see what carries over from one to the other:

    python train.py --minutes 45 --state other.pt --export OTHER --seed 5 --width 128 --layers 4 --text-width 96 \\
        --projection 96

Time, not steps, sets the schedule, so that a run ends when it should on a busy machine. The state is saved every few
minutes; the same command goes on from it.
"""

import argparse
import random
import time
from pathlib import Path

import captions
import losses
import numpy as np
import torch
from draw import GRID
from evaluate import examples, measure
from export import export
from optimise import optimisers
from supply import Supply
from team import Team
from tokenizers import Tokenizer
from words import CLASSES, GENERIC
from world import NONE, THINGS, Truth

from model import Clip, Shape

HERE = Path(__file__).parent
MEAN = torch.tensor([0.5, 0.5, 0.5]).view(3, 1, 1)
SPREAD = torch.tensor([0.25, 0.25, 0.25]).view(3, 1, 1)
PATCHES = GRID * GRID
KEPT = [(0.7, 44), (0.93, 60), (1.1, PATCHES)]  # (until this share of the time, patches seen of each picture)
WEIGHTS = {"captions": 1.0, "thing": 1.0, "colour": 0.5, "background": 0.5, "count": 0.25, "size": 0.15, "generic": 0.3}
SHAPE_HELP = {
    "width": "of the vision tower, a multiple of 32",
    "layers": "of the vision tower",
    "text_width": "a multiple of 32",
    "projection": "dimensions of the joint space",
    "seed": "of the first weights; every run draws pictures of its own",
}
TEST_SEED = 77  # of the tests during training; evaluate.py has its own


def normal(pixels):
    return (pixels - MEAN) / SPREAD


class Texts:
    """Token ids for texts, padded to the longest of a call."""

    def __init__(self, path):
        self.tokenizer = Tokenizer.from_file(str(path))
        self.end = self.tokenizer.token_to_id("<|endoftext|>")

    def __call__(self, texts):
        rows = [e.ids for e in self.tokenizer.encode_batch(texts)]
        width = max(map(len, rows))
        ids = torch.tensor([row + [self.end] * (width - len(row)) for row in rows])
        return ids, torch.tensor([len(row) - 1 for row in rows])


class Run:
    """A training run: model, its running average, optimisers and the clock, all of which a checkpoint holds."""

    def __init__(self, options):
        self.options, self.team = options, Team(options.processes)
        self.texts = Texts(options.tokenizer)
        shape = Shape(*(getattr(options, name) for name in Shape._fields))
        self.clip = Clip(self.texts.tokenizer.get_vocab_size(), shape)
        self.heads = losses.PatchHeads(shape.width)
        self.average = Clip(self.texts.tokenizer.get_vocab_size(), shape)
        self.average.load_state_dict(self.clip.state_dict())
        self.optimisers = optimisers(self.clip, self.heads, options.muon, options.adam, self.team)
        self.rates = [g["lr"] for o in self.optimisers for g in o.param_groups]
        self.parameters = [*self.clip.parameters(), *self.heads.parameters()]
        self.seconds, self.step, self.pictures = 0.0, 0, 0
        self.errors = [0.5] * len(THINGS)  # each thing's recent share of wrong answers
        self.r = random.Random()

    def save(self):
        state = {name: getattr(self, name).state_dict() for name in ("clip", "heads", "average")}
        state.update(
            optimisers=[o.state_dict() for o in self.optimisers],
            seconds=self.seconds,
            step=self.step,
            pictures=self.pictures,
        )
        part = Path(f"{self.options.state}.part")
        torch.save(state, part)
        part.rename(self.options.state)

    def resume(self):
        state = torch.load(self.options.state, weights_only=True)
        for name in ("clip", "heads", "average"):
            getattr(self, name).load_state_dict(state[name])
        for optimiser, saved in zip(self.optimisers, state["optimisers"]):
            optimiser.load_state_dict(saved)
        self.seconds, self.step, self.pictures = state["seconds"], state["step"], state["pictures"]

    def progress(self):
        return min(1.0, self.seconds / (60 * self.options.minutes))

    def set_rates(self):
        """A short warm-up, a long plateau, then straight down to zero."""
        rate = min(1.0, (self.step + 1) / 100) * min(1.0, max(0.0, 1 - self.progress()) / self.options.cooldown)
        rates = iter(self.rates)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = next(rates) * rate

    def patches_kept(self):
        """Few patches at first, for speed, all of them at the end, since that is how the model is used."""
        return next(kept for until, kept in KEPT if self.progress() < until)

    def learn(self, batch):
        """One step; returns the losses by name."""
        parts = self._losses(*batch)
        weights = {**WEIGHTS, "patches": max(0.1, 1 - 1.2 * self.progress())}
        chosen = ("captions", "patches") if self.options.only_captions else parts
        sum(weights[name] * parts[name] for name in chosen).backward()
        self.seconds = self.team.share(self.parameters, self.seconds)
        self._update()
        return {name: float(value.detach()) for name, value in parts.items()}

    def _losses(self, pixels, truths, cover):
        keep = choose_patches(cover, self.patches_kept())
        told = [captions.caption(self.r, Truth(*truth)) for truth in truths.tolist()]
        prompts = [captions.class_prompts(self.r, attribute) for attribute in CLASSES]
        lines = [text for text, _ in told] + [text for group in prompts for text in group] + [self.r.choice(GENERIC)]
        with torch.autocast("cpu", torch.bfloat16):
            seen, tokens = self.clip.embed_pictures(normal(pixels), keep)
            read = self.clip.embed_text(*self.texts(lines))
            patches = self.heads.loss(tokens, truths, cover if keep is None else cover.gather(1, keep))
        logits = self.clip.logit_scale.clamp(max=4.6).exp() * seen @ read.T
        described, *classes, generic = logits.split([len(told), *map(len, prompts), 1], 1)
        claims = torch.tensor([claim for _, claim in told])
        self._mark(truths[:, 0].tolist(), classes[0].argmax(1).tolist())
        named = losses.labels(dict(zip(CLASSES, classes)), truths, generic)
        return {"captions": losses.contrastive(described, claims, truths), "patches": patches, **named}

    def _mark(self, things, answers):
        for thing, answer in zip(things, answers):
            if thing != NONE:
                self.errors[thing] += 0.01 * ((answer != thing) - self.errors[thing])

    def practice(self):
        """How often to draw each thing: more often what is still mistaken, all alike towards the end."""
        return [0.2 + error if self.progress() < 0.85 else 1.0 for error in self.errors]

    def _update(self):
        torch.nn.utils.clip_grad_norm_(self.clip.parameters(), 1.0)
        self.set_rates()
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        with torch.no_grad():
            follow = 1 - min(0.998, (self.step + 1) / (self.step + 20))
            torch._foreach_lerp_(list(self.average.parameters()), list(self.clip.parameters()), follow)
        self.step += 1

    def test(self, examples):
        """Zero-shot accuracy of the averaged weights, as `evaluate.py` measures it."""
        with torch.no_grad():

            def see(pictures):
                pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
                return torch.cat([self.average.embed_pictures(normal(p))[0] for p in pixels.split(64)])

            return measure(see, lambda texts: self.average.embed_text(*self.texts(texts)), *examples)


def choose_patches(cover, count):
    """Patch numbers to keep, per picture: mostly those that show things, some of the others. None keeps all."""
    if count == PATCHES:
        return None
    return (torch.rand(cover.shape) + 0.6 * (cover > losses.CLEAR)).topk(count, 1).indices


def report(run, started, sums, drawn):
    """A progress line: means since the last one."""
    means = "  ".join(f"{name} {np.mean(values):.2f}" for name, values in sums.items())
    pictures = run.options.batch * run.options.processes * len(sums["captions"])
    speed = f"{pictures / (time.time() - started):.0f}/s"
    print(
        f"{run.seconds / 60:6.1f} min  step {run.step}  {run.pictures} pictures ({drawn} drawn)  {speed}  {means}",
        flush=True,
    )


def train(run):
    options = run.options
    supply = Supply(options.workers, options.uses, options.processes)
    run.team.fork()
    run.r.seed()
    fresh, unseen = examples(options.test, "test", TEST_SEED), examples(options.test, "held_out", TEST_SEED)
    sums, reported, saved, last = {}, time.time(), run.seconds, time.time()
    while run.progress() < 1:
        supply.level.value = min(1.0, 0.25 + run.seconds / (60 * options.minutes * 0.12))
        supply.often[:] = run.practice()
        for name, value in run.learn(supply.batch(options.batch)).items():
            sums.setdefault(name, []).append(value)
        run.pictures += options.batch * run.team.size
        run.seconds, last = run.seconds + time.time() - last, time.time()
        if run.team.rank > 0:
            continue
        if run.step % 50 == 0:
            report(run, reported, sums, supply.total())
            sums, reported = {}, time.time()
        if run.seconds - saved > 60 * options.every or run.progress() >= 1:
            saved = run.seconds
            scale = run.clip.logit_scale.exp().item()
            print(f"fresh  {run.test(fresh)}\nunseen {run.test(unseen)}  scale {scale:.1f}", flush=True)
            run.save()
            export(run.average, options.tokenizer, options.export)
    run.team.leave()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120, help="training time, over all resumed runs")
    parser.add_argument("--state", type=Path, required=True, help="checkpoint; gone on from when it exists")
    parser.add_argument("--export", type=Path, required=True, help="folder for the model in the hub layout")
    parser.add_argument("--tokenizer", type=Path, default=HERE.parent / "tokenizer.json")
    parser.add_argument("--batch", type=int, default=48, help="of each process")
    parser.add_argument("--muon", type=float, default=0.013, help="Muon's learning rate")
    parser.add_argument("--adam", type=float, default=0.0012, help="AdamW's learning rate")
    parser.add_argument(
        "--cooldown", type=float, default=0.5, help="the share of the time over which the rates fall to zero"
    )
    parser.add_argument("--uses", type=float, default=3.0, help="how often each drawn picture is used")
    parser.add_argument("--workers", type=int, default=1, help="drawing processes")
    parser.add_argument("--processes", type=int, default=2, help="training processes of one thread each")
    parser.add_argument("--every", type=float, default=5, help="minutes between tests, checkpoints and exports")
    parser.add_argument("--test", type=int, default=600, help="pictures in each test during training")
    parser.add_argument(
        "--only-captions",
        action="store_true",
        help="as CLIP is trained: no label prompts, and so nothing that teaches true labels to beat generic ones",
    )
    for name, value in Shape()._asdict().items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value, help=SHAPE_HELP[name])
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    run = Run(options)
    if options.state.exists():
        run.resume()
    train(run)


if __name__ == "__main__":
    main()
