"""Draws how search, re-tagging, start and memory grow with the library: one picture for `tests/benches/README.md`.

    python tests/benches/peers/curves.py FOLDER [--sizes 1000 10000 100000 1000000] [--model MODEL]

Runs our benches `search`, `retag` and `startup` for each size that FOLDER holds no answer for yet, keeps the answers
there, and draws `curves.svg` from them. A million images take an hour and more, most of it for building graphs.
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plot
from run import ask, build

BENCHES = ("search", "retag", "startup")

# Of each panel: title, unit, scale, and its lines: name, bench, and where the figure is in the bench's answer.
PANELS = [
    ("Search", "ms", "log", [
        ("text, over HTTP, p99", "startup", lambda answer: answer["http_text_query_p99_ms"]),
        ("text, over HTTP, p50", "startup", lambda answer: answer["http_text_query_p50_ms"]),
        ("index, text-like, p50", "search", lambda answer: answer["text"]["chosen"]["p50_us"] / 1e3),
        ("index, image-like, p50", "search", lambda answer: answer["image"]["chosen"]["p50_us"] / 1e3),
    ]),
    ("Re-tag, 100 labels", "s", "log", [
        ("compute and write", "retag", lambda answer: answer["score_s"] + answer["write_looser_set_s"]),
        ("compute", "retag", lambda answer: answer["score_s"]),
    ]),
    ("Start", "s", "linear", [("to the first answer", "startup", lambda answer: answer["first_answer_s"])]),
    ("Memory", "MiB", "linear", [
        ("after searches", "startup", lambda answer: answer["memory_after_search_mib"]),
        ("idle", "startup", lambda answer: answer["idle_memory_mib"]),
    ]),
]  # fmt: skip


def measure(folder, sizes, model):
    """Asks each bench for each size, unless the answer is there."""
    programs = None
    for size in sizes:
        for bench in BENCHES:
            kept = folder / f"{bench}-{size}.json"
            if kept.exists():
                continue
            programs = programs or build(BENCHES)
            command = [programs[bench], "--images", str(size), "--json", "--bench"]
            command += [] if bench == "search" else ["--model", model]
            kept.write_text(json.dumps(ask(command)))


def draw(folder):
    answers = {bench: load(folder, bench) for bench in BENCHES}
    figure, axes = plot.subplots(2, 2, figsize=(9, 6), layout="constrained")
    for panel, (title, unit, scale, lines) in zip(axes.flat, PANELS):
        for name, bench, figure_of in lines:
            points = [(answer["images"], figure_of(answer)) for answer in answers[bench]]
            panel.plot(*zip(*points), marker="o", label=name)
        panel.set(title=title, xlabel="images", ylabel=unit, xscale="log", yscale=scale)
        if scale == "linear":
            panel.set_ylim(bottom=0)
        panel.xaxis.set_major_formatter("{x:,.0f}")
        panel.yaxis.set_major_formatter("{x:,g}")
        panel.grid(alpha=0.3)
        panel.legend(fontsize="small", frameon=False)
    figure.savefig(folder / "curves.svg")


def load(folder, bench):
    """A bench's answers, by size."""
    answers = [json.loads(path.read_text()) for path in folder.glob(f"{bench}-*.json")]
    return sorted(answers, key=lambda answer: answer["images"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--model", default="bundled")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    measure(given.folder, given.sizes, given.model)
    draw(given.folder)


if __name__ == "__main__":
    main()
