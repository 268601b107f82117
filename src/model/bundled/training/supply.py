"""Pictures drawn by processes of their own into shared memory, never far ahead of what training has used."""

import multiprocessing as mp
import random
import time

import cv2
import numpy as np
import torch
from draw import GRID, SIDE, draw
from world import THINGS

SLOTS = 8192  # pictures kept; the oldest make way
MARGIN = 256  # of the oldest, no longer used, since they may be being drawn over


def _array(kind, shape):
    shared = mp.RawArray("B", int(np.prod(shape)) * np.dtype(kind).itemsize)
    return np.frombuffer(shared, kind).reshape(shape)


class Supply:
    """A ring of pictures that worker processes keep fresh. Its `users` together use each picture about `uses` times."""

    def __init__(self, workers=2, uses=2.0, users=1, seed=None):
        self.pictures = _array(np.uint8, (SLOTS, SIDE, SIDE, 3))
        self.truths = _array(np.int8, (SLOTS, 6))
        self.grids = _array(np.uint8, (SLOTS, GRID, GRID))
        self.drawn = mp.RawArray("l", workers)
        self.wanted = mp.RawValue("l", 3000)
        self.level = mp.RawValue("d", 0.0)
        self.often = mp.RawArray("d", [1.0] * len(THINGS))
        self.uses, self.used = uses / users, 0
        seed = time.time_ns() if seed is None else seed
        for number in range(workers):
            mp.Process(target=self._draw, args=(number, workers, seed + number), daemon=True).start()

    def _draw(self, number, workers, seed):
        cv2.setNumThreads(1)
        r = random.Random(seed)
        for step in range(10**9):
            while step * workers > self.wanted.value:
                time.sleep(0.02)
            slot = (step * workers + number) % SLOTS
            picture, truth, grid = draw(r, level=self.level.value, often=self.often)
            self.pictures[slot], self.truths[slot], self.grids[slot] = picture, truth, grid
            self.drawn[number] = step + 1

    def total(self):
        return sum(self.drawn)

    def batch(self, size):
        """(pixels in 0..1, truths, grids) of pictures picked at random, half of them mirrored."""
        while (filled := min(self.drawn) * len(self.drawn)) < 1000:
            time.sleep(0.05)
        self.used += size
        self.wanted.value = 3000 + int(self.used / self.uses)
        chosen = (filled - 1 - np.random.randint(0, min(filled, SLOTS - MARGIN), size)) % SLOTS
        pixels = torch.from_numpy(self.pictures[chosen]).permute(0, 3, 1, 2).float().div_(255)
        grids = torch.from_numpy(self.grids[chosen])
        half = size // 2
        pixels[:half], grids[:half] = pixels[:half].flip(3), grids[:half].flip(2)
        return pixels, torch.from_numpy(self.truths[chosen]).long(), grids.flatten(1)
