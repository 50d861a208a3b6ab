#!/usr/bin/env python3
"""Compare explanations: Limn beside Captum, Zennit and lxt on the same models, weights and inputs.

    python3 tools/gen/explain_models.py DIR
    python3 tests/bench/compare_explainers.py --limn build/tools/limn/limn DIR --algorithm
    python3 tests/bench/compare_explainers.py --limn build/tools/limn/limn DIR --kernels --inputs 10
    python3 tools/gen/explain_models.py DIR --size speed
    python3 tests/bench/compare_explainers.py --limn build/tools/limn/limn --library build/liblimn.so DIR --speed
    python3 tests/bench/compare_explainers.py --limn build/tools/limn/limn DIR --start --memory

--algorithm: the reference device in double, in the peer's profile, against the peer with PyTorch in double: the
relative L2 error of every cell. What relevance must sum to is checked in the same table. Slow: the reference device is
plain loops.
--kernels: the cpu device in float32 against the peer in double, as a multiple of what the peer with PyTorch in float32
is off by; medians over the inputs.
--speed: warm times of both in this process, turn by turn, with the same number of threads; geometric means by method.
--start: a cold process to its first map. --memory: what a path method allocates under a bound, and that its bits stay.

`--only TEXT` keeps the cells whose line contains TEXT. What peers answer in double is kept in DIR/peers and used again.
The exit status is 1 when a cell misses its bar.

Needs numpy and what tools/gen/explain_peers.py needs.
"""
import argparse
import collections
import hashlib
import json
import math
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "gen"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

# peer "": no peer, the sum of the map is compared with what it should be. bar NAN: stated, not judged.
Cell = collections.namedtuple("Cell", "model method peer settings bar compat layer")
Cell.__new__.__defaults__ = ("", {}, 1e-9, "captum", None)

NETS = ("resnet18", "vgg16", "mobilenet_v2", "vit_b_16", "bert_base", "lstm", "token_lstm")
CNNS = ("resnet18", "vgg16", "mobilenet_v2")
ANYWHERE = ("saliency", "input_x_gradient", "ig", "gradient_shap")
AT_LAYER = ("conductance", "internal_influence")
BOX = {"low": -3, "high": 3}
PATHS = ("ig", "gradient_shap", *AT_LAYER)


def cells():
    for model in NETS:
        for method in ANYWHERE + AT_LAYER:
            yield Cell(model, method, "captum", layer="layer" if method in AT_LAYER else None)
    for model in CNNS:
        yield Cell(model, "guided_backprop", "captum")
        yield Cell(model, "deconvnet", "captum")
        yield Cell(model, "gradcam", "captum", layer="cam")
        yield Cell(f"{model}_deeplift", "deeplift", "captum")
    for model in ("resnet18", "vgg16"):
        yield Cell(f"{model}_lrp", "lrp", "captum")
    for model in ("resnet18", "vgg16"):
        for rules in ("epsplus", "epsplus_flat", "gamma_box", "ab"):
            settings = {"rules": rules, **(BOX if rules == "gamma_box" else {})}
            yield Cell(model, "lrp", "zennit", settings, compat="zennit")
    for model in ("attn_vit", "attn_bert"):
        yield Cell(model, "attnlrp", "lxt", bar=1e-4, compat="limn")
        # with stabilisers that have no sign; lxt's two forms differ by as much
        yield Cell(model, "attnlrp", "lxt-explicit", bar=math.nan, compat="limn")
        yield Cell(model, "deeplift", bar=1e-4, compat="limn")
    for model in CNNS:
        for rules in ("eps", "zplus", "gamma_all", "box_first", "flat", "ab_all"):
            settings = {"rules": rules, **(BOX if rules == "box_first" else {})}
            yield Cell(f"{model}_nobias", "lrp", "", settings, math.nan if rules == "ab_all" else 1e-4, "limn")


def name_of(cell):
    settings = " ".join(f"{key}={value}" for key, value in cell.settings.items())
    return f"{cell.model:22}{cell.method:20}{cell.peer or 'sum':13}{settings}".rstrip()


def relative(got, wanted):
    if got.shape != wanted.shape:
        raise ValueError(f"shape {list(got.shape)}, wanted {list(wanted.shape)}")
    return float(np.linalg.norm(got.astype(np.float64) - wanted) / np.linalg.norm(wanted))


