"""Makes a CLIP model of ViT-B/32's shape, in the hub's layout, with random weights: speed and parity need no others.

    python make_model.py FOLDER [--tokenizer tokenizer.json] [--seed N]

Weights are drawn as transformers draws them for training and then made larger, so that attention and activations are
as busy as in a trained model, and different pictures give embeddings that lie apart. The same versions of torch and
transformers and the same seed give the same file.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from transformers import CLIPConfig, CLIPModel

TOKENIZER = Path(__file__).parents[2] / "fixtures/parity/tokenizer/tokenizer.json"
START, END = 49406, 49407  # the last two entries of CLIP's vocabulary
GAIN = 2.0
BIAS_DEVIATION = 0.05

PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "do_convert_rgb": True,
    "do_resize": True,
    "size": {"shortest_edge": 224},
    "resample": 3,  # bicubic
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}


def random_clip(seed):
    """transformers' defaults are the shape of ViT-B/32; only the ids of the vocabulary must be told."""
    torch.manual_seed(seed)
    special = {"vocab_size": END + 1, "bos_token_id": START, "eos_token_id": END, "pad_token_id": END}
    model = CLIPModel(CLIPConfig(projection_dim=512, text_config=special)).eval()
    for name, weight in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(weight, 0.0, BIAS_DEVIATION)
        elif weight.dim() >= 2 and "embedding.weight" not in name:
            weight.data *= GAIN
    return model


def make(folder, tokenizer=TOKENIZER, seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    random_clip(seed).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=2) + "\n")
    shutil.copyfile(tokenizer, folder / "tokenizer.json")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokenizer", type=Path, default=TOKENIZER)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    make(given.folder, given.tokenizer, given.seed)
