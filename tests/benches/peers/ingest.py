"""How many pictures a second does a Python program bring from a folder to their embeddings, on all cores?

    python ingest.py ENGINE MODEL PICTURES [--onnx FOLDER] [--threads 2]

ENGINE is torch-f32 or onnx-f32, as in `embed.py`. Threads decode with Pillow, which lets go of the interpreter while
it works, and the towers take batches of 8 meanwhile. Loading the model does not count.
"""

import argparse
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from measuring import answer

from decode import square
from embed import DEVIATION, ENGINES, MEAN

BATCH = 8


def pixels(path):
    return ((np.asarray(square(path), dtype=np.float32) / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)


def embed_all(engine, paths, threads, batch=BATCH, read=pixels):
    """Embeddings of all pictures. Decoding runs ahead freely: what it keeps is small."""
    features = []
    with ThreadPoolExecutor(threads) as pool:
        decoded = pool.map(read, paths)
        while together := list(itertools.islice(decoded, batch)):
            features.append(engine.images(np.stack(together)))
    return np.concatenate(features)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=["torch-f32", "onnx-f32"])
    parser.add_argument("model", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--onnx", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    engine = ENGINES[given.engine](given)
    paths = sorted(given.pictures.iterdir())
    engine.images(np.stack([pixels(path) for path in paths[:BATCH]]))
    start = time.perf_counter()
    features = embed_all(engine, paths, given.threads)
    answer(engine=f"pillow+{given.engine}", pictures_per_s=len(features) / (time.perf_counter() - start))


if __name__ == "__main__":
    main()
