#!/usr/bin/env python3
"""Each family in its real size, ours against ONNX Runtime, in turns: does it load, is it right, how fast is it, how much memory?

    pip install -r requirements.txt
    python families.py FOLDER [--families siglip2-b32-256 …] [--turns 3] [--threads 2]

FOLDER keeps models (random weights in the real shape, up to 1.5 GB each) and their ONNX files from run to run. Prints one table. The
times are those of the towers alone: 8 pictures at once, and one text, which is as long as the family makes it.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
from measuring import answer, seconds

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
FIXTURES = ROOT / "tests/fixtures"
QUERY = "a photo of a dog running on grass"
BATCH = 8

# Patch and side of the pictures, and whose tokenizer.
SIGLIP = {"siglip2-b32-256": (32, 256), "siglip2-b16-224": (16, 224)}
FAMILIES = ["clip-b32", *SIGLIP]

# Rates are ours over ONNX Runtime's; memory is what is resident once both towers are loaded.
COLUMNS = [
    "family", "text, cosine", "image, cosine", "f32 : f32", "auto : f32", "int8 : int8", "text, auto : f32",
    "auto: kind, images/s, text ms", "f32, MiB", "auto, MiB", "int8, MiB",
]


def make(name, folder):
    """The model and both its towers as ONNX files."""
    import torch
    import transformers
    from export_onnx import export
    from make_model import make as make_clip

    class Tower(torch.nn.Module):
        def __init__(self, model, call):
            super().__init__()
            self.model, self.call = model, call

        def forward(self, given):
            return getattr(self.model, self.call)(given).pooler_output

    if name == "clip-b32":
        make_clip(folder)
        model = transformers.CLIPModel.from_pretrained(folder).eval()
        # The ONNX tower takes texts of one length, that of the query.
        side, ids = 224, torch.randint(0, 49406, (3, len(tokenizer(folder).encode(QUERY).ids)))
        ids[:, -1] = 49407
    else:
        patch, side = SIGLIP[name]
        torch.manual_seed(1)
        text = {"vocab_size": 256_000, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0}
        vision = {"patch_size": patch, "image_size": side}
        model = transformers.SiglipModel(transformers.SiglipConfig(text_config=text, vision_config=vision)).eval()
        model.save_pretrained(folder)
        small = FIXTURES / "families/siglip2"
        settings = json.loads((small / "preprocessor_config.json").read_text()) | {"size": {"height": side, "width": side}}
        (folder / "preprocessor_config.json").write_text(json.dumps(settings))
        shutil.copyfile(small / "tokenizer.json", folder / "tokenizer.json")
        ids = torch.randint(0, 600, (3, 64))
    model.set_attn_implementation("eager")
    batch = torch.export.Dim("batch", min=1, max=1024)
    pixels = torch.randn(3, 3, side, side)
    export(Tower(model, "get_image_features"), "given", pixels, {0: batch}, 0.9, folder, "images")
    export(Tower(model, "get_text_features"), "given", ids, {0: batch}, 0.9, folder, "texts")
    with torch.inference_mode():
        model.config.name_or_path = str(folder)
        np.savez(folder / "reference.npz", **reference(model, folder, side))


def tokenizer(folder):
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def picture(side):
    """In the model's own size, so that nothing is resized."""
    y, x, channel = np.meshgrid(np.arange(side), np.arange(side), np.arange(3), indexing="ij")
    return (((x * 37) ^ (y * 11)) + channel * 80 & 255).astype(np.uint8)


def reference(model, folder, side):
    """What the model answers to the picture and the text that ours is asked for too."""
    import torch
    from PIL import Image

    Image.fromarray(picture(side)).save(folder / "picture.png")
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    mean, deviation = np.array(settings["image_mean"]), np.array(settings["image_std"])
    pixels = ((picture(side) / 255 - mean) / deviation).astype(np.float32).transpose(2, 0, 1)[None]
    if model.config.model_type == "siglip":
        ids = [*tokenizer(folder).encode(QUERY, add_special_tokens=False).ids, 1]
        ids += [0] * (64 - len(ids))
    else:
        ids = tokenizer(folder).encode(QUERY).ids
    return {
        "image": model.get_image_features(torch.from_numpy(pixels)).pooler_output.numpy()[0],
        "text": model.get_text_features(torch.tensor([ids])).pooler_output.numpy()[0],
        "ids": np.array([ids]),
        "side": side,
    }


