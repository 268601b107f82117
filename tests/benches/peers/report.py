"""Turns `results.json` into the tables of `tests/benches/README.md`.

    python report.py results.json
"""

import json
import sys

RECALLS = {"images": 0.99, "texts": 0.95}


def markdown(results):
    """Every question that was asked, each as its ratios and what they were made from."""
    parts = [f"Measured {question['date']} on {question['machine']}." for question in list(results.values())[:1]]
    ratios = [row for name, question in results.items() for row in RATIOS[name](question["engines"])]
    parts.append(table(["what", "pixdex", "peer", "ratio"], [ratio_row(*row) for row in ratios]))
    parts += [DETAILS[name](question["engines"]) for name, question in results.items()]
    return "\n\n".join(parts) + "\n"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def ratio_row(what, ours, theirs, is_time=False, unit="{:.3g}"):
    """Above 1 is better, for rates as for times."""
    if ours is None or theirs is None:
        return [what, *(unit.format(value) if value else "never" for value in (ours, theirs)), "–"]
    ratio = theirs / ours if is_time else ours / theirs
    return [what, unit.format(ours), unit.format(theirs), f"**{ratio:.2f}**"]


def embed_ratios(engines):
    pairs = [("f32", "onnx-f32"), ("f32", "torch-f32"), ("auto", "onnx-f32"), ("auto", "torch-f32"),
             ("auto", "torch-bf16"), ("int8", "onnx-int8")]  # fmt: skip
    for precision, peer in pairs:
        # Not every processor has every precision.
        if f"pixdex-{precision}" not in engines:
            continue
        ours, theirs = engines[f"pixdex-{precision}"], engines[peer]
        yield f"images/s, batch 8, {precision} / {peer}", ours["images_per_s"]["8"], theirs["images_per_s"]["8"]
    for field, positions in (("short_text_ms", "its own"), ("text_ms", "77")):
        ours, theirs = engines["pixdex-auto"]["text_ms"], engines["onnx-f32"][field]
        yield f"one text, ms, auto / onnx-f32 in {positions} positions", ours, theirs, True


def embed_details(engines):
    head = ["engine", "images/s, batch 1", "batch 8", "batch 32", "one text, ms", "cosine to torch-f32: images"]
    head += ["texts", "peak MiB"]
    rows = []
    for name, figures in engines.items():
        taken = f"{name} = {figures['precision']}" if name == "pixdex-auto" else name
        rates = [f"{rate:.1f}" for rate in (figures["images_per_s"][batch] for batch in ("1", "8", "32"))]
        cosines = [f"{figures['cosine'][kind]:.6f}" for kind in ("images", "texts")]
        rows.append([taken, *rates, f"{figures['text_ms']:.1f}", *cosines, f"{figures['peak_mib']:.0f}"])
    return table(head, rows)


def decode_ratios(engines):
    for mode in ("full", "draft"):
        ours, theirs = engines["pixdex"]["ms_per_picture"], engines[f"pillow-{mode}"]["ms_per_picture"]
        yield f"12 MP JPEG to the model's input, ms, one thread / pillow-{mode}", ours, theirs, True
    for kind, figures in engines["kinds"].items():
        ours, theirs = (figures[name]["ms_per_picture"] for name in ("pixdex", "pillow"))
        yield f"12 MP {kind} to the model's input, ms, one thread / pillow", ours, theirs, True


def decode_details(engines):
    names = [name for name in engines if name != "kinds"]
    rows = [[name, f"{engines[name]['ms_per_picture']:.1f}"] for name in names]
    cosine = engines["pixdex"]["worst_cosine"]
    worst = f"The embedding furthest from that of a full decode has a cosine of {cosine:.5f} to it."
    return table(["engine", "ms for each 12 MP JPEG"], rows) + "\n\n" + worst


def ingest_ratios(engines):
    for ours in ("auto", "int8"):
        for peer in ("torch-f32", "onnx-f32"):
            rates = (engines[name]["pictures_per_s"] for name in (f"pixdex-{ours}", f"pillow+{peer}"))
            yield f"folder of 12 MP JPEGs, pictures/s, {ours} / pillow + {peer}", *rates


def ingest_details(engines):
    fields = ("pictures_per_s", "peak_mib")
    rows = [[name, *(f"{figures[field]:.1f}" for field in fields)] for name, figures in engines.items()]
    return table(["engine", "pictures/s", "peak MiB"], rows)


def search_ratios(engines):
    exact = engines["pixdex"]["image"]["exact"]["queries_per_s"]
    yield "exact scan, queries/s / faiss-flat", exact, peak(engines, "faiss-flat", "images")
    for kind, recall in RECALLS.items():
        ours = engines["pixdex"][kind.removesuffix("s")]
        best = fastest([*ours["graph"], ours["chosen"], ours["exact"]], recall)
        for family in ("hnswlib", "faiss", "usearch"):
            what = f"queries/s at recall@10 ≥ {recall}, {kind[:-1]}-like, {engines['vectors']:,} vectors / {family}"
            yield what, best, peak(engines, family, kind)


def peak(engines, family, kind):
    """Queries/s of the family's fastest index that reaches the recall; none does: none."""
    rates = [fastest(figures["curve"], RECALLS[kind]) for name, figures in engines["peers"].items()
             if name.startswith(family) and name.endswith(kind)]  # fmt: skip
    return max(filter(None, rates), default=None)


def fastest(points, recall):
    return max((point["queries_per_s"] for point in points if point["recall"] >= recall), default=None)


def search_details(engines):
    ours = engines["pixdex"]
    head = ["index", "build s", "bytes a vector", "image-like: recall, queries/s, p50 µs", "text-like", "peak MiB"]
    chosen = [point_cell(ours[kind]["chosen"]) for kind in ("image", "text")]
    rows = [["pixdex", "", f"{ours['graph_bytes_per_vector']:.0f}", *chosen, f"{ours['peak_mib']:.0f}"]]
    for name, built in engines["built"].items():
        peers = [engines["peers"][f"{name} {kind}"] for kind in RECALLS]
        costs = [f"{built[field]:.0f}" for field in ("build_s", "bytes_per_vector")]
        last = [point_cell(peer["curve"][-1]) for peer in peers]
        rows.append([name, *costs, *last, f"{peers[0]['peak_mib']:.0f}"])
    return table(head, rows)


def point_cell(point):
    return f"{point['recall']:.3f}, {point['queries_per_s']:.0f}, {point['p50_us']:.0f}"


RATIOS = {"embed": embed_ratios, "decode": decode_ratios, "ingest": ingest_ratios, "search": search_ratios}
DETAILS = {"embed": embed_details, "decode": decode_details, "ingest": ingest_details, "search": search_details}


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        print(markdown(json.load(file)))
