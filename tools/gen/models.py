#!/usr/bin/env python3
"""Write the models of the runtime bench, and small ones for tests, as ONNX files.

    python3 tools/gen/models.py DIR                       all models, TorchScript exporter, batch 1
    python3 tools/gen/models.py DIR --exporter dynamo     the exporter on torch.export
    python3 tools/gen/models.py DIR --batch free resnet18 bert_base

DIR gets NAME-EXPORTER.onnx (NAME-EXPORTER-free.onnx with a free batch) and, for every input and output by its name,
NAME.VALUE.npy: a sample of one, and what PyTorch answers to it. Weights are random but the same at every run, so both
exporters' files of one name agree with the same arrays.

Needs torch, torchvision, onnx, onnxscript and numpy.
"""
import argparse
import collections
import inspect
import pathlib
import sys
import traceback
import warnings

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

Spec = collections.namedtuple("Spec", "module inputs outputs")


class BertLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.dense = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-12) for _ in range(2))

    def forward(self, x, mask):
        def split(t):
            return t.view(t.shape[0], t.shape[1], self.heads, -1).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        scores = q @ k.transpose(-1, -2) / (q.shape[-1] ** 0.5) + mask
        context = (scores.softmax(-1) @ v).transpose(1, 2).reshape(x.shape)
        x = self.norm1(x + self.dense(context))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class Bert(nn.Module):
    """An encoder as in BERT, with a pooled classifier of two classes."""

    def __init__(self, vocabulary=30522, width=768, heads=12, layers=12, positions=512):
        super().__init__()
        self.word = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(positions, width)
        self.segment = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layer = nn.ModuleList(BertLayer(width, heads) for _ in range(layers))
        self.pooler, self.classifier = nn.Linear(width, width), nn.Linear(width, 2)

    def forward(self, input_ids, attention_mask):
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        segments = torch.zeros_like(input_ids)
        x = self.norm(self.word(input_ids) + self.position(places) + self.segment(segments))
        mask = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * -10000.0
        for layer in self.layer:
            x = layer(x, mask)
        return x, self.classifier(torch.tanh(self.pooler(x[:, 0])))


class Recurrent(nn.Module):
    def __init__(self, kind, inputs, hidden, layers, classes, **options):
        super().__init__()
        self.cell = kind(inputs, hidden, layers, batch_first=True, **options)
        self.head = nn.Linear(hidden * (2 if options.get("bidirectional") else 1), classes)

    def forward(self, input):
        states, _ = self.cell(input)
        return self.head(states[:, -1])


