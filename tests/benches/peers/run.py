"""Measures pixdex beside its peers, in turn and in one run, and prints the table of ratios.

    pip install -r tests/benches/peers/requirements.txt
    python tests/benches/peers/run.py [--only embed search] [--rounds 3] [--vectors 100000]

Each engine is a process of its own that measures for a short while and answers with one line of JSON. The engines of a
question take turns, round after round, and medians are taken, so that a busy minute of the machine hits all alike.
Models, pictures, vectors and indexes are made once and kept in the work folder, as are `results.json` and `report.md`.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import accuracy
import make_model
import make_pictures
import report

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
EMBED_PEERS = ["torch-f32", "torch-bf16", "onnx-f32", "onnx-int8", "open_clip"]
OTHER_KINDS = [kind for kind in make_pictures.KINDS if kind != "jpg"]
# Engine and links of a node; with more links go more candidates.
GRAPHS = [("hnswlib", 16), ("hnswlib", 32), ("faiss-hnsw", 16), ("faiss-hnsw", 32), ("faiss-sq8", 16),
          ("usearch-f32", 16), ("usearch-f16", 16)]  # fmt: skip
EF_CONSTRUCTION = {16: 200, 32: 400}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    questions = ["embed", "decode", "ingest", "search"]
    parser.add_argument("--only", nargs="+", choices=questions, default=questions)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement in each round")
    parser.add_argument("--precisions", nargs="+", default=["f32", "int8", "auto"], help="ours, on the CPU")
    parser.add_argument("--pictures", type=int, default=96, help="of the whole path from folder to library")
    parser.add_argument("--vectors", type=int, default=100_000, help="of the search")
    parser.add_argument("--graphs", nargs="+", default=[f"{engine}-m{m}" for engine, m in GRAPHS], help="of the peers")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--work", type=Path, default=ROOT / "target/peers")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(given)
    kept = given.work / "results.json"
    results = json.loads(kept.read_text()) if kept.exists() else {}
    when = {"date": datetime.date.today().isoformat(), "machine": machine()}
    for question in given.only:
        results[question] = {**when, "engines": getattr(bench, question)()}
        kept.write_text(json.dumps(results, indent=1) + "\n")
    text = report.markdown(results)
    (given.work / "report.md").write_text(text)
    print(text)


def build(benches):
    """Our programs by name, built for measuring: these benches, and `pixdex` itself."""
    command = ["cargo", "bench", "--locked", "--no-run", "--message-format", "json"]
    # Named one by one, or else unit tests of the same names are built and listed too.
    command += [part for bench in benches for part in ("--bench", bench)]
    lines = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    artifacts = [message for message in map(json.loads, lines) if message.get("executable")]
    return {message["target"]["name"]: message["executable"] for message in artifacts}


def machine():
    with open("/proc/cpuinfo") as cpuinfo:
        [model, *_] = [line.split(": ")[1].strip() for line in cpuinfo if line.startswith("model name")]
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory_gib:.0f} GiB"


def ask(command):
    """A program's answer: one JSON document, or one a line."""
    print("…", *(Path(part).name for part in map(str, command)), file=sys.stderr)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        sys.exit(f"failed with {done.returncode}: {' '.join(map(str, command))}")
    # hnsw_rs tells of its level scale on standard output when a graph is begun.
    answer = done.stdout[done.stdout.index("{"):]
    try:
        return json.loads(answer)
    except json.JSONDecodeError:
        return [json.loads(line) for line in answer.splitlines()]


def median(answers):
    """Of answers of the same shape: the median of each number, the first of everything else."""
    first = answers[0]
    if isinstance(first, dict):
        return {key: median([answer[key] for answer in answers if key in answer]) for key in first}
    if isinstance(first, list):
        return [median(together) for together in zip(*answers)]
    if isinstance(first, (int, float)) and not isinstance(first, bool):
        return statistics.median(answer for answer in answers if answer is not None)
    return first


def chosen(ways):
    """What the program takes of the ways to decode, with decoding and resizing together."""
    [way] = [way for way in ways if way["way"] == "chosen"]
    return {**way, "ms_per_picture": way["decode_ms"] + way["resize_ms"]}


