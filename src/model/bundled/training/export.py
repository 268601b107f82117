"""Writes a trained model in the Hugging Face hub layout of a `clip` model, each file in one atomic step."""

import json
import os
import shutil
from pathlib import Path

from safetensors.torch import save_file

from model import IMAGE_SIZE

PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "do_convert_rgb": True,
    "do_resize": True,
    "size": {"shortest_edge": IMAGE_SIZE},
    "resample": 3,  # bicubic
    "do_center_crop": True,
    "crop_size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.25, 0.25, 0.25],
}


def config(clip):
    """`config.json`; start and end of text are the vocabulary's last two tokens."""
    vocabulary = clip.text_config["vocab_size"]
    start, end = vocabulary - 2, vocabulary - 1
    special = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": end}
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "torch_dtype": "float16",
        "projection_dim": clip.text_config["projection_dim"],
        "logit_scale_init_value": 3.2958,
        "text_config": {"model_type": "clip_text_model", **clip.text_config, **special},
        "vision_config": {"model_type": "clip_vision_model", **clip.vision_config},
    }


def export(clip, tokenizer, folder):
    """`clip` in half precision, beside a copy of its tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().half().contiguous() for name, value in clip.state_dict().items()}
    part = folder / "model.safetensors.part"
    save_file(tensors, part, metadata={"format": "pt"})
    part.chmod(0o644)
    os.replace(part, folder / "model.safetensors")
    for name, content in (("config.json", config(clip)), ("preprocessor_config.json", PREPROCESSOR)):
        part = folder / f"{name}.part"
        part.write_text(json.dumps(content, indent=2) + "\n")
        os.replace(part, folder / name)
    if Path(tokenizer).resolve() != (folder / "tokenizer.json").resolve():
        shutil.copyfile(tokenizer, folder / "tokenizer.json")
