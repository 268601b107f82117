"""Measures an exported model: zero-shot top-1 on pictures that training never saw.

    python evaluate.py [MODEL_FOLDER] [--pictures 4000]

The folder is loaded by Hugging Face's own CLIPModel, so the table holds for any program that reads the layout.
All counts, sizes and backgrounds are mixed; "both" picks one of all colour-thing pairs.
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np
import torch
from draw import draw
from tokenizers import Tokenizer
from words import with_article
from world import BACKGROUNDS, COLOURS, COUNTS, THINGS

SEED = 20260000  # no training run starts from it
TEMPLATES = ["a photo of {}.", "a picture of {}."]
ROWS = {
    "thing": [with_article(thing) for thing in THINGS],
    "colour": [f"something {colour}" for colour in COLOURS],
    "both": [with_article(f"{colour} {thing}") for thing in THINGS for colour in COLOURS],
    "background": [with_article(f"{background} background") for background in BACKGROUNDS],
    "count": ["one thing", *(f"{count} things" for count in COUNTS[1:])],
}


def class_embeddings(phrases, embed_texts):
    """Each class is the mean of its prompts' embeddings, of unit length again."""
    mean = sum(embed_texts([template.format(phrase) for phrase in phrases]) for template in TEMPLATES)
    return torch.nn.functional.normalize(mean, dim=-1)


def measure(embed_pictures, embed_texts, pictures, truths):
    """Top-1 in per cent for every row of the table."""
    seen = embed_pictures(pictures)
    truth = np.array(truths)
    wanted = {
        "thing": truth[:, 0],
        "colour": truth[:, 1],
        "both": truth[:, 0] * len(COLOURS) + truth[:, 1],
        "background": truth[:, 2],
        "count": truth[:, 4],
    }
    best = {row: (seen @ class_embeddings(phrases, embed_texts).T).argmax(1).numpy() for row, phrases in ROWS.items()}
    return {row: round(100 * float((best[row] == wanted[row]).mean()), 1) for row in ROWS}


def examples(count, pairs, seed=SEED):
    """(pictures, truths) of pairs that training drew (`pairs` = "test") or of those it never did ("held_out")."""
    r = random.Random(f"{seed} {pairs}")
    drawn = [draw(r, pairs) for _ in range(count)]
    return np.stack([picture for picture, _, _ in drawn]), [truth for _, truth, _ in drawn]


class Exported:
    """A model folder behind transformers' CLIPModel."""

    def __init__(self, folder):
        from transformers import CLIPModel  # only here: training does not need it

        self.clip = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.end = self.clip.config.text_config.eos_token_id
        settings = json.loads((folder / "preprocessor_config.json").read_text())
        self.mean, self.std = (torch.tensor(settings[k]).view(3, 1, 1) for k in ("image_mean", "image_std"))

    @torch.no_grad()
    def see(self, pictures):
        """The pictures have the model's own size already, so that resizing and cropping leave them as they are."""
        pixels = (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        pooled = [self.clip.vision_model(pixel_values=p).pooler_output for p in pixels.split(64)]
        return torch.nn.functional.normalize(self.clip.visual_projection(torch.cat(pooled)), dim=-1)

    @torch.no_grad()
    def read(self, texts):
        rows = [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]
        width = max(map(len, rows))
        ids = torch.tensor([row + [self.end] * (width - len(row)) for row in rows])
        pooled = self.clip.text_model(input_ids=ids).pooler_output
        return torch.nn.functional.normalize(self.clip.text_projection(pooled), dim=-1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent.parent)
    parser.add_argument("--pictures", type=int, default=4000, help="in each column")
    options = parser.parse_args()
    model = Exported(options.folder)
    columns = {
        name: measure(model.see, model.read, *examples(options.pictures, pairs))
        for name, pairs in (("fresh", "test"), ("held-out pairs", "held_out"))
    }
    print(f"top-1, zero-shot, {options.pictures} pictures each")
    print("| | " + " | ".join(columns) + " |\n|---|" + "---:|" * len(columns))
    for row in ROWS:
        print(f"| {row} | " + " | ".join(f"{column[row]:.1f} %" for column in columns.values()) + " |")


if __name__ == "__main__":
    main()