def onnx(folder, kind, threads, budget_s):
    """One engine's figures, in a process of its own."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    images, texts = (onnxruntime.InferenceSession(folder / f"{name}-{kind}.onnx", options) for name in ("images", "texts"))
    known = np.load(folder / "reference.npz")
    side = int(known["side"])
    pixels = np.random.default_rng(1).standard_normal((BATCH, 3, side, side), dtype=np.float32)
    answer(
        images_per_s=BATCH / seconds(lambda: images.run(None, {"given": pixels}), budget_s),
        text_ms=1e3 * seconds(lambda: texts.run(None, {"given": known["ids"]}), budget_s),
    )


def last_line(command):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, check=True, text=True, cwd=HERE)
    return json.loads(done.stdout.splitlines()[-1])


def built():
    """Our bench and our program."""
    command = ["cargo", "bench", "--locked", "--no-run", "--bench", "embed", "--message-format", "json"]
    lines = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    made = [json.loads(line) for line in lines]
    [bench] = [one["executable"] for one in made if one.get("executable") and one["target"]["name"] == "embed"]
    subprocess.run(["cargo", "build", "--locked", "--release", "-q"], cwd=ROOT, check=True)
    return bench, ROOT / "target/release/pixdex"


def ours(bench, folder, precision, budget_s):
    command = [bench, "--model", folder, "--precision", precision, "--batches", BATCH, "--seconds", budget_s, "--json"]
    told = last_line(command)
    return {**told, "images_per_s": told["images_per_s"][str(BATCH)]}


def parity(pixdex, folder):
    """Cosines of text and picture to what the model itself answered."""
    picture = folder / "picture.png"
    command = [pixdex, "embed", "--model", folder, "--precision", "f32", "--text", QUERY, "--image", picture, "--json"]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, check=True, text=True)
    found, known = json.loads(done.stdout), np.load(folder / "reference.npz")
    [text], [image] = found["texts"].values(), found["images"].values()

    def cosine(found, expected):
        return float(np.array(found) @ expected / np.linalg.norm(found) / np.linalg.norm(expected))

    return cosine(text, known["text"]), cosine(image, known["image"])


def row(name, folder, programs, given):
    bench, pixdex = programs
    text, image = parity(pixdex, folder)
    turns = []
    for _ in range(given.turns):
        turn = {f"ours-{precision}": ours(bench, folder, precision, given.seconds) for precision in ("f32", "auto", "int8")}
        for kind in ("f32", "int8"):
            turn[f"onnx-{kind}"] = last_line(
                [sys.executable, __file__, folder, "--onnx", kind, "--threads", given.threads, "--seconds", given.seconds]
            )
        turns.append(turn)

    def ratio(figure, ours, theirs):
        of_turn = [turn[ours][figure] / turn[theirs][figure] for turn in turns]
        of_turn = of_turn if figure == "images_per_s" else [1 / one for one in of_turn]
        return f"{statistics.median(of_turn):.2f}"

    def median(engine, figure):
        return statistics.median(turn[engine][figure] for turn in turns)

    pairs = [("ours-f32", "onnx-f32"), ("ours-auto", "onnx-f32"), ("ours-int8", "onnx-int8")]
    cells = [name, f"{text:.6f}", f"{image:.6f}", *(ratio("images_per_s", *pair) for pair in pairs)]
    cells.append(ratio("text_ms", "ours-auto", "onnx-f32"))
    cells.append(f"{turns[0]['ours-auto']['precision']}, {median('ours-auto', 'images_per_s'):.1f}, {median('ours-auto', 'text_ms'):.1f}")
    cells += [f"{median(f'ours-{precision}', 'resident_mib'):.0f}" for precision in ("f32", "auto", "int8")]
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=FAMILIES)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--onnx", choices=["f32", "int8"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.onnx:
        onnx(given.folder, given.onnx, given.threads, given.seconds)
        return
    programs = built()
    print("| " + " | ".join(COLUMNS) + " |\n|" + " --- |" * len(COLUMNS))
    for name in given.families:
        folder = (given.folder / name).absolute()
        if not (folder / "reference.npz").exists():
            folder.mkdir(parents=True, exist_ok=True)
            make(name, folder)
        print(row(name, folder, programs, given), flush=True)


if __name__ == "__main__":
    main()
