"""A CLIP in plain PyTorch whose parameters carry the names of Hugging Face's CLIPModel, so that export is a copy."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

IMAGE_SIZE, PATCH_SIZE, HEAD = 96, 8, 32
COMMON = {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}


class Shape(NamedTuple):
    """The sizes that `train.py` can choose, and the seed of the first weights. The defaults are the bundled model's.

    Widths are multiples of `HEAD`.
    """

    width: int = 160
    layers: int = 6
    text_width: int = 128
    projection: int = 128
    seed: int = 3

    def text(self, vocabulary):
        """`text_config` of the hub layout."""
        return {
            "hidden_size": self.text_width,
            "intermediate_size": 3 * self.text_width,
            "num_hidden_layers": 2,
            "num_attention_heads": self.text_width // HEAD,
            "max_position_embeddings": 32,
            **COMMON,
            "projection_dim": self.projection,
            "vocab_size": vocabulary,
        }

    def vision(self):
        """`vision_config` of the hub layout."""
        return {
            "image_size": IMAGE_SIZE,
            "patch_size": PATCH_SIZE,
            "num_channels": 3,
            "hidden_size": self.width,
            "intermediate_size": 3 * self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.width // HEAD,
            **COMMON,
            "projection_dim": self.projection,
        }


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            setattr(self, name, nn.Linear(width, width))

    def forward(self, x, causal):
        batch, length, width = x.shape
        weight = torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight])
        bias = torch.cat([self.q_proj.bias, self.k_proj.bias, self.v_proj.bias])
        q, k, v = F.linear(x, weight, bias).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        with torch.autocast("cpu", enabled=False):  # written out: several times as fast as torch's own on a CPU in bf16
            scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
            if causal:
                scores = scores + torch.full((length, length), -1e4, dtype=q.dtype).triu(1)
            x = torch.softmax(scores, -1) @ v
        return self.out_proj(x.transpose(1, 2).reshape(batch, length, width))


class Mlp(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x):
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x))


class Layer(nn.Module):
    def __init__(self, width, hidden, heads):
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(width)
        self.self_attn = Attention(width, heads)
        self.layer_norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, hidden)

    def forward(self, x, causal):
        x = x + self.self_attn(self.layer_norm1(x), causal)
        return x + self.mlp(self.layer_norm2(x))


class Encoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        sizes = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
        self.layers = nn.ModuleList(Layer(*sizes) for _ in range(config["num_hidden_layers"]))

    def forward(self, x, causal=False):
        for layer in self.layers:
            x = layer(x, causal)
        return x


class TextModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = config["hidden_size"]
        self.embeddings = nn.ModuleDict({
            "token_embedding": nn.Embedding(config["vocab_size"], width),
            "position_embedding": nn.Embedding(config["max_position_embeddings"], width),
        })  # fmt: skip
        self.encoder = Encoder(config)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, ids, ends):
        positions = self.embeddings["position_embedding"].weight[: ids.shape[1]]
        x = self.encoder(self.embeddings["token_embedding"](ids) + positions, causal=True)
        return self.final_layer_norm(x[torch.arange(len(ids)), ends])


class VisionEmbeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        width, patch = config["hidden_size"], config["patch_size"]
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.patch_embedding = nn.Conv2d(3, width, patch, patch, bias=False)
        self.position_embedding = nn.Embedding((config["image_size"] // patch) ** 2 + 1, width)

    def forward(self, pixels, keep=None):
        """Tokens of the patches, class token first; `keep` (batch x k patch numbers) drops all other patches."""
        patch = self.patch_embedding.kernel_size[0]
        batch, _, side, _ = pixels.shape
        grid = side // patch
        x = pixels.view(batch, 3, grid, patch, grid, patch).permute(0, 2, 4, 1, 3, 5).reshape(batch, grid * grid, -1)
        positions = self.position_embedding.weight
        if keep is not None:
            x = x.gather(1, keep[..., None].expand(-1, -1, x.shape[2]))
            x = F.linear(x, self.patch_embedding.weight.flatten(1)) + positions[1:][keep]
        else:
            x = F.linear(x, self.patch_embedding.weight.flatten(1)) + positions[1:]
        first = (self.class_embedding + positions[0]).expand(batch, 1, -1)
        return torch.cat([first.to(x.dtype), x], 1)


class VisionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embeddings = VisionEmbeddings(config)
        self.pre_layrnorm = nn.LayerNorm(config["hidden_size"])
        self.encoder = Encoder(config)
        self.post_layernorm = nn.LayerNorm(config["hidden_size"])

    def forward(self, pixels, keep=None):
        """(pooled output, tokens of the kept patches)."""
        x = self.encoder(self.pre_layrnorm(self.embeddings(pixels, keep)))
        x = self.post_layernorm(x)
        return x[:, 0], x[:, 1:]


class Clip(nn.Module):
    def __init__(self, vocabulary, shape):
        super().__init__()
        self.text_config, self.vision_config = shape.text(vocabulary), shape.vision()
        self.text_model = TextModel(self.text_config)
        self.vision_model = VisionModel(self.vision_config)
        self.visual_projection = nn.Linear(shape.width, shape.projection, bias=False)
        self.text_projection = nn.Linear(shape.text_width, shape.projection, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(27.0)))
        _initialise(self, shape)

    def embed_text(self, ids, ends):
        return F.normalize(self.text_projection(self.text_model(ids, ends)).float(), dim=-1)

    def embed_pictures(self, pixels, keep=None):
        """(unit embeddings, patch tokens)."""
        pooled, tokens = self.vision_model(pixels, keep)
        return F.normalize(self.visual_projection(pooled).float(), dim=-1), tokens


def _initialise(clip, shape):
    for module in clip.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
    for tower in (clip.text_model, clip.vision_model):
        layers = tower.encoder.layers
        for layer in layers:
            for linear in (layer.self_attn.out_proj, layer.mlp.fc2):
                linear.weight.data.mul_((2 * len(layers)) ** -0.5)
    nn.init.normal_(clip.text_model.embeddings["token_embedding"].weight, std=0.3)
    nn.init.normal_(clip.vision_model.embeddings.class_embedding, std=0.3)
    embeddings = clip.vision_model.embeddings
    embeddings.patch_embedding.weight.data.copy_(_cosine_filters(shape.width, PATCH_SIZE))
    grid = IMAGE_SIZE // PATCH_SIZE
    frequencies = _frequencies(shape.width)
    embeddings.position_embedding.weight.data[1:] = _waves(grid, frequencies)
    embeddings.position_embedding.weight.data[0] = 0
    generator = torch.Generator().manual_seed(shape.seed)
    for depth, layer in enumerate(clip.vision_model.encoder.layers):
        _look_around(layer.self_attn, frequencies, 1 + (depth + 1) // 3, generator)


def _cosine_filters(width, patch):
    """The patch embedding starts as a discrete cosine transform of brightness and two opponent colours.

    It loses nothing where width allows, and low frequencies come first, in order of their sum.
    """
    k = torch.arange(patch)
    basis = torch.cos(math.pi * (k[None] + 0.5) * k[:, None] / patch) * (2 / patch) ** 0.5
    basis[0] *= 0.5**0.5
    opponents = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [0.5, 0.5, -1.0]])
    opponents = opponents / opponents.norm(dim=1, keepdim=True)
    order = sorted((u + v + 0.5 * (c > 0), c, u, v) for u in range(patch) for v in range(patch) for c in range(3))[
        :width
    ]
    filters = [opponents[c][:, None, None] * basis[v][:, None] * basis[u][None] for _, c, u, v in order]
    gains = [0.15 if u == v == 0 else 0.5 for _, _, u, v in order]
    return torch.stack([f * g for f, g in zip(filters, gains)])


def _frequencies(width):
    """Wave numbers (radians per patch) of the position embedding, a quarter of the width of them for each axis."""
    return 2 * math.pi / torch.logspace(math.log2(2.5), math.log2(30), width // 4, base=2)


def _waves(grid, frequencies):
    """sin and cos of both coordinates: columns are (x sin, x cos, y sin, y cos) for each frequency in turn."""
    y, x = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    waves = [wave(axis.reshape(-1, 1) * frequencies) for axis in (x, y) for wave in (torch.sin, torch.cos)]
    return torch.stack(waves, -1).flatten(1)


def _look_around(attention, frequencies, reach, generator):
    """Queries and keys start so that each head looks at the patch at one offset, as a convolution's taps do.

    A small transformer has few pictures to find out that neighbours matter. The wave of a shifted position is the wave
    turned by an angle, so a query turned by minus that angle meets its largest product at the wanted offset.
    """
    width, heads = attention.q_proj.weight.shape[0], attention.heads
    pairs = width // heads // 4  # frequencies per axis in one head
    attention.q_proj.weight.data.normal_(std=0.02, generator=generator)
    attention.k_proj.weight.data.normal_(std=0.02, generator=generator)
    for head in range(heads):
        offset = torch.randint(-reach, reach + 1, (2,), generator=generator)
        chosen = torch.linspace(0, len(frequencies) - 1, pairs).round().long()
        for number, f in enumerate(chosen.tolist()):
            for axis in range(2):
                row, column = head * (width // heads) + 4 * number + 2 * axis, 4 * f + 2 * axis
                angle = float(frequencies[f] * offset[axis])
                turn = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
                attention.q_proj.weight.data[row : row + 2, column : column + 2] = 1.3 * turn
                attention.k_proj.weight.data[row : row + 2, column : column + 2] = 1.3 * torch.eye(2)
