"""Warm times of explanations, Limn's library beside Captum in one process: the part of compare_explainers.py that
measures."""
import contextlib
import ctypes
import json
import math
import statistics
import time

import numpy as np

TYPES = {np.dtype(np.float32): 0, np.dtype(np.float64): 1, np.dtype(np.int64): 7}


class Tensor(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("rank", ctypes.c_int), ("dim", ctypes.c_int64 * 8), ("data", ctypes.c_void_p)]


class Feed(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("tensor", Tensor)]


class Setting(ctypes.Structure):
    _fields_ = [("key", ctypes.c_char_p), ("value", ctypes.c_char_p)]


class Question(ctypes.Structure):
    """limn_question of limn/explain.h."""
    _fields_ = [(name, ctypes.c_char_p) for name in (
        "method", "target", "output", "input", "layer", "baseline", "noise", "compat")] + [
        ("setting", ctypes.POINTER(Setting)), ("settings", ctypes.c_size_t), ("label", ctypes.c_void_p),
        ("labels", ctypes.c_size_t), ("file", ctypes.c_void_p), ("files", ctypes.c_size_t), ("seed", ctypes.c_uint64),
        ("first", ctypes.c_uint64), ("after_softmax", ctypes.c_int), ("progress", ctypes.c_void_p),
        ("progress_with", ctypes.c_void_p), ("unpredicted", ctypes.c_int)]


class Session:
    """A model open in the library."""

    def __init__(self, library, model, backend, feed):
        self.library = ctypes.CDLL(str(library))
        self.library.limn_message.restype = ctypes.c_char_p
        self.device, self.model, self.session = (ctypes.c_void_p() for _ in range(3))
        self.check(self.library.limn_device_open(backend.encode(), ctypes.byref(self.device)))
        self.check(self.library.limn_model_open(str(model).encode(), None, ctypes.byref(self.model)))
        self.check(self.library.limn_session_open(self.model, self.device, ctypes.byref(self.session)))
        self.arrays = {name: np.ascontiguousarray(array) for name, array in feed.items()}
        self.feed = (Feed * len(feed))(*(
            Feed(name.encode(), Tensor(TYPES[array.dtype], array.ndim, (ctypes.c_int64 * 8)(*array.shape),
                                       array.ctypes.data)) for name, array in self.arrays.items()))

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.library.limn_message().decode(errors="replace"))

    def explain(self, method, target, layer=None, settings=None):
        pairs = [(key.encode(), str(value).encode()) for key, value in (settings or {}).items()]
        question = Question(
            method=method.encode(), target=target.encode(), input=next(iter(self.arrays)).encode(),
            layer=layer.encode() if layer else None, compat=b"captum", setting=(Setting * len(pairs))(*pairs),
            settings=len(pairs), unpredicted=1)
        why = ctypes.c_void_p()
        self.check(self.library.limn_explain(self.session, self.feed, ctypes.c_size_t(len(self.feed)),
                                             ctypes.byref(question), ctypes.byref(why)))
        self.library.limn_explanation_free(why)

    def close(self):
        self.library.limn_session_free(self.session)
        self.library.limn_model_free(self.model)
        self.library.limn_device_free(self.device)


SIX = ("saliency", "input_x_gradient", "guided_backprop", "gradcam", "lrp", "deeplift")
CELLS = {
    "saliency": ("resnet18", "resnet50", "vgg16", "mobilenet_v2", "vit_b_16", "lstm"),
    "ig": ("resnet18", "resnet50", "vgg16", "mobilenet_v2", "vit_b_16", "bert_base", "lstm"),
    "gradcam": ("resnet18", "resnet50", "vgg16", "mobilenet_v2"),
    "deeplift": ("resnet18_deeplift", "vgg16_deeplift", "mobilenet_v2_deeplift", "vit_b_16", "lstm"),
    "lrp": ("resnet18_lrp", "vgg16_lrp"),
    "six x five": ("resnet18_lrp", "vgg16_lrp"),
}
BARS = {"saliency": 2.2, "ig": 2.0, "gradcam": 2.2, "deeplift": 3.5, "lrp": 3.5, "six x five": 6.0}
IG_LEAST = 1.4
BATCHES = (5, 10, 25)
SHORT = 1  # second


