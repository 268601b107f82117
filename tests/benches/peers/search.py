"""How many queries a second does an index answer, at which recall? One query at a time, one thread.

    python search.py truth FOLDER
    python search.py build ENGINE FOLDER INDEX [--m 16] [--ef-construction 200] [--threads 2]
    python search.py query ENGINE FOLDER INDEX KIND [--at-least 0.99]

ENGINE is hnswlib, faiss-hnsw, faiss-sq8, faiss-flat, usearch-f32, usearch-f16 or usearch-i8; KIND is `images` or
`texts`. FOLDER holds the vectors `base.f32` and the queries `images.f32` and `texts.f32`, rows of `DIM` little-endian
f32 of unit length, as our own bench writes them; `truth` adds the numbers of each query's `K` exact nearest as i64.
`query` raises ef until the recall is reached, and answers with every step on the way.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from measuring import answer

DIM, K = 512, 10
KINDS = ("images", "texts")
EFS = (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)


def rows(path):
    return np.fromfile(path, dtype="<f4").reshape(-1, DIM)


class Hnswlib:
    def __init__(self, count):
        import hnswlib

        self.index, self.count = hnswlib.Index(space="ip", dim=DIM), count

    def build(self, vectors, given):
        self.index.init_index(self.count, M=given.m, ef_construction=given.ef_construction, random_seed=1)
        self.index.add_items(vectors, num_threads=given.threads)

    def save(self, path):
        self.index.save_index(path)

    def load(self, path):
        self.index.load_index(path, max_elements=self.count)
        self.index.set_num_threads(1)

    def set_ef(self, ef):
        self.index.set_ef(ef)

    def search(self, query):
        return self.index.knn_query(query, K)[0][0]


class Faiss:
    def __init__(self, kind):
        import faiss

        self.faiss, self.kind = faiss, kind

    def build(self, vectors, given):
        faiss = self.faiss
        faiss.omp_set_num_threads(given.threads)
        if self.kind == "flat":
            self.index = faiss.IndexFlatIP(DIM)
        elif self.kind == "sq8":
            codes = faiss.ScalarQuantizer.QT_8bit
            self.index = faiss.IndexHNSWSQ(DIM, codes, given.m, faiss.METRIC_INNER_PRODUCT)
            self.index.train(vectors[:100_000])
        else:
            self.index = faiss.IndexHNSWFlat(DIM, given.m, faiss.METRIC_INNER_PRODUCT)
        if self.kind != "flat":
            self.index.hnsw.efConstruction = given.ef_construction
        self.index.add(vectors)

    def save(self, path):
        self.faiss.write_index(self.index, path)

    def load(self, path):
        self.index = self.faiss.read_index(path)
        self.faiss.omp_set_num_threads(1)

    def set_ef(self, ef):
        if self.kind != "flat":
            self.index.hnsw.efSearch = ef

    def search(self, query):
        return self.index.search(query[None], K)[1][0]


class Usearch:
    def __init__(self, dtype):
        self.dtype = dtype

    def build(self, vectors, given):
        from usearch.index import Index

        self.index = Index(ndim=DIM, metric="ip", dtype=self.dtype, connectivity=given.m,
                           expansion_add=given.ef_construction)  # fmt: skip
        self.index.add(np.arange(len(vectors)), vectors, threads=given.threads)

    def save(self, path):
        self.index.save(path)

    def load(self, path):
        from usearch.index import Index

        self.index = Index.restore(path)

    def set_ef(self, ef):
        self.index.expansion_search = ef

    def search(self, query):
        return self.index.search(query, K, threads=1).keys


def engine(name, count):
    family, _, kind = name.partition("-")
    return {"hnswlib": lambda: Hnswlib(count), "faiss": lambda: Faiss(kind), "usearch": lambda: Usearch(kind)}[family]()


def truth(given):
    import faiss

    index = faiss.IndexFlatIP(DIM)
    index.add(rows(given.folder / "base.f32"))
    for kind in KINDS:
        index.search(rows(given.folder / f"{kind}.f32"), K)[1].astype("<i8").tofile(given.folder / f"{kind}.truth")


def build(given):
    vectors = rows(given.folder / "base.f32")
    index = engine(given.engine, len(vectors))
    start = time.perf_counter()
    index.build(vectors, given)
    build_s = time.perf_counter() - start
    index.save(str(given.index))
    answer(build_s=build_s, bytes_per_vector=given.index.stat().st_size / len(vectors))


def query(given):
    queries = rows(given.folder / f"{given.kind}.f32")
    nearest = np.fromfile(given.folder / f"{given.kind}.truth", dtype="<i8").reshape(-1, K)
    index = engine(given.engine, (given.folder / "base.f32").stat().st_size // (4 * DIM))
    index.load(str(given.index))
    curve = []
    for ef in EFS:
        index.set_ef(ef)
        curve.append({"ef": ef, **measure(index, queries, nearest)})
        # Codes without re-scoring stop rising short of the recall; an exact scan knows no ef.
        is_stuck = len(curve) > 3 and curve[-1]["recall"] - curve[-4]["recall"] < 0.002
        if curve[-1]["recall"] >= given.at_least or is_stuck or given.engine == "faiss-flat":
            break
    answer(curve=curve)


def measure(index, queries, nearest):
    for row in queries[:20]:
        index.search(row)
    hits, times = 0, []
    for row, expected in zip(queries, nearest):
        start = time.perf_counter()
        found = index.search(row)
        times.append(time.perf_counter() - start)
        hits += len(np.intersect1d(found, expected))
    p50_us, p99_us = np.quantile(times, [0.5, 0.99]) * 1e6
    recall, queries_per_s = hits / (K * len(times)), len(times) / sum(times)
    return {"recall": recall, "queries_per_s": queries_per_s, "p50_us": p50_us, "p99_us": p99_us}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for run, names in ((truth, "folder"), (build, "engine folder index"), (query, "engine folder index kind")):
        command = commands.add_parser(run.__name__)
        command.set_defaults(run=run)
        for name in names.split():
            command.add_argument(name, type=Path if name in ("folder", "index") else str)
        command.add_argument("--m", type=int, default=16)
        command.add_argument("--ef-construction", type=int, default=200)
        command.add_argument("--threads", type=int, default=2)
        command.add_argument("--at-least", type=float, default=0.99)
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
