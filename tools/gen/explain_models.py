#!/usr/bin/env python3
"""Write the models that explanations are compared on, with their weights and samples.

    python3 tools/gen/explain_models.py DIR                      all of them, for the comparison of algorithms
    python3 tools/gen/explain_models.py DIR --size speed vgg16   one of them, at the size that is timed

DIR gets NAME-SIZE.onnx with one sample as batch, NAME-SIZE.pt with the very same weights for PyTorch, and the first
sample of every input as NAME-SIZE.INPUT.npy. Weights are random and the same at every run.

Some names are twins of others, made because Captum cannot see into what they replace: NAME_lrp has one ReLU module per
use and adds with Captum's Addition_Module; NAME_deeplift has averages in place of max-pools and ReLU in place of ReLU6
too; NAME_nobias has no biases, those of batch norms included. Batch norms stay nodes of their own in every file.

Needs torch, torchvision, captum, onnx and numpy.
"""
import argparse
import collections
import copy
import math
import pathlib
import warnings

import numpy as np
import torch
import torchvision
from captum.attr._utils.custom_modules import Addition_Module
from torch import nn
from torch.nn import functional as F
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.resnet import BasicBlock

import models as zoo

# layer: what conductance and internal influence stop at; cam: what class activation maps look at; target: the output
# that is explained; inputs: of the ONNX file, the explained one first
Spec = collections.namedtuple("Spec", "build sample layer cam target")
Spec.__new__.__defaults__ = (None, None, 3)

SIZES = {"small": {"image": 64, "tokens": 16, "steps": 32}, "speed": {"image": 224, "tokens": 128, "steps": 128}}
VOCABULARY = 30522


class Vgg16(nn.Module):
    """VGG-16 for any image whose side is a multiple of 32, without the adaptive pool in front of its classifier."""

    def __init__(self, side):
        super().__init__()
        self.features = torchvision.models.vgg16(weights=None).features
        wide = 512 * (side // 32) ** 2
        self.classifier = nn.Sequential(
            nn.Linear(wide, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(),
            nn.Linear(4096, 1000))
        for layer in self.classifier:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight)  # torchvision's start gives answers as small as stabilisers

    def forward(self, input):
        return self.classifier(torch.flatten(self.features(input), 1))


class FromTokens(nn.Module):
    """Models that begin with an embedding: `embed` makes it, `after` goes on from it."""

    def forward(self, input_ids, *rest):
        return self.after(self.embed(input_ids), *rest)


class Bert(FromTokens):
    def __init__(self):
        super().__init__()
        self.body = zoo.Bert(VOCABULARY)

    def embed(self, input_ids):
        return self.body.word(input_ids)

    def after(self, x, attention_mask):
        body, length = self.body, x.shape[1]
        x = body.norm(x + body.position.weight[:length] + body.segment.weight[0])
        mask = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * -10000.0
        for layer in body.layer:
            x = layer(x, mask)
        return body.classifier(torch.tanh(body.pooler(x[:, 0])))


class States(nn.Module):
    """One LSTM layer, states only, so that it is a layer that can be named."""

    def __init__(self, inputs, hidden):
        super().__init__()
        self.cell = nn.LSTM(inputs, hidden, 1, batch_first=True)

    def forward(self, input):
        return self.cell(input)[0]


class Lstm(nn.Module):
    def __init__(self, inputs=256, hidden=256, classes=10):
        super().__init__()
        self.first, self.second = States(inputs, hidden), States(hidden, hidden)
        self.head = nn.Linear(hidden, classes)

    def forward(self, input):
        return self.head(self.second(self.first(input))[:, -1])


class TokenLstm(FromTokens):
    def __init__(self, vocabulary=10000, width=256):
        super().__init__()
        self.word = nn.Embedding(vocabulary, width)
        self.body = Lstm(width)

    def embed(self, input_ids):
        return self.word(input_ids)

    def after(self, x):
        return self.body(x)


class Plain:
    """The operations of an encoder; explain_peers has others that know relevance."""

    linear = staticmethod(lambda layer, x: layer(x))
    conv = staticmethod(lambda layer, x: layer(x))
    norm = staticmethod(lambda layer, x: layer(x))
    add = staticmethod(torch.add)
    matmul = staticmethod(torch.matmul)
    softmax = staticmethod(lambda x: x.softmax(-1))
    scale = staticmethod(lambda x, by: x * by)
    curve = staticmethod(lambda function, x: function(x))


class EncoderBlock(nn.Module):
    """Norms before (as in ViT) or behind (as in BERT) attention and the dense pair."""

    def __init__(self, width, heads, before, eps):
        super().__init__()
        self.heads, self.before, self.ops = heads, before, Plain
        self.query, self.key, self.value, self.dense = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=eps) for _ in range(2))

    def attend(self, x, mask):
        ops = self.ops

        def split(layer):
            return ops.linear(layer, x).view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

        q, k, v = split(self.query), split(self.key), split(self.value)
        scores = ops.scale(ops.matmul(q, k.transpose(-1, -2)), 1 / math.sqrt(q.shape[-1]))
        if mask is not None:
            scores = ops.add(scores, mask)
        context = ops.matmul(ops.softmax(scores), v).transpose(1, 2).reshape(x.shape)
        return ops.linear(self.dense, context)

    def mix(self, x):
        return self.ops.linear(self.down, self.ops.curve(F.gelu, self.ops.linear(self.up, x)))

    def forward(self, x, mask=None):
        ops = self.ops
        if self.before:
            x = ops.add(x, self.attend(ops.norm(self.norm1, x), mask))
            return ops.add(x, self.mix(ops.norm(self.norm2, x)))
        x = ops.norm(self.norm1, ops.add(x, self.attend(x, mask)))
        return ops.norm(self.norm2, ops.add(x, self.mix(x)))