class Bench:
    """The questions: each method makes what it needs, lets the engines take turns, and gives their figures by name."""

    def __init__(self, given):
        self.given, self.work, self.programs = given, given.work, build(given.only)
        self.model, self.onnx, self.squares = (given.work / name for name in ("model", "onnx", "squares"))

    def embed(self):
        self.make_models()
        make_pictures.make(self.squares, 32, 224, 224, "png")
        saved = self.work / "embeddings"
        saved.mkdir(exist_ok=True)
        commands = {}
        for peer in EMBED_PEERS:
            where = [self.model, self.squares, "--onnx", self.onnx, "--save", saved / f"{peer}.npz"]
            commands[peer] = self.peer("embed", peer, *where, *self.effort())
        for precision in self.given.precisions:
            where = ["--model", self.model, "--precision", precision, "--seconds", self.given.seconds]
            commands[f"pixdex-{precision}"] = self.ours("embed", *where)
            file = saved / f"pixdex-{precision}.npz"
            accuracy.save(self.programs["pixdex"], self.model, precision, self.squares, file)
        engines = self.in_turn(commands)
        for name, figures in engines.items():
            figures["cosine"] = accuracy.cosine(saved / f"{name}.npz", saved / "torch-f32.npz")
        return engines

    def decode(self):
        self.make_models()
        photos = self.work / "photos"
        make_pictures.make(photos, 24)
        commands = {f"pillow-{mode}": self.peer("decode", mode, photos) for mode in ("full", "draft")}
        engines = self.in_turn({**commands, "pixdex": self.ours("decode", photos, "--model", self.model)})
        engines["pixdex"] = chosen(engines["pixdex"])
        return engines | {"kinds": {kind: self.decode_kind(kind) for kind in OTHER_KINDS}}

    def decode_kind(self, kind):
        """A few pictures of another kind than what cameras write."""
        folder = self.work / f"photos-{kind}"
        make_pictures.make(folder, 3, kind=kind)
        engines = self.in_turn({"pillow": self.peer("decode", "full", folder), "pixdex": self.ours("decode", folder)})
        return engines | {"pixdex": chosen(engines["pixdex"])}

    def ingest(self):
        self.make_models()
        photos = self.work / "many-photos"
        make_pictures.make_copies(photos, self.given.pictures)
        threads = ["--onnx", self.onnx, "--threads", self.given.threads]
        commands = {f"pillow+{peer}": self.peer("ingest", peer, self.model, photos, *threads)
                    for peer in ("torch-f32", "onnx-f32")}  # fmt: skip
        for precision in ("auto", "int8"):
            ours = self.ours("ingest", photos, "--model", self.model, "--precision", precision)
            commands[f"pixdex-{precision}"] = ours
        return self.in_turn(commands)

    def search(self):
        folder, indexes = self.work / f"vectors-{self.given.vectors}", self.work / f"indexes-{self.given.vectors}"
        indexes.mkdir(exist_ok=True)
        library = ["--library", indexes / "pixdex"]
        if not (folder / "texts.truth").exists():
            ask(self.ours("search", "--images", self.given.vectors, "--write", folder, *library))
            subprocess.run(self.peer("search", "truth", folder), check=True)
        built = {f"{engine}-m{m}": self.build_graph(engine, m, folder, indexes) for engine, m in GRAPHS
                 if f"{engine}-m{m}" in self.given.graphs}  # fmt: skip
        built["faiss-flat"] = self.build_graph("faiss-flat", 0, folder, indexes)
        commands = {"pixdex": self.ours("search", "--vectors", folder, *library)}
        for name in built:
            for kind, recall in report.RECALLS.items():
                where = [name.rsplit("-m", 1)[0], folder, indexes / name, kind]
                commands[f"{name} {kind}"] = self.peer("search", "query", *where, "--at-least", recall)
        engines = self.in_turn(commands)
        return {"vectors": self.given.vectors, "pixdex": engines.pop("pixdex"), "built": built, "peers": engines}

    def build_graph(self, engine, m, folder, indexes):
        """Builds a peer's index unless it is there; how long that took is kept beside it."""
        index = indexes / (f"{engine}-m{m}" if m else engine)
        kept = index.with_name(index.name + ".json")
        if not kept.exists():
            shape = ["--threads", self.given.threads]
            shape += ["--m", m, "--ef-construction", EF_CONSTRUCTION[m]] if m else []
            kept.write_text(json.dumps(ask(self.peer("search", "build", engine, folder, index, *shape))))
        return json.loads(kept.read_text())

    def make_models(self):
        if not (self.model / "tokenizer.json").exists():
            make_model.make(self.model)
        if not (self.onnx / "texts-int8.onnx").exists():
            subprocess.run([sys.executable, HERE / "export_onnx.py", self.model, self.onnx], check=True)

    def effort(self):
        return ["--threads", self.given.threads, "--seconds", self.given.seconds]

    def peer(self, script, *arguments):
        return [str(part) for part in (sys.executable, HERE / f"{script}.py", *arguments)]

    def ours(self, name, *arguments):
        return [str(part) for part in (self.programs[name], *arguments, "--json", "--bench")]

    def in_turn(self, commands):
        """Medians by engine of several rounds; `commands` is engine to command line."""
        rounds = [{name: ask(command) for name, command in commands.items()} for _ in range(self.given.rounds)]
        return {name: median([answers[name] for answers in rounds]) for name in commands}


if __name__ == "__main__":
    main()