class Peers:
    """Modules, inputs and the peers' answers."""

    def __init__(self, folder, size):
        import explain_models
        import explain_peers
        self.zoo, self.peers, self.folder, self.size, self.modules = explain_models, explain_peers, folder, size, {}

    def module(self, model, kind):
        if (model, kind) not in self.modules:
            if len(self.modules) > 2:
                self.modules.clear()
            module = self.zoo.load(self.folder, model, self.size)
            self.modules[model, kind] = module.double() if kind == "double" else module
        return self.modules[model, kind]

    def feed(self, model, seed):
        return self.zoo.sample(model, self.size, seed)

    def baselines(self, model):
        """The distribution that gradient_shap draws from."""
        many = [self.feed(model, 100 + i) for i in range(self.peers.SHAP_BASELINES)]
        return np.concatenate([next(iter(feed.values())) for feed in many])

    def layer(self, cell):
        return getattr(self.zoo.spec_of(cell.model), cell.layer) if cell.layer else None

    def target(self, cell):
        return self.zoo.spec_of(cell.model).target

    def question(self, cell, settings):
        return self.peers.Question(cell.peer, cell.method, {**cell.settings, **settings}, self.layer(cell),
                                   self.target(cell))

    def ask(self, cell, kind, seed, settings):
        return self.peers.ask(self.question(cell, settings), self.module(cell.model, kind), self.feed(cell.model, seed),
                              self.baselines(cell.model) if cell.method == "gradient_shap" else None)

    def kept(self, cell, seed, settings):
        """The answer in double, from the file of an earlier run when the weights are still the same."""
        weights = self.folder / f"{self.zoo.stem(cell.model, self.size)}.pt"
        key = repr((cell.model, cell.method, cell.peer, sorted((cell.settings | settings).items()), self.layer(cell),
                    self.target(cell), seed, self.size, weights.stat().st_size, weights.stat().st_mtime_ns))
        path = self.folder / "peers" / f"{hashlib.sha1(key.encode()).hexdigest()}.npz"
        if not path.exists():
            values, more = self.ask(cell, "double", seed, settings)
            path.parent.mkdir(exist_ok=True)
            with open(path.with_suffix(".part"), "wb") as file:
                np.savez(file, values=values, **more)
            path.with_suffix(".part").rename(path)
        with np.load(path) as file:
            more = {name: file[name] for name in file.files}
        return more.pop("values"), more


class Command:
    """`limn explain` in processes of its own."""

    def __init__(self, options, peers):
        self.options, self.peers = options, peers

    def words(self, cell, seed, settings, draws, folder, more=()):
        peers, model = self.peers, self.peers.zoo.stem(cell.model, self.peers.size)
        words = [self.options.limn, "explain", str(self.peers.folder / f"{model}.onnx")]
        feed = peers.feed(cell.model, seed)
        for name, array in feed.items():
            np.save(folder / f"{name}.npy", array)
            words.append(f"{name}={folder / name}.npy")
        words += ["--method", cell.method, "--target", str(peers.target(cell)), "--input", next(iter(feed)),
                  "--compat", cell.compat]
        if cell.layer:
            words += ["--layer", peers.layer(cell)]
        settings = {**cell.settings, **settings}
        if next(iter(feed.values())).dtype == np.int64 and not cell.layer:
            settings["tokens"] = "full"
        if cell.method == "gradient_shap":
            np.save(folder / "base.npy", peers.baselines(cell.model))
            np.savez(folder / "draws.npz", **draws)
            words += ["--baseline", str(folder / "base.npy")]
            settings |= {"samples": len(draws["alpha"]), "draws": folder / "draws.npz"}
        for key, value in settings.items():
            words += ["--set", f"{key}={value}"]
        return [*words, "-o", str(folder / "map.npz"), *more]

    def explain(self, cell, backend, seed, settings, draws):
        """The map, and target_value minus baseline_value."""
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            words = self.words(cell, seed, settings, draws, folder, ["--backend", backend, *self.options.extra.split()])
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(done.stderr.strip() or f"exit {done.returncode}")
            with np.load(folder / "map.npz") as file:
                values = file[f"{cell.method}/{self.peers.target(cell)}"]
                total = file["target_value"]
                if cell.method == "deeplift":
                    total = total - file["baseline_value"]
        return values, float(total[0])


def judge(line, figure, bar, seconds, failures):
    verdict = "" if math.isnan(bar) else "yes" if figure <= bar else "NO"
    if verdict == "NO":
        failures.append(line)
    print(f"{line:78}{figure:11.2e}{bar:10.0e} {verdict:4}{seconds:8.1f} s", flush=True)


def chosen(options):
    return [cell for cell in cells() if all(word in name_of(cell) for word in options.only.split())]


def algorithm(options, peers, failures):
    limn = Command(options, peers)
    print(f"{'cell':78}{'error':>11}{'bar':>10}")
    for cell in chosen(options):
        settings = {"steps": options.steps} if cell.method in PATHS[:1] + AT_LAYER and options.steps != 50 else {}
        try:
            wanted, draws = peers.kept(cell, 0, settings) if cell.peer else (None, {})
            start = time.perf_counter()
            values, total = limn.explain(cell, options.backend or "ref:type=f64", 0, settings, draws)
            took = time.perf_counter() - start
            figure = relative(values, wanted) if cell.peer else abs(float(values.sum()) - total) / abs(total)
        except (RuntimeError, OSError, ValueError, KeyError) as problem:
            failures.append(name_of(cell))
            print(f"{name_of(cell):78}{problem}", flush=True)
            continue
        judge(name_of(cell), figure, cell.bar, took, failures)


TIGHT = ("vit_b_16", "bert_base", "lstm", "token_lstm")


