"""Writes both towers as ONNX files, in f32 and in int8, and checks that they answer as the model does.

    python export_onnx.py MODEL FOLDER

`images-f32.onnx` and `images-int8.onnx` take `pixel_values` [B, 3, S, S]; `texts-f32.onnx` and `texts-int8.onnx` take
`input_ids` [B, P]. int8 is ONNX Runtime's dynamic quantisation: s8 weights, one scale for each output channel,
activations quantised as they come.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from transformers import CLIPModel

END = 49407


class Images(torch.nn.Module):
    def __init__(self, clip):
        super().__init__()
        self.tower, self.projection = clip.vision_model, clip.visual_projection

    def forward(self, pixel_values):
        return self.projection(self.tower(pixel_values=pixel_values).pooler_output)


class Texts(torch.nn.Module):
    def __init__(self, clip):
        super().__init__()
        self.tower, self.projection = clip.text_model, clip.text_projection

    def forward(self, input_ids):
        return self.projection(self.tower(input_ids=input_ids).pooler_output)


def cosine(a, b):
    """The smallest cosine between rows of the same number."""
    return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


def check(path, name, tower, inputs, least, quantised):
    session = onnxruntime.InferenceSession(path)
    with torch.inference_mode():
        reference = tower(inputs).numpy()
    found = cosine(session.run(None, {name: inputs.numpy()})[0], reference)
    assert found > least, f"{path}: cosine {found}"
    products = [node.op_type for node in onnx.load(path, load_external_data=False).graph.node]
    integer = sum("MatMulInteger" in product or product == "QGemm" for product in products)
    # Six linear layers in each of twelve layers, and the projection.
    assert integer >= (73 if quantised else 0), f"{path}: {integer} integer products"
    print(f"{path.name}: cosine {found:.6f}, {integer} integer products", file=sys.stderr)


def export(tower, name, inputs, dynamic, least, folder, stem):
    full, prepared, small = (folder / f"{stem}-{kind}.onnx" for kind in ("f32", "prepared", "int8"))
    torch.onnx.export(tower, (inputs,), full, input_names=[name], output_names=["features"],
                      dynamic_shapes={name: dynamic}, external_data=False, dynamo=True)  # fmt: skip
    quant_pre_process(full, prepared, skip_symbolic_shape=True)
    quantize_dynamic(prepared, small, weight_type=QuantType.QInt8, per_channel=True)
    prepared.unlink()
    check(full, name, tower, inputs, 0.999999, quantised=False)
    check(small, name, tower, inputs, least, quantised=True)


def main(model, folder):
    folder.mkdir(parents=True, exist_ok=True)
    clip = CLIPModel.from_pretrained(model, dtype=torch.float32).eval()
    torch.manual_seed(1)
    batch, positions = torch.export.Dim("batch", min=1, max=1024), torch.export.Dim("positions", min=2, max=77)
    pixels = torch.randn(3, 3, 224, 224)
    ids = torch.randint(0, END - 1, (3, 12))
    ids[:, -1] = END
    export(Images(clip), "pixel_values", pixels, {0: batch}, 0.99, folder, "images")
    export(Texts(clip), "input_ids", ids, {0: batch, 1: positions}, 0.99, folder, "texts")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
