#!/usr/bin/env python3
"""Time whole models in Limn, onnxruntime and OpenVINO, turn by turn in one run.

    python3 tools/gen/models.py DIR
    python3 tests/bench/compare_runtimes.py --limn build/tools/limn/limn DIR
    python3 tests/bench/compare_runtimes.py --limn build/tools/limn/limn DIR/resnet18-script.onnx --threads 1

One sample, float32, all optimisations of all sides, the same number of threads. Each round times every runtime once;
a figure is the median over the rounds of the median of the repeats of one round. `ratio` is the faster rival's time over
Limn's: above 1 Limn is faster. `off` is the largest difference from what PyTorch answered, as a part of its largest value.

`--start` compares load and first answer instead: the whole process of `limn predict` against session creation and first
run inside a process that has everything imported. `--memory` compares peak memory: the whole process of Limn against
what a rival's process grows by from just after its imports, and against all of it.

Needs numpy, and onnxruntime and openvino as far as they are to be compared with.
"""
import argparse
import json
import math
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np


def arrays_of(model):
    """Where the sample lies: {name: path} of the files that tools/gen/models.py wrote beside the model."""
    name = model.stem.split("-")[0]
    return {path.name[len(name) + 1:-4]: path for path in sorted(model.parent.glob(f"{name}.*.npy"))}


OUTPUTS = ("output", "states")  # as tools/gen/models.py calls them


class Onnxruntime:
    name = "onnxruntime"

    def __init__(self, model, threads):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.outputs = [value.name for value in self.session.get_outputs()]

    def run(self, feed):
        return dict(zip(self.outputs, self.session.run(None, feed)))


class OpenVINO:
    name = "openvino"

    def __init__(self, model, threads):
        import openvino
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        compiled = openvino.Core().compile_model(str(model), "CPU", settings)
        self.request = compiled.create_infer_request()
        self.inputs = [value.get_any_name() for value in compiled.inputs]
        self.outputs = [value.get_any_name() for value in compiled.outputs]

    def run(self, feed):
        answers = self.request.infer(feed, share_inputs=True, share_outputs=True)
        return dict(zip(self.outputs, answers.values()))


RIVALS = {rival.name: rival for rival in (Onnxruntime, OpenVINO)}
IMPORTS = {"onnxruntime": "onnxruntime", "openvino": "openvino"}


def load_feed(rival, arrays):
    return {name: np.load(arrays[name]) for name in rival.inputs}


def off_by(answers, arrays):
    """Largest difference over all outputs there are files for; None when there is none."""
    worst = None
    for name, answer in answers.items():
        if name in arrays:
            wanted = np.load(arrays[name])
            difference = np.abs(np.asarray(answer, np.float64) - wanted).max() / max(np.abs(wanted).max(), 1e-30)
            worst = max(worst or 0.0, float(difference))
    return worst


class Limn:
    name = "limn"

    def __init__(self, command, model, arrays, threads):
        self.command, self.model, self.threads, self.arrays = command, str(model), threads, arrays
        self.feed = [f"{name}={path}" for name, path in arrays.items() if name not in OUTPUTS]

    def call(self, verb, *more):
        command = [self.command, verb, self.model, *self.feed, "--threads", str(self.threads), *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}")
        return done.stdout

    def time(self, repeat):
        rows = json.loads(self.call("bench", "--json", "--repeat", str(repeat)))["rows"]
        return next(row["ms"] for row in rows if row["name"] == "forward")

    def off(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "y.npz"
            self.call("predict", "-o", str(path))
            with np.load(path) as answers:
                return off_by({name: answers[name] for name in answers.files}, self.arrays)


def time_rival(rival, feed, repeat):
    for _ in range(3):
        rival.run(feed)
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        rival.run(feed)
        times.append(1e3 * (time.perf_counter() - start))
    time.sleep(0.02)  # its waiting threads spin for a while
    return statistics.median(times)


def compare(model, options):
    """One row: {runtime: ms}, {runtime: off}, and why Limn has none."""
    arrays = arrays_of(model)
    rivals = [RIVALS[name](model, options.threads) for name in options.rivals]
    feeds = [load_feed(rival, arrays) for rival in rivals]
    limn, why = Limn(options.limn, model, arrays, options.threads), None
    off = {rival.name: off_by(rival.run(feed), arrays) for rival, feed in zip(rivals, feeds)}
    times = {name: [] for name in ["limn", *options.rivals]}
    try:
        off["limn"] = limn.off()
    except (RuntimeError, OSError, ValueError) as problem:
        why = str(problem)
    for _ in range(options.rounds):
        try:
            times["limn"].append(limn.time(options.repeat))
        except (RuntimeError, OSError, ValueError, StopIteration, KeyError) as problem:
            why = why or str(problem)
        for rival, feed in zip(rivals, feeds):
            times[rival.name].append(time_rival(rival, feed, options.repeat))
    return {name: statistics.median(values) for name, values in times.items() if values}, off, why


def forward(models, options):
    names = ["limn", *options.rivals]
    print(f"{'model':32}" + "".join(f"{name + ' ms':>16}{'off':>9}" for name in names) + f"{'ratio':>8}")
    ratios, rows = [], []
    for model in models:
        times, off, why = compare(model, options)
        best = min((times[name] for name in options.rivals), default=None)
        ratio = best / times["limn"] if best and "limn" in times else None
        if ratio:
            ratios.append(ratio)
        rows.append({"model": model.stem, "ms": times, "off": off, "ratio": ratio, "why": why})
        line = f"{model.stem:32}"
        for name in names:
            line += f"{times[name]:16.2f}" if name in times else f"{'-':>16}"
            line += f"{off[name]:9.1e}" if off.get(name) is not None else f"{'-':>9}"
        print(line + (f"{ratio:8.2f}" if ratio else f"{'-':>8}") + (f"  {why}" if why else ""), flush=True)
    mean = math.exp(statistics.fmean(map(math.log, ratios))) if ratios else None
    if mean:
        print(f"geometric mean of {len(ratios)} ratios {mean:.3f}, least {min(ratios):.2f}")
    return {"rows": rows, "mean": mean, "least": min(ratios, default=None)}


def worker(rival, model, threads):
    """In a process of its own: import, then load and answer once; prints seconds and memory as JSON."""
    __import__(IMPORTS[rival])
    arrays = {name: np.load(path) for name, path in arrays_of(model).items()}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    session = RIVALS[rival](model, threads)
    feed = {name: arrays[name] for name in session.inputs}
    session.run(feed)
    took = time.perf_counter() - start
    for _ in range(3):
        session.run(feed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"ms": 1e3 * took, "grown_mb": (peak - before) / 1024, "peak_mb": peak / 1024}))


