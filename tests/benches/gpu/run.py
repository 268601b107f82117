"""Does pixdex give the same embeddings on a card as transformers, and how fast is it beside PyTorch in f16?

    python tests/benches/gpu/run.py --programs FOLDER [--pictures 512] [--json FILE]

Runs on a machine that has Python with PyTorch, transformers and Pillow, and needs neither Rust nor a network. FOLDER
holds `pixdex` and, for images/s, the bench `embed`, as `build.sh` leaves them; the rest is this checkout. Weights and
pictures are made on the spot, and what PyTorch brings of CUDA is put on the programs' library path. A dry run of it all
on a machine without a card: `--device cpu --batches 1 2 --pictures 8`.
"""

import argparse
import json
import os
import site
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from transformers import CLIPModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
import make_model
import make_pictures
from measuring import seconds

from decode import square
from embed import DEVIATION, MEAN, pixel_values, query_ids
from ingest import embed_all

QUERY_TEXTS = ["a photo of a dog running on grass", "two boats", "ein Hund läuft über die Straße", ""]
LEAST_COSINE = {"f32": 0.9999, "f16": 0.999}


def environment():
    """The programs' environment, with PyTorch's copies of the CUDA libraries."""
    roots = [Path(folder) / "nvidia" for folder in site.getsitepackages() + [site.getusersitepackages()]]
    libraries = sorted({str(library.parent) for root in roots for library in root.glob("**/lib/*.so*")})
    known = [os.environ["LD_LIBRARY_PATH"]] if "LD_LIBRARY_PATH" in os.environ else []
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries + known)}


def run(program, *arguments):
    """A program's answer in JSON."""
    done = subprocess.run([program, *map(str, arguments)], env=environment(), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"`{program}` failed with {done.returncode}")
    return json.loads(done.stdout)


class Peer:
    """transformers' CLIP in f16 (f32 on a CPU): bytes go to the card and are normalised there, as pixdex does it."""

    def __init__(self, model, device):
        dtype = torch.float32 if device == "cpu" else torch.float16
        self.device, self.dtype = device, dtype
        self.clip = CLIPModel.from_pretrained(model, dtype=dtype).to(device).eval()
        self.mean, self.deviation = (torch.tensor(v, device=device)[:, None, None] for v in (MEAN, DEVIATION))

    @torch.inference_mode()
    def images(self, pixels):
        """Features of [N, 3, S, S] bytes, back in the computer's memory."""
        pixels = torch.from_numpy(pixels).to(self.device).float() / 255
        pixels = ((pixels - self.mean) / self.deviation).to(self.dtype)
        pooled = self.clip.vision_model(pixel_values=pixels).pooler_output
        return self.clip.visual_projection(pooled).float().cpu().numpy()


def picture_bytes(path):
    """[3, S, S]: the picture in the size of the model's input."""
    return np.asarray(square(path)).transpose(2, 0, 1)


def cosines(ours, theirs):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    return (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)


@torch.inference_mode()
def parity(given, model, squares):
    """The smallest cosine between pixdex and transformers in f32, for pictures and texts, in each precision."""
    clip = CLIPModel.from_pretrained(model, dtype=torch.float32).eval()
    pixels = torch.from_numpy(pixel_values(squares))
    images = clip.visual_projection(clip.vision_model(pixel_values=pixels).pooler_output)
    ids = [torch.from_numpy(query_ids(model, text=text)) for text in QUERY_TEXTS]
    texts = torch.cat([clip.text_projection(clip.text_model(input_ids=row).pooler_output) for row in ids])
    paths = sorted(squares.iterdir())[: len(images)]
    least = {}
    for precision, flag in {"f32": "f32", "f16": "auto"}.items():
        if given.device == "cpu" and precision == "f16":
            continue
        found = run(given.programs / "pixdex", "embed", "--model", model, "--device", given.device, "--precision", flag,
                    "--log", "warn", "--json", "--image", *paths, "--text", *QUERY_TEXTS)  # fmt: skip
        ours = [found["images"][str(path)] for path in paths], [found["texts"][text] for text in QUERY_TEXTS]
        least[precision] = [float(cosines(a, b).min()) for a, b in zip(ours, (images, texts))]
        assert min(least[precision]) > LEAST_COSINE[precision], f"{precision}: cosine {least[precision]}"
    return least


def throughput(given, model, squares):
    """Images/s at each batch size: pixdex and PyTorch in turn, three times, medians."""
    peer = Peer(model, given.device)
    pixels = np.stack([picture_bytes(path) for path in sorted(squares.iterdir())])
    batches = [np.resize(pixels, (n, *pixels.shape[1:])) for n in given.batches]
    ours, theirs = [], []
    for _ in range(3):
        theirs.append([len(batch) / seconds(lambda: peer.images(batch), 1) for batch in batches])
        if (given.programs / "embed").exists():
            ours.append(bench(given, model))
    return {"batches": given.batches, "pixdex": median(ours), "torch": median(theirs)}


def bench(given, model):
    found = run(given.programs / "embed", "--model", model, "--device", given.device, "--json",
                "--batches", ",".join(map(str, given.batches)))  # fmt: skip
    return [found["images_per_s"][str(n)] for n in given.batches]


def median(rounds):
    return np.median(rounds, axis=0).tolist() if rounds else None


def pipeline(given, model, folder):
    """Images/s from a folder of JPEGs, loading the model included: pixdex until all are searchable and tagged, Pillow
    and PyTorch until all are embedded."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as library:
        run(given.programs / "pixdex", "index", folder, "--model", model, "--device", given.device,
            "--data-dir", library, "--log", "warn", "--json")  # fmt: skip
    ours = given.pictures / (time.perf_counter() - start)
    start = time.perf_counter()
    peer = Peer(model, given.device)
    embed_all(peer, sorted(folder.iterdir()), os.cpu_count(), batch=64, read=picture_bytes)
    theirs = given.pictures / (time.perf_counter() - start)
    return {"pictures": given.pictures, "pixdex": ours, "pillow+torch": theirs}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32, 256])
    parser.add_argument("--pictures", type=int, default=512)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "pixdex-gpu", help="what is made")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    given = parser.parse_args()
    model, squares, photos = (given.work / name for name in ("model", "squares", f"photos-{given.pictures}"))
    if not (model / "tokenizer.json").exists():
        make_model.make(model)
    make_pictures.make(squares, 32, 224, 224, "png")
    make_pictures.make_copies(photos, given.pictures)
    card = "cpu" if given.device == "cpu" else torch.cuda.get_device_name()
    figures = {"device": card, "torch": torch.__version__, "cosine": parity(given, model, squares)}
    print(json.dumps(figures), file=sys.stderr)
    figures["images_per_s"] = throughput(given, model, squares)
    print(json.dumps(figures["images_per_s"]), file=sys.stderr)
    figures["pipeline_images_per_s"] = pipeline(given, model, photos)
    print(json.dumps(figures, indent=2))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
