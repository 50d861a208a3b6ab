#!/usr/bin/env python3
"""Write the golden files of tests/golden: small networks, samples, and what Captum, Zennit and lxt say about them.

    python3 tools/gen/explain_golden.py tests/golden

Everything is random and the same at every run, up to the last bits of other versions of PyTorch. MANIFEST says what
there is and which versions made it; tests/golden/test_golden.c reads it.

Needs what explain_peers.py needs.
"""
import argparse
import collections
import importlib.metadata
import pathlib
import platform

import numpy as np
import torch
from torch import nn

import explain_models as zoo
import explain_peers as peers
from explain_peers import Question

SAMPLES = 2
TOOLS = ("torch", "captum", "zennit", "lxt", "numpy", "onnx")


def mlp():
    parts = {"dense1": nn.Linear(6, 16), "relu": nn.ReLU(), "dense2": nn.Linear(16, 12), "tanh": nn.Tanh(),
             "dense3": nn.Linear(12, 4)}
    return nn.Sequential(collections.OrderedDict(parts))


# net: module, shape of one sample
NETS = {
    "cnn": (zoo.SmallCnn, (2, 12, 12)),
    "cnn_avg": (lambda: zoo.SmallCnn(pool=nn.AvgPool2d), (2, 12, 12)),
    "mlp": (mlp, (6,)),
    "lstm": (lambda: zoo.Lstm(6, 8, 3), (7, 6)),
    "vit": (lambda: zoo.SmallVit(side=8, patch=4, channels=2, width=32, heads=2, blocks=1, classes=4), (2, 8, 8)),
}
LAYERS = {"cnn": "block", "mlp": "relu", "lstm": "second", "vit": "blocks.0"}
EVERYWHERE = ("saliency", "input_x_gradient", "ig", "gradient_shap", "conductance", "internal_influence")
AT_LAYER = ("conductance", "internal_influence", "gradcam")
BOX = {"low": -3, "high": 3}


def cases():
    """Net, question, profile, tolerance in double."""
    for net in ("cnn", "mlp", "lstm", "vit"):
        for method in EVERYWHERE:
            yield net, Question("captum", method, {}, LAYERS[net] if method in AT_LAYER else None, 1), "captum", 1e-9
    for method in ("guided_backprop", "deconvnet", "gradcam", "lrp"):
        yield "cnn", Question("captum", method, {}, LAYERS["cnn"] if method in AT_LAYER else None, 1), "captum", 1e-9
    yield "mlp", Question("captum", "lrp", {}, None, 2), "captum", 1e-9
    for net in ("mlp", "cnn_avg"):
        yield net, Question("captum", "deeplift", {}, None, 1), "captum", 1e-9
    for rules in ("epsplus", "epsplus_flat", "gamma_box", "ab"):
        settings = {"rules": rules, **(BOX if rules == "gamma_box" else {})}
        yield "cnn", Question("zennit", "lrp", settings, None, 1), "zennit", 1e-9
    # lxt has no stabilisers there
    yield "vit", Question("lxt", "attnlrp", {}, None, 1), "limn", 1e-4


def make(net):
    build, shape = NETS[net]
    torch.manual_seed(len(net))
    module = zoo.zoo.randomise(build(), {"input": torch.randn(8, *shape)}).requires_grad_(False)
    rng = np.random.default_rng(11)
    return module, *(rng.standard_normal((n, *shape)).clip(-3, 3).astype(np.float32)
                     for n in (SAMPLES, peers.SHAP_BASELINES))


def answer(question, module, samples, base):
    """The maps of all samples, each asked for alone."""
    found = [peers.ask(question, module.double(), {"input": x[None]}, base) for x in samples]
    return np.concatenate([values for values, _ in found]), found[0][1]


def row(id, net, question, compat, tolerance):
    settings = " ".join(f"{key}={value}" for key, value in question.settings.items())
    return (f"{id:24}{net:9}{question.method:20}{compat:9}{question.target:6}  {question.layer or '-':9}"
            f"{tolerance:9.0e}  {settings}").rstrip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    made = {net: make(net) for net in NETS}
    arrays = {net: {"input": samples, "base": base} for net, (_, samples, base) in made.items()}
    lines = []
    for net, (module, samples, _) in made.items():
        zoo.export(module, {"input": samples[:1]}, folder / f"{net}.onnx")
    for net, question, compat, tolerance in cases():
        id = ".".join([net, question.method, *([question.settings["rules"]] if "rules" in question.settings else [])])
        values, draws = answer(question, *made[net])
        arrays[net] |= {id: values, **draws}
        lines.append(row(id, net, question, compat, tolerance))
    for net, named in arrays.items():
        np.savez(folder / f"{net}.npz", **named)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in TOOLS)
    (folder / "MANIFEST").write_text(f"""\
What other tools say about small networks with random weights, computed in double from the float32 weights in the files.
Captum is asked in profile captum, Zennit in profile zennit; attnlrp is lxt's. Made by

    python3 tools/gen/explain_golden.py tests/golden

with Python {platform.python_version()}, {versions}.

NET.onnx  the network, exported for one sample
NET.npz   `input`: {SAMPLES} samples; a map per case; `base`: what gradient_shap drew from; `alpha`, `index`: its draws

case                    net      method              profile  target  layer tolerance  settings
""" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