class SmallVit(nn.Module):
    def __init__(self, side=64, patch=16, channels=3, width=192, heads=3, blocks=2, classes=10):
        super().__init__()
        self.ops = Plain
        self.patches = nn.Conv2d(channels, width, patch, patch)
        self.start = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(torch.zeros(1, (side // patch) ** 2 + 1, width))
        self.blocks = nn.ModuleList(EncoderBlock(width, heads, True, 1e-6) for _ in range(blocks))
        self.norm, self.head = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, classes)

    def forward(self, input):
        x = self.ops.conv(self.patches, input).flatten(2).transpose(1, 2)
        x = torch.cat([self.start.expand(x.shape[0], -1, -1), x], 1)
        x = self.ops.add(x, self.position.expand(x.shape[0], -1, -1))
        for block in self.blocks:
            x = block(x)
        return self.ops.linear(self.head, self.ops.norm(self.norm, x)[:, 0])


class SmallBert(FromTokens):
    def __init__(self, vocabulary=1000, width=192, heads=3, blocks=2, positions=16, classes=2):
        super().__init__()
        self.ops = Plain
        self.word = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.zeros(1, positions, width))
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.blocks = nn.ModuleList(EncoderBlock(width, heads, False, 1e-12) for _ in range(blocks))
        self.pooler, self.classifier = nn.Linear(width, width), nn.Linear(width, classes)

    def embed(self, input_ids):
        return self.word(input_ids)

    def after(self, x):
        x = self.ops.norm(self.norm, self.ops.add(x, self.position.expand(x.shape[0], -1, -1)))
        for block in self.blocks:
            x = block(x)
        return self.ops.linear(self.classifier, self.ops.curve(torch.tanh, self.ops.linear(self.pooler, x[:, 0])))


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.conv2, self.norm2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.relu1, self.relu2, self.plus = nn.ReLU(), nn.ReLU(), Addition_Module()

    def forward(self, x):
        y = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))
        return self.relu2(self.plus(y, x))


