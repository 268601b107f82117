"""Does Hugging Face's code, on the same weights, take the same pictures for the same classes as `pixdex eval`?

    pixdex eval FOLDER --json --model MODEL > predictions.json
    python agree.py MODEL predictions.json [--template "a photo of a {label}"]

MODEL is a folder in the hub's layout. Prints top-1 and top-5 of both and every picture that they disagree on, with the
margin between the two classes in Hugging Face's similarities.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from PIL import Image, ImageOps
from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

BATCH = 32


def unit(features):
    return torch.nn.functional.normalize(features, dim=-1)


def text_embeddings(model, folder, texts):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = []
    for text in texts:
        # One at a time, as no padding then depends on the others.
        ids = tokenizer(text, return_tensors="pt", truncation=True).input_ids
        rows.append(unit(model.text_projection(model.text_model(input_ids=ids).pooler_output)))
    return torch.cat(rows)


def image_embeddings(model, folder, paths):
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    rows = []
    for start in range(0, len(paths), BATCH):
        pictures = [ImageOps.exif_transpose(Image.open(path)).convert("RGB") for path in paths[start : start + BATCH]]
        pixels = processor(pictures, return_tensors="pt").pixel_values
        rows.append(unit(model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)))
    return torch.cat(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("--template", default="a photo of a {label}")
    given = parser.parse_args()
    torch.set_grad_enabled(False)
    ours = json.loads(given.predictions.read_text())
    labels = [entry["label"] for entry in ours["classes"]]
    predictions = ours["predictions"]
    model = CLIPModel.from_pretrained(given.model).eval()
    texts = text_embeddings(model, given.model, [given.template.replace("{label}", label) for label in labels])
    similarities = image_embeddings(model, given.model, [prediction["path"] for prediction in predictions]) @ texts.T
    best = similarities.topk(min(5, len(labels))).indices
    truth = torch.tensor([labels.index(prediction["label"]) for prediction in predictions])
    top1, top5 = ((best[:, :k] == truth[:, None]).any(1).double().mean().item() for k in (1, 5))
    different = 0
    for row, prediction, similarity in zip(best, predictions, similarities):
        theirs, mine = row[0].item(), labels.index(prediction["predicted"][0])
        if theirs != mine:
            different += 1
            margin = (similarity[theirs] - similarity[mine]).item()
            print(f"{prediction['path']}: {labels[mine]}, not {labels[theirs]}, by {margin:.6f}")
    print(f"pixdex:       top-1 {100 * ours['top1']:.2f} %, top-5 {100 * ours['top5']:.2f} %")
    print(f"Hugging Face: top-1 {100 * top1:.2f} %, top-5 {100 * top5:.2f} %")
    print(f"{different} of {len(predictions)} predictions differ")
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
