"""How fast does an engine embed, and how close does it stay to PyTorch in f32? One engine a process.

    python embed.py ENGINE MODEL PICTURES [--onnx FOLDER] [--threads 2] [--seconds 2] [--save FILE.npz]

ENGINE is torch-f32, torch-bf16, onnx-f32, onnx-int8 or open_clip. PICTURES holds pictures in the size of the model's
input. The times are those of the towers alone; texts are one short query, in all 77 positions (which is what CLIP's
tokenizer gives, and all that open_clip takes) and cut after end-of-text.
"""

import argparse
from pathlib import Path

import numpy as np
from make_model import PREPROCESSOR
from measuring import answer, seconds
from PIL import Image

BATCHES = (1, 8, 32)
QUERY = "a photo of a dog running on grass"
CONTEXT, END = 77, 49407
MEAN, DEVIATION = (np.array(PREPROCESSOR[key], dtype=np.float32) for key in ("image_mean", "image_std"))


def pixel_values(folder):
    """[N, 3, S, S]: 32 pictures, normalised."""
    paths = sorted(folder.iterdir())[: max(BATCHES)]
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB"), dtype=np.float32) for path in paths]) / 255
    return np.ascontiguousarray(((pixels - MEAN) / DEVIATION).transpose(0, 3, 1, 2))


def query_ids(model, length=None, text=QUERY):
    """[1, P]: the text, padded with end-of-text to `length` positions, or as long as it is."""
    from tokenizers import Tokenizer

    ids = Tokenizer.from_file(str(model / "tokenizer.json")).encode(text).ids
    return np.array([ids + [END] * ((length or len(ids)) - len(ids))])


class Torch:
    def __init__(self, given, dtype):
        import torch
        from transformers import CLIPModel

        torch.set_num_threads(given.threads)
        torch.set_grad_enabled(False)
        self.torch, self.dtype = torch, getattr(torch, dtype)
        self.clip = CLIPModel.from_pretrained(given.model, dtype=self.dtype).eval()

    def images(self, pixels):
        features = self.clip.vision_model(pixel_values=self.torch.from_numpy(pixels).to(self.dtype)).pooler_output
        return self.clip.visual_projection(features).float().numpy()

    def texts(self, ids):
        features = self.clip.text_model(input_ids=self.torch.from_numpy(ids)).pooler_output
        return self.clip.text_projection(features).float().numpy()


class Onnx:
    def __init__(self, given, kind):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = given.threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL

        def open_tower(name):
            return onnxruntime.InferenceSession(given.onnx / f"{name}-{kind}.onnx", options)

        self.image_tower, self.text_tower = open_tower("images"), open_tower("texts")

    def images(self, pixels):
        return self.image_tower.run(None, {"pixel_values": pixels})[0]

    def texts(self, ids):
        return self.text_tower.run(None, {"input_ids": ids})[0]


class OpenClip:
    def __init__(self, given):
        import open_clip
        import torch
        from safetensors.torch import load_file

        torch.set_num_threads(given.threads)
        torch.set_grad_enabled(False)
        self.torch = torch
        self.clip = open_clip.create_model("ViT-B-32-quickgelu", pretrained=None).eval()
        self.clip.load_state_dict(open_clip_names(torch, load_file(given.model / "model.safetensors")), strict=False)

    def images(self, pixels):
        return self.clip.encode_image(self.torch.from_numpy(pixels)).numpy()

    def texts(self, ids):
        return self.clip.encode_text(self.torch.from_numpy(ids)).numpy()


def open_clip_names(torch, weights):
    """transformers' weights under open_clip's names."""
    renamed = {
        "logit_scale": weights["logit_scale"],
        "visual.class_embedding": weights["vision_model.embeddings.class_embedding"],
        "visual.conv1.weight": weights["vision_model.embeddings.patch_embedding.weight"],
        "visual.positional_embedding": weights["vision_model.embeddings.position_embedding.weight"],
        "visual.proj": weights["visual_projection.weight"].T,
        "token_embedding.weight": weights["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": weights["text_model.embeddings.position_embedding.weight"],
        "text_projection": weights["text_projection.weight"].T,
    }
    norms = {"visual.ln_pre": "vision_model.pre_layrnorm", "visual.ln_post": "vision_model.post_layernorm",
             "ln_final": "text_model.final_layer_norm"}  # fmt: skip
    for prefix, tower in (("visual.", "vision_model"), ("", "text_model")):
        for number in range(12):
            ours, theirs = f"{prefix}transformer.resblocks.{number}", f"{tower}.encoder.layers.{number}"
            norms |= {f"{ours}.ln_1": f"{theirs}.layer_norm1", f"{ours}.ln_2": f"{theirs}.layer_norm2",
                      f"{ours}.mlp.c_fc": f"{theirs}.mlp.fc1", f"{ours}.mlp.c_proj": f"{theirs}.mlp.fc2",
                      f"{ours}.attn.out_proj": f"{theirs}.self_attn.out_proj"}  # fmt: skip
            for part in ("weight", "bias"):
                joined = [weights[f"{theirs}.self_attn.{name}_proj.{part}"] for name in "qkv"]
                renamed[f"{ours}.attn.in_proj_{part}"] = torch.cat(joined)
    for ours, theirs in norms.items():
        renamed |= {f"{ours}.{part}": weights[f"{theirs}.{part}"] for part in ("weight", "bias")}
    return renamed


ENGINES = {
    "torch-f32": lambda given: Torch(given, "float32"),
    "torch-bf16": lambda given: Torch(given, "bfloat16"),
    "onnx-f32": lambda given: Onnx(given, "f32"),
    "onnx-int8": lambda given: Onnx(given, "int8"),
    "open_clip": OpenClip,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("model", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--onnx", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--save", type=Path, help="keep the embeddings, to compare engines")
    given = parser.parse_args()
    engine = ENGINES[given.engine](given)
    pixels, ids, short_ids = pixel_values(given.pictures), query_ids(given.model, CONTEXT), query_ids(given.model)
    if given.save:
        np.savez(given.save, images=engine.images(pixels), texts=engine.texts(ids))
    rates = {str(n): n / seconds(lambda: engine.images(pixels[:n]), given.seconds) for n in BATCHES}
    figures = {"images_per_s": rates, "text_ms": 1e3 * seconds(lambda: engine.texts(ids), given.seconds)}
    if given.engine != "open_clip":
        figures["short_text_ms"] = 1e3 * seconds(lambda: engine.texts(short_ids), given.seconds)
    answer(engine=given.engine, **figures)


if __name__ == "__main__":
    main()