def kernels(options, peers, failures):
    limn = Command(options, peers)
    print(f"{'cell':78}{'error':>11}{'bar':>10}    as a multiple of PyTorch's in float32")
    for cell in chosen(options):
        if cell.peer not in ("captum", "zennit"):
            continue
        settings = {"steps": options.steps} if cell.method in PATHS[:1] + AT_LAYER and options.steps != 50 else {}
        ours, theirs, start = [], [], time.perf_counter()
        try:
            for seed in range(options.inputs):
                wanted, draws = peers.kept(cell, seed, settings)
                theirs.append(relative(peers.ask(cell, "single", seed, settings)[0], wanted))
                ours.append(relative(limn.explain(cell, options.backend or "cpu", seed, settings, draws)[0], wanted))
        except (RuntimeError, OSError, ValueError, KeyError) as problem:
            failures.append(name_of(cell))
            print(f"{name_of(cell):78}{problem}", flush=True)
            continue
        mine, peer = statistics.median(ours), statistics.median(theirs)
        bar = min(2 * peer, 1e-4) if cell.model in TIGHT else 2 * peer
        judge(f"{name_of(cell)}  {mine / peer:.2f} x", mine, bar, time.perf_counter() - start, failures)


# A process begins with its parent's peak memory as its own, so a small one starts what is measured.
MEASURE = """
import os, sys, time
begin = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(child, 0)
print(1e3 * (time.perf_counter() - begin), used.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))
"""


def start_up(options, peers, failures):
    """A whole process from nothing to its first map."""
    limn, cell, figures = Command(options, peers), Cell("small_cnn", "saliency", compat="limn"), []
    with tempfile.TemporaryDirectory() as folder:
        words = limn.words(cell, 0, {}, {}, pathlib.Path(folder))
        words[0] = shutil.which(words[0]) or words[0]
        for _ in range(2 * options.rounds + 1):
            done = subprocess.run([sys.executable, "-IS", "-c", MEASURE, *words], capture_output=True, text=True,
                                  check=True)
            *figure, code = done.stdout.splitlines()[-1].split()
            if code != "0":
                raise RuntimeError(done.stderr.strip() or f"limn explain: exit {code}")
            figures.append([float(value) for value in figure])
    wall, peak = (statistics.median(column) for column in zip(*figures))
    print(f"small_cnn saliency, whole process: {wall:.1f} ms (30), {peak:.1f} MB (20)")
    if wall > 30 or peak > 20:
        failures.append("start")


def allocated(words):
    """Run it; the most it had allocated, in MB, mappings of files left out."""
    process, most = subprocess.Popen(words, stdout=subprocess.DEVNULL), 0
    while process.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        most = max([most, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:"))])
        time.sleep(0.005)
    if process.wait() != 0:
        raise RuntimeError(f"{words[0]}: exit {process.returncode}")
    return most / 1024


def memory(options, peers, failures):
    limn, cell = Command(options, peers), Cell("vgg16", "ig", compat="limn")
    maps = {}
    with tempfile.TemporaryDirectory() as folder:
        for bound in ("1G", None):
            words = limn.words(cell, 0, {}, {}, pathlib.Path(folder), ["--mem", bound] if bound else [])
            begin = time.perf_counter()
            most = allocated(words)
            print(f"vgg16 ig, {f'--mem {bound}' if bound else 'no bound'}: {most:.0f} MB allocated, "
                  f"{time.perf_counter() - begin:.1f} s", flush=True)
            maps[bound] = pathlib.Path(folder, "map.npz").read_bytes()
            if bound and most > 1024:
                failures.append("memory")
    same = maps["1G"] == maps[None]
    print(f"the same bits: {'yes' if same else 'NO'}")
    if not same:
        failures.append("bits under --mem 1G")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where tools/gen/explain_models.py wrote")
    parser.add_argument("--limn", default="limn", help="the command (default: the one that is installed)")
    parser.add_argument("--library", default="liblimn.so", help="the library, for --speed")
    parser.add_argument("--algorithm", action="store_true")
    parser.add_argument("--kernels", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--start", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--only", default="", help="words that the line of a cell must contain")
    parser.add_argument("--backend", help="in place of ref:type=f64 or cpu")
    parser.add_argument("--extra", default="", help="more words for limn explain")
    parser.add_argument("--steps", type=int, default=50, help="of path methods; fewer while looking for a fault")
    parser.add_argument("--inputs", type=int, default=10, help="of --kernels")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path, help="write the figures of --speed to this file too")
    options = parser.parse_args()
    failures = []
    if options.algorithm:
        algorithm(options, Peers(options.folder, "small"), failures)
    if options.kernels:
        kernels(options, Peers(options.folder, "small"), failures)
    if options.speed:
        import explainer_speed
        explainer_speed.speed(options, Peers(options.folder, "speed"), failures)
    if options.start:
        start_up(options, Peers(options.folder, "small"), failures)
    if options.memory:
        memory(options, Peers(options.folder, "speed"), failures)
    for line in failures:
        print(f"missed: {line}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