def small_cnn():
    """What a textbook has: two convolutions with norms, pooling, and two dense layers."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 7 * 7, 32), nn.ReLU(), nn.Linear(32, 10))


def mlp():
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3), nn.Softmax(-1))


def picture(size=224, channels=3):
    return lambda n: {"input": torch.randn(n, channels, size, size)}


def tokens(vocabulary, length, padding):
    def make(n):
        mask = torch.ones(n, length, dtype=torch.int64)
        mask[:, length - padding:] = 0
        return {"input_ids": torch.randint(0, vocabulary, (n, length)), "attention_mask": mask}
    return make


def rows(*shape):
    return lambda n: {"input": torch.randn(n, *shape)}


def vision(name):
    return Spec(lambda: getattr(torchvision.models, name)(weights=None), picture(), ["output"])


MODELS = {
    **{name: vision(name) for name in (
        "resnet18", "resnet50", "vgg16", "mobilenet_v2", "efficientnet_b0", "densenet121", "vit_b_16", "swin_t")},
    "bert_base": Spec(Bert, tokens(30522, 128, 16), ["states", "output"]),
    "lstm": Spec(lambda: Recurrent(nn.LSTM, 256, 256, 2, 10), rows(128, 256), ["output"]),
    "mlp": Spec(mlp, rows(4), ["output"]),
    "small_cnn": Spec(small_cnn, picture(28, 1), ["output"]),
    "small_bert": Spec(lambda: Bert(100, 32, 4, 2, 32), tokens(100, 16, 3), ["states", "output"]),
    "small_gru": Spec(lambda: Recurrent(nn.GRU, 8, 16, 1, 3, bidirectional=True), rows(12, 8), ["output"]),
    "mobilenet_v3_small": vision("mobilenet_v3_small"),
    "shufflenet_v2": Spec(lambda: torchvision.models.shufflenet_v2_x1_0(weights=None), picture(), ["output"]),
    "squeezenet": Spec(lambda: torchvision.models.squeezenet1_1(weights=None), picture(), ["output"]),
    "convnext_tiny": vision("convnext_tiny"),
}


def randomise(module, inputs):
    """Statistics as if trained: those of a random batch, shaken. Parameters that start as zeros get values, or whole
    branches would compute nothing."""
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.02)
        for norm in norms:
            norm.weight.uniform_(0.7, 1.3)
            norm.bias.normal_(0, 0.1)
            norm.momentum = None
        if norms:
            module.train()
            for part in module.modules():
                if isinstance(part, (nn.Dropout, torchvision.ops.StochasticDepth)):
                    part.eval()
            module(*inputs.values())
        for norm in norms:
            norm.running_mean += 0.1 * torch.randn_like(norm.running_mean) * norm.running_var.sqrt()
            norm.running_var *= torch.empty_like(norm.running_var).uniform_(0.8, 1.25)
    return module.eval()


def export(module, inputs, outputs, path, options):
    free = options.batch == "free"
    arguments = {"input_names": list(inputs), "output_names": outputs}
    if options.exporter == "script":
        arguments |= {"dynamo": False, "opset_version": options.opset or 17}
        if free:
            arguments["dynamic_axes"] = {name: {0: "batch"} for name in [*inputs, *outputs]}
    else:
        arguments |= {"dynamo": True, "external_data": options.external, "optimize": True, "verbose": False}
        if options.opset:
            arguments["opset_version"] = options.opset
        if free:
            batch = torch.export.Dim("batch")
            arguments["dynamic_shapes"] = tuple({0: batch} for _ in inputs)
    known = inspect.signature(torch.onnx.export).parameters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, tuple(inputs.values()), str(path),
                          **{key: value for key, value in arguments.items() if key in known})


def write(name, folder, options):
    spec = MODELS[name]
    torch.manual_seed(1)
    module = randomise(spec.module(), spec.inputs(8))
    sample = spec.inputs(1)
    with torch.no_grad():
        answer = module(*sample.values())
    answer = answer if isinstance(answer, tuple) else (answer,)
    for value, tensor in [*sample.items(), *zip(spec.outputs, answer)]:
        np.save(folder / f"{name}.{value}.npy", tensor.numpy())
    path = folder / f"{name}-{options.exporter}{'-free' if options.batch == 'free' else ''}.onnx"
    # a batch of one in the example would be taken for a constant where the batch shall be free
    export(module, spec.inputs(2) if options.batch == "free" else sample, spec.outputs, path, options)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, answer {float(answer[-1].std()):.3g} +- around "
          f"{float(answer[-1].mean()):.3g}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MODELS)}; default: all")
    parser.add_argument("--exporter", choices=["script", "dynamo"], default="script")
    parser.add_argument("--batch", choices=["1", "free"], default="1")
    parser.add_argument("--opset", type=int, help="default: 17 for script, the exporter's own for dynamo")
    parser.add_argument("--external", action="store_true", help="dynamo: weights into a file of their own")
    options = parser.parse_intermixed_args()
    unknown = sorted(set(options.names) - set(MODELS))
    if unknown:
        parser.error(f"no model {', '.join(unknown)}; there are: {', '.join(MODELS)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in options.names or MODELS:
        try:
            write(name, options.folder, options)
        except Exception:
            failed += 1
            traceback.print_exc()
            print(f"{name}: not written", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