class SmallCnn(nn.Module):
    """All that Captum's relevance knows: convolutions, batch norms, max-pool, a residual, a dense layer."""

    def __init__(self, side=12, channels=2, width=8, classes=4, pool=nn.MaxPool2d):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width)
        self.relu, self.pool, self.block = nn.ReLU(), pool(2), ResidualBlock(width)
        self.head = nn.Linear(width * (side // 2) ** 2, classes)

    def forward(self, input):
        x = self.block(self.pool(self.relu(self.norm(self.conv(input)))))
        return self.head(torch.flatten(x, 1))


def separate_relus(module):
    """One ReLU of its own for every use, none in place."""
    for name, child in module.named_children():
        if isinstance(child, (nn.ReLU, nn.ReLU6)):
            setattr(module, name, type(child)())
        else:
            separate_relus(child)


def no_longer_in_place(module):
    for part in module.modules():
        if isinstance(part, (nn.ReLU, nn.ReLU6)):
            part.inplace = False
    return module


def basic_block(self, x):
    y = self.relu(self.bn1(self.conv1(x)))
    y = self.bn2(self.conv2(y))
    return self.relu2(self.plus(y, x if self.downsample is None else self.downsample(x)))


def inverted_residual(self, x):
    return self.plus(x, self.conv(x)) if self.use_res_connect else self.conv(x)


def lrp_twin(module):
    separate_relus(module)
    for part in module.modules():
        if isinstance(part, BasicBlock):
            part.relu2, part.plus = nn.ReLU(), Addition_Module()
            part.forward = basic_block.__get__(part)
        elif isinstance(part, InvertedResidual):
            part.plus = Addition_Module()
            part.forward = inverted_residual.__get__(part)
    return module


def replace(module, kind, make):
    for name, child in module.named_children():
        if isinstance(child, kind):
            setattr(module, name, make(child))
        else:
            replace(child, kind, make)
    return module


def deeplift_twin(module):
    replace(module, nn.ReLU6, lambda _: nn.ReLU())
    replace(module, nn.MaxPool2d, lambda pool: nn.AvgPool2d(pool.kernel_size, pool.stride, pool.padding))
    return lrp_twin(module)


def without_biases(module):
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.zero_()
            if getattr(part, "bias", None) is not None and isinstance(part.bias, torch.Tensor):
                part.bias.zero_()
    return module


def picture(side, channels=3):
    return lambda rng: {"input": rng.standard_normal((1, channels, side, side)).clip(-3, 3).astype(np.float32)}


def rows(*shape):
    return lambda rng: {"input": rng.standard_normal((1, *shape)).astype(np.float32)}


def tokens(vocabulary, length, padding=None):
    def make(rng):
        feed = {"input_ids": rng.integers(1, vocabulary, (1, length))}
        if padding is not None:
            feed["attention_mask"] = np.ones((1, length), np.int64)
            feed["attention_mask"][:, length - padding:] = 0
        return feed
    return make


def vision(name, size):
    return no_longer_in_place(getattr(torchvision.models, name)(weights=None))


def vit(size):
    return torchvision.models.vision_transformer._vision_transformer(
        16, 12, 12, 768, 3072, weights=None, progress=False, image_size=size["image"])


MODELS = {
    "resnet18": Spec(lambda s: vision("resnet18", s), lambda s: picture(s["image"]), "layer3", "layer4"),
    "resnet50": Spec(lambda s: vision("resnet50", s), lambda s: picture(s["image"]), "layer3", "layer4"),
    "vgg16": Spec(lambda s: no_longer_in_place(Vgg16(s["image"])), lambda s: picture(s["image"]), "features.16",
                  "features.28"),
    "mobilenet_v2": Spec(lambda s: vision("mobilenet_v2", s), lambda s: picture(s["image"]), "features.10",
                         "features.18"),
    "vit_b_16": Spec(vit, lambda s: picture(s["image"]), "encoder.layers.encoder_layer_5"),
    "bert_base": Spec(lambda s: Bert(), lambda s: tokens(VOCABULARY, s["tokens"], 2), "body.layer.5", target=1),
    "lstm": Spec(lambda s: Lstm(), lambda s: rows(s["steps"], 256), "second"),
    "token_lstm": Spec(lambda s: TokenLstm(), lambda s: tokens(10000, s["steps"]), "body.second"),
    "attn_vit": Spec(lambda s: SmallVit(), lambda s: picture(64), "blocks.0"),
    "attn_bert": Spec(lambda s: SmallBert(), lambda s: tokens(1000, 16), "blocks.0", target=1),
    "small_cnn": Spec(lambda s: zoo.small_cnn(), lambda s: picture(28, 1), "4", "4"),
}
TWINS = {"lrp": (lrp_twin, ("resnet18", "vgg16")),
         "deeplift": (deeplift_twin, ("resnet18", "vgg16", "mobilenet_v2")),
         "nobias": (without_biases, ("resnet18", "vgg16", "mobilenet_v2"))}
NAMES = [*MODELS, *(f"{name}_{twin}" for twin, (_, of) in TWINS.items() for name in of)]


def spec_of(name):
    base = name if name in MODELS else name.rpartition("_")[0]
    return MODELS[base]


def sample(name, size="small", seed=0):
    """One sample of every input, the explained one first: {input: array}."""
    return spec_of(name).sample(SIZES[size])(np.random.default_rng(1000 + seed))


def feed_of(arrays):
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def skeleton(name, size):
    """The module with random weights, and what makes a twin of it."""
    twin = name.rpartition("_")[2] if name not in MODELS else None
    return spec_of(name).build(SIZES[size]), TWINS[twin][0] if twin else None


def make(name, size="small"):
    """The module as it is exported: random weights, statistics as if trained."""
    torch.manual_seed(1)
    module, twin = skeleton(name, size)
    batch = [torch.cat([feed_of(sample(name, size, -1 - i))[key] for i in range(8)]) for key in sample(name, size)]
    zoo.randomise(module, dict(enumerate(batch)))
    # zoo.randomise gives values to parameters that are zeros; twins come last, so that all twins of a net share weights
    return (twin(module) if twin else module).eval()


def stem(name, size):
    return f"{name}-{size}"


def load(folder, name, size="small"):
    """The module in float32 with the weights of the file."""
    module, twin = skeleton(name, size)
    module = twin(module) if twin else module
    module.load_state_dict(torch.load(pathlib.Path(folder) / f"{stem(name, size)}.pt", weights_only=True))
    for part in module.modules():
        if hasattr(part, "eps"):
            part.eps = float(np.float32(part.eps))  # as the file has it
    return module.eval().requires_grad_(False)


def export(module, arrays, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # PRESERVE leaves batch norms as they are; opset 20 has Gelu, whose constants would otherwise be float32
        torch.onnx.export(copy.deepcopy(module), tuple(feed_of(arrays).values()), str(path), dynamo=False,
                          opset_version=20, input_names=list(arrays), output_names=["output"],
                          training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=True)


def write(folder, name, size):
    module, arrays = make(name, size), sample(name, size)
    base = pathlib.Path(folder) / stem(name, size)
    export(module, arrays, base.with_suffix(".onnx"))
    torch.save(module.state_dict(), base.with_suffix(".pt"))
    for key, array in arrays.items():
        np.save(f"{base}.{key}.npy", array)
    with torch.no_grad():
        answer = module(*feed_of(arrays).values())
    print(f"{base}.onnx: {base.with_suffix('.onnx').stat().st_size / 1e6:.1f} MB, answers around "
          f"{float(answer.mean()):.3g} +- {float(answer.std()):.3g}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; default: all")
    parser.add_argument("--size", choices=SIZES, default="small", help="small: 64x64 images; speed: 224x224")
    options = parser.parse_intermixed_args()
    unknown = sorted(set(options.names) - set(NAMES))
    if unknown:
        parser.error(f"no model {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.names or NAMES:
        write(options.folder, name, options.size)


if __name__ == "__main__":
    main()
