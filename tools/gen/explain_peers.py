"""What Captum, Zennit and lxt answer to a question, as tests/bench/compare_explainers.py and explain_golden.py ask it.

`ask(question, module, feed, baselines)` takes a Question, a PyTorch module in any precision, {input: array} with the
explained input first, and the samples that gradient_shap draws its baselines from. It answers a map as an array, and
for gradient_shap the draws too. Inputs of integers are explained at the module's embedding, whole.

Needs torch, captum, zennit, lxt and numpy.
"""
import collections
import contextlib
import copy
import importlib.util
import warnings

import captum.attr as captum
import lxt.explicit.functional as relevance
import lxt.explicit.rules as relevance_rules
import numpy as np
import torch
import zennit.canonizers
import zennit.composites
import zennit.layer
import zennit.torchvision
from torch import nn
from zennit.attribution import Gradient
from zennit.rules import Epsilon

import explain_models as zoo


def rules_of_lxt_efficient():
    """lxt.efficient as a whole wants parts of transformers that newer versions do not have; its rules need none."""
    folder = importlib.util.find_spec("lxt").submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location("lxt_efficient_rules", f"{folder}/efficient/rules.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


efficient = rules_of_lxt_efficient()

# peer: captum, zennit, lxt or lxt-explicit; method and settings as the command names them; layer: module path, for what stops there
Question = collections.namedtuple("Question", "peer method settings layer target")
Question.__new__.__defaults__ = ({}, None, 0)

BATCH = 10  # points of a path at once: the answers are the same for any
SHAP_SAMPLES, SHAP_BASELINES = 20, 5


class AfterEmbedding(nn.Module):
    """Of a model that begins with an embedding, all behind it."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x, *rest):
        return self.module.after(x, *rest)


class Asked:
    """A question with its module and tensors laid out as the peers want them."""

    def __init__(self, question, module, feed, baselines):
        kind = next(iter(module.parameters())).dtype
        tensors = [t.to(kind) if t.is_floating_point() else t for t in zoo.feed_of(feed).values()]
        self.question, self.target = question, question.target
        self.net = module
        self.layer = self.net.get_submodule(question.layer) if question.layer else None
        self.x, self.rest = tensors[0], tuple(tensors[1:])
        self.baselines = torch.from_numpy(baselines) if baselines is not None else None
        if isinstance(self.net, zoo.FromTokens):
            with torch.no_grad():
                self.x = self.net.embed(self.x)
                if self.baselines is not None:
                    self.baselines = self.net.embed(self.baselines)
            self.net = AfterEmbedding(self.net)
        if self.baselines is not None:
            self.baselines = self.baselines.to(kind)
        self.common = {"target": self.target, "additional_forward_args": self.rest or None}
        self.path = {**self.common, "n_steps": int(question.settings.get("steps", 50)), "method": "gausslegendre",
                     "internal_batch_size": question.settings.get("batch", BATCH)}


@contextlib.contextmanager
def recorded_draws():
    """Captum draws baselines with numpy.random.choice and places on the path with numpy.random.uniform."""
    drawn, kept = {}, (np.random.choice, np.random.uniform)

    def choice(*arguments, **options):
        drawn["index"] = np.asarray(kept[0](*arguments, **options), np.int64)
        return drawn["index"]

    def uniform(*arguments, **options):
        drawn["alpha"] = np.asarray(kept[1](*arguments, **options), np.float64)
        return drawn["alpha"]

    np.random.choice, np.random.uniform = choice, uniform
    np.random.seed(7)
    try:
        yield drawn
    finally:
        np.random.choice, np.random.uniform = kept


def gradient_shap(a):
    with recorded_draws() as drawn:
        values = captum.GradientShap(a.net).attribute(a.x, baselines=a.baselines, n_samples=SHAP_SAMPLES, stdevs=0.0,
                                                      **a.common)
    return values, {"alpha": drawn["alpha"], "index": drawn["index"]}


def lrp(a):
    return captum.LRP(a.net).attribute(a.x, **a.common)


CAPTUM = {
    "saliency": lambda a: captum.Saliency(a.net).attribute(a.x, **a.common),
    "input_x_gradient": lambda a: captum.InputXGradient(a.net).attribute(a.x, **a.common),
    "ig": lambda a: captum.IntegratedGradients(a.net).attribute(a.x, **a.path),
    "gradient_shap": gradient_shap,
    "conductance": lambda a: captum.LayerConductance(a.net, a.layer).attribute(a.x, **a.path),
    "internal_influence": lambda a: captum.InternalInfluence(a.net, a.layer).attribute(a.x, **a.path),
    "guided_backprop": lambda a: captum.GuidedBackprop(a.net).attribute(a.x, **a.common),
    "deconvnet": lambda a: captum.Deconvolution(a.net).attribute(a.x, **a.common),
    "gradcam": lambda a: captum.LayerGradCam(a.net, a.layer).attribute(a.x, **a.common),
    "lrp": lrp,
    "deeplift": lambda a: captum.DeepLift(a.net).attribute(a.x, **a.common),
}

COMPOSITES = {
    "eps": lambda a, c: zennit.composites.LayerMapComposite(
        zennit.composites.layer_map_base() + [(nn.modules.conv._ConvNd, Epsilon()), (nn.Linear, Epsilon())],
        canonizers=c),
    "epsplus": lambda a, c: zennit.composites.EpsilonPlus(canonizers=c),
    "epsplus_flat": lambda a, c: zennit.composites.EpsilonPlusFlat(canonizers=c),
    "ab": lambda a, c: zennit.composites.EpsilonAlpha2Beta1(canonizers=c),
    "gamma_box": lambda a, c: zennit.composites.EpsilonGammaBox(
        torch.full_like(a.x, float(a.question.settings["low"])),
        torch.full_like(a.x, float(a.question.settings["high"])), canonizers=c),
}


def summed_block(self, x):
    y = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))
    return self.relu2(self.summed(torch.stack([y, x], -1)))


class ResidualCanonizer(zennit.canonizers.AttributeCanonizer):
    """Zennit sees an addition only as a module over stacked addends."""

    def __init__(self):
        super().__init__(lambda name, part: {"forward": summed_block.__get__(part), "summed": zennit.layer.Sum()}
                         if isinstance(part, zoo.ResidualBlock) else None)

    def copy(self):
        return ResidualCanonizer()


def from_zennit(a):
    residual = any(isinstance(part, zoo.BasicBlock) for part in a.net.modules())
    canonizers = [zennit.torchvision.ResNetCanonizer() if residual else zennit.torchvision.VGGCanonizer(),
                  ResidualCanonizer()]
    composite = COMPOSITES[a.question.settings["rules"]](a, canonizers)

    def start(output):
        only = torch.zeros_like(output)
        only[:, a.target] = output.detach()[:, a.target]
        return only

    with Gradient(a.net, composite) as attributor:
        return attributor(a.x, start)[1]


class Relevance:
    """The operations of explain_models.Plain with the rules of lxt.explicit as their derivatives."""

    linear = staticmethod(lambda layer, x: relevance.linear_epsilon(x, layer.weight, layer.bias))
    conv = staticmethod(lambda layer, x: relevance_rules.epsilon_lrp(layer, 1e-6, x))
    norm = staticmethod(lambda layer, x: relevance.layer_norm(x, layer.weight, layer.bias, layer.eps))
    add = staticmethod(relevance.add2)
    matmul = staticmethod(relevance.matmul)
    softmax = staticmethod(lambda x: relevance.softmax(x, -1))
    scale = staticmethod(relevance.mul2)
    curve = staticmethod(relevance_rules.identity)


def detached_norm(layer, x):
    centred = x - x.mean(-1, keepdim=True)
    deviation = ((centred ** 2).mean(-1, keepdim=True) + layer.eps).sqrt()
    return centred / efficient.stop_gradient(deviation) * layer.weight + layer.bias


class ByGradient(zoo.Plain):
    """The same by the rules of lxt.efficient: derivatives whose product with the input is relevance."""

    norm = staticmethod(detached_norm)
    matmul = staticmethod(lambda a, b: efficient.divide_gradient(torch.matmul(a, b)))
    curve = staticmethod(efficient.identity_rule_implicit)


def from_lxt(a, ops, by_gradient):
    for part in a.net.modules():
        if hasattr(part, "ops"):
            part.ops = ops
    x = a.x.clone().requires_grad_()
    value = a.net(x, *a.rest)[:, a.target]
    if by_gradient:
        return torch.autograd.grad(value, x)[0] * a.x
    return torch.autograd.grad(value, x, value.detach())[0]


# lxt has its rules twice: by gradient without stabilisers, and explicit with stabilisers that have no sign
PEERS = {"captum": lambda a: CAPTUM[a.question.method](a), "zennit": from_zennit,
         "lxt": lambda a: from_lxt(a, ByGradient, True), "lxt-explicit": lambda a: from_lxt(a, Relevance, False)}


def answer(asked):
    """The map as an array, and what was drawn. An Asked may be answered again and again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = PEERS[asked.question.peer](asked)
    values, more = got if isinstance(got, tuple) else (got, {})
    return values.detach().numpy(), more


def ask(question, module, feed, baselines=None):
    return answer(Asked(question, copy.deepcopy(module), feed, baselines))