def limn_process(limn, verb, *more):
    """Wall time in ms and peak memory in MB of one process."""
    command = [limn.command, verb, limn.model, *limn.feed, "--threads", str(limn.threads), *more]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    message = process.stderr.read().decode(errors="replace").strip()
    process.stderr.close()
    if process.returncode != 0:
        raise RuntimeError(message or f"exit {process.returncode}")
    return 1e3 * took, used.ru_maxrss / 1024


def in_processes(models, options):
    """Load and first answer, or peak memory: every runtime in a fresh process, in turn."""
    rows = []
    for model in models:
        limn = Limn(options.limn, model, arrays_of(model), options.threads)
        figures = {name: [] for name in ["limn", *options.rivals]}
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(options.rounds):
                try:
                    figures["limn"].append(limn_process(limn, "predict", "-o", f"{folder}/y.npz"))
                except (RuntimeError, OSError) as problem:
                    print(f"{model.stem}: {problem}")
                for rival in options.rivals:
                    command = [sys.executable, __file__, "--worker", rival, "--threads", str(options.threads), str(model)]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    answer = json.loads(done.stdout.strip().splitlines()[-1])
                    figures[rival].append((answer["ms"], answer["grown_mb"], answer["peak_mb"]))
        medians = {name: [statistics.median(column) for column in zip(*values)] for name, values in figures.items()}
        rows.append({"model": model.stem, **medians})
        if options.start:
            text = [f"{name} {values[0]:.1f} ms" for name, values in medians.items() if values]
            text += [f"{medians[name][0] / medians['limn'][0]:.2f} times Limn's ({name})"
                     for name in options.rivals if medians["limn"]]
        else:
            text = [f"limn {medians['limn'][1]:.0f} MB" if medians["limn"] else "limn -"]
            text += [f"{name} +{medians[name][1]:.0f} MB ({medians[name][2]:.0f} in all)" for name in options.rivals]
        print(f"{model.stem:32}" + ", ".join(text), flush=True)
    return {"rows": rows}


def find_models(paths, exporter):
    models = []
    for path in paths:
        models += sorted(path.glob(f"*-{exporter}.onnx")) if path.is_dir() else [path]
    return models


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=pathlib.Path, metavar="MODEL", help="a .onnx file, or a folder of them")
    parser.add_argument("--limn", default="limn", help="the command (default: the one that is installed)")
    parser.add_argument("--exporter", default="script", help="of a folder, the files NAME-EXPORTER.onnx")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=11, help="timed runs a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rivals", default="onnxruntime,openvino", help="names by commas; empty: Limn alone")
    parser.add_argument("--start", action="store_true", help="load and first answer")
    parser.add_argument("--memory", action="store_true", help="peak memory")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures to this file too")
    parser.add_argument("--worker", choices=RIVALS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.models[0], options.threads)
        return
    options.rivals = [name for name in options.rivals.split(",") if name]
    unknown = sorted(set(options.rivals) - set(RIVALS))
    if unknown:
        parser.error(f"no rival {', '.join(unknown)}; there are: {', '.join(RIVALS)}")
    models = find_models(options.models, options.exporter)
    if not models:
        parser.error("no model; tools/gen/models.py writes them")
    figures = in_processes(models, options) if options.start or options.memory else forward(models, options)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