def timed(call):
    """Milliseconds. Workers of the side that came before watch for more to do for a while, and keep others from
    running: a short call is made twice, and the second time counts."""
    took = 0
    for _ in range(2):
        if took < SHORT:
            start = time.perf_counter()
            call()
            took = time.perf_counter() - start
    return 1e3 * took


class Pair:
    """One cell: two calls that do the same work. What either side can prepare, it has prepared."""

    def __init__(self, options, peers, model, method):
        self.method, self.target, self.many = method, peers.zoo.spec_of(model).target, method == "six x five"
        self.layer = peers.zoo.spec_of(model).cam if method == "gradcam" else None
        self.batch, self.peers = None, peers.peers
        feed, module = peers.feed(model, 0), peers.module(model, "single")
        self.session = Session(options.library, peers.folder / f"{peers.zoo.stem(model, peers.size)}.onnx",
                               f"cpu:threads={options.threads}", feed)

        def asked(method, target, layer):
            return self.peers.Asked(self.peers.Question("captum", method, {}, layer, target), module, feed, None)

        if self.many:
            cam = peers.zoo.spec_of(model).cam
            self.asked = [asked(one, target, cam if one == "gradcam" else None) for one in SIX for target in range(5)]
        else:
            self.asked = [asked(method, self.target, self.layer)]

    def limn(self):
        if self.many:
            self.session.explain(",".join(SIX), "0,1,2,3,4")
        else:
            self.session.explain(self.method, str(self.target), self.layer)

    def captum(self):
        for asked in self.asked:
            self.peers.answer(asked)

    def choose_batch(self):
        """Captum's best number of points at once, on this machine."""
        if self.method == "ig":
            took = {}
            for batch in BATCHES:
                self.asked[0].path["internal_batch_size"] = batch
                with contextlib.suppress(RuntimeError):
                    took[batch] = timed(self.captum)
            self.batch = min(took, key=took.get)
            self.asked[0].path["internal_batch_size"] = self.batch


def speed(options, peers, failures):
    import torch
    torch.set_num_threads(options.threads)
    rows = []
    print(f"{'method':20}{'model':24}{'limn ms':>10}{'captum ms':>11}{'ratio':>8}")
    for method, models in CELLS.items():
        ratios = {}
        for model in models:
            if not all(word in f"{method} {model}" for word in options.only.split()):
                continue
            try:
                pair = Pair(options, peers, model, method)
                pair.limn()
                pair.limn()
                pair.choose_batch()
                pair.captum()
                ours, theirs = zip(*((timed(pair.limn), timed(pair.captum)) for _ in range(options.rounds)))
                pair.session.close()
            except (RuntimeError, OSError) as problem:
                failures.append(f"{method} {model}")
                print(f"{method:20}{model:24}{problem}", flush=True)
                continue
            ours, theirs = statistics.median(ours), statistics.median(theirs)
            ratios[model] = theirs / ours
            rows.append({"method": method, "model": model, "limn": ours, "captum": theirs,
                         "batch": pair.batch})
            print(f"{method:20}{model:24}{ours:10.1f}{theirs:11.1f}{theirs / ours:8.2f}  "
                  f"{f'batch {pair.batch}' if pair.batch else ''}", flush=True)
        if ratios:
            mean = math.exp(statistics.fmean(map(math.log, ratios.values())))
            good = mean >= BARS[method] and (method != "ig" or min(ratios.values()) >= IG_LEAST)
            print(f"{method:20}{'geometric mean':24}{'':21}{mean:8.2f}  {BARS[method]} {'yes' if good else 'NO'}",
                  flush=True)
            if not good:
                failures.append(f"speed of {method}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
