"""How close do two engines' embeddings of the same pictures and the same text lie?"""

import json
import subprocess

import numpy as np

from embed import QUERY


def save(pixdex, model, precision, squares, file):
    """Keeps what the real program answers, as `embed.py --save` does for the peers."""
    paths = [str(path) for path in sorted(squares.iterdir())]
    how = ["--json", "--log", "warn", "--device", "cpu", "--model", model, "--precision", precision]
    command = [pixdex, "embed", *how, "--image", *paths, "--text", QUERY]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    np.savez(file, images=[found["images"][path] for path in paths], texts=[found["texts"][QUERY]])


def cosine(file, reference):
    """The smallest cosine, of pictures and of texts."""
    ours, theirs = np.load(file), np.load(reference)
    return {kind: float((unit(ours[kind]) * unit(theirs[kind])).sum(1).min()) for kind in ("images", "texts")}


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
