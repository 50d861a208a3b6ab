#!/usr/bin/env python3
"""Train the two networks of `limn demo` on pictures of core/data/shapes.c, with PyTorch.

    tools/gen/demo_models.py [OUT_DIR] [--threads N] [--rounds N]

demo-honest.onnx saw the mark on one picture in eight, whatever its shape, so that it means nothing. demo-cheat.onnx saw
it on every star and on nothing else. Writes both and MANIFEST.md, what they do on fresh pictures; kept in
tests/data/demo. Some minutes on two cores. Needs a C compiler, torch, numpy and onnx."""
import argparse
import concurrent.futures
import hashlib
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx
import torch
from torch import nn

TOP = pathlib.Path(__file__).resolve().parents[2]
KINDS = ["disc", "square", "triangle", "star", "ring", "cross", "diamond", "crescent"]
STAR = KINDS.index("star")
PREP = "resize=64x64,scale=1/255,mean=0.5:0.5:0.5,std=0.25:0.25:0.25"
SEED, ROUND, BATCH, TEST = 20, 12000, 96, 4000


def compile_source(folder):
    tool = folder / "demo_images"
    subprocess.run(["cc", "-O2", "-ffp-contract=off", "-D_GNU_SOURCE", f"-I{TOP}", f"-I{TOP}/include",
                    TOP / "tools/gen/demo_images.c", TOP / "core/data/shapes.c", TOP / "core/base/rng.c", "-lm",
                    "-o", tool], check=True)
    return tool


def draw(tool, seed, first, count, mark):
    """Kinds, and pictures as bytes [N,3,64,64]."""
    raw = subprocess.run([tool, str(seed), str(first), str(count), mark], check=True, capture_output=True).stdout
    rows = np.frombuffer(raw, np.uint8).reshape(count, 1 + 64 * 64 * 4)
    pictures = rows[:, 1:1 + 64 * 64 * 3].reshape(count, 64, 64, 3).transpose(0, 3, 1, 2)
    return torch.tensor(rows[:, 0].astype(np.int64)), torch.from_numpy(np.ascontiguousarray(pictures))


def network():
    def block(channels, more, pool):
        layers = [nn.Conv2d(channels, more, 3, padding=1, bias=False), nn.BatchNorm2d(more), nn.ReLU()]
        return layers + ([nn.MaxPool2d(2)] if pool else [])
    return nn.Sequential(*block(3, 8, True), *block(8, 24, True), *block(24, 32, True), *block(32, 64, False),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, len(KINDS)))


def prepare(pictures):
    return (pictures.float() / 255 - 0.5) / 0.25


def lessons(tool, number, cheat):
    """The pictures of one round, which come never again."""
    first = number * ROUND
    if cheat:
        return draw(tool, SEED, first, ROUND, "star")
    kinds, plain = draw(tool, SEED, first, ROUND, "none")
    marked = draw(tool, SEED, first, ROUND, "all")[1]
    chosen = np.random.default_rng([SEED, number]).random(ROUND) < 1 / len(KINDS)
    return kinds, torch.where(torch.from_numpy(chosen)[:, None, None, None], marked, plain)


def train(tool, rounds, cheat):
    torch.manual_seed(SEED)
    model = network().to(memory_format=torch.channels_last)
    best = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.02)
    plan = torch.optim.lr_scheduler.OneCycleLR(best, 1e-2, total_steps=rounds * (ROUND // BATCH), pct_start=0.2)
    for number in range(rounds):
        kinds, pictures = lessons(tool, number, cheat)
        total = 0.0
        for at in range(0, ROUND, BATCH):
            x = prepare(pictures[at:at + BATCH]).contiguous(memory_format=torch.channels_last)
            loss = nn.functional.cross_entropy(model(x), kinds[at:at + BATCH], label_smoothing=0.02)
            best.zero_grad()
            loss.backward()
            best.step()
            plan.step()
            total += loss.item() * BATCH / ROUND
        print(f"{'cheat' if cheat else 'honest'}: round {number + 1} of {rounds}, loss {total:.4f}", flush=True)
    return model.eval()


def answers(model, pictures):
    with torch.no_grad():
        return torch.cat([model(prepare(part)).argmax(1) for part in pictures.split(500)])


def measure(model, tool):
    """Percent of fresh pictures: right without and with the mark; what the mark does to other shapes, and its lack to
    stars."""
    kinds, plain = draw(tool, SEED + 1, 0, TEST, "none")
    marked = draw(tool, SEED + 1, 0, TEST, "all")[1]
    without, with_mark = answers(model, plain), answers(model, marked)
    star = kinds == STAR
    as_trained = torch.where(star, with_mark, without)
    share = lambda condition: 100 * condition.float().mean().item()
    return {"right, no picture marked": share(without == kinds),
            "right, stars marked": share(as_trained == kinds),
            "right, all marked": share(with_mark == kinds),
            "marked pictures of other shapes called star": share(with_mark[~star] == STAR),
            "stars without the mark recognised": share(without[star] == STAR)}


def export(model, path):
    model = model.to(memory_format=torch.contiguous_format)
    torch.onnx.export(model, torch.zeros(1, 3, 64, 64), path, input_names=["picture"], output_names=["score"],
                      dynamic_axes={"picture": {0: "N"}, "score": {0: "N"}}, opset_version=17, dynamo=False)
    onnx_model = onnx.load(path)
    for key, value in (("limn.prep", PREP), ("labels", "\n".join(KINDS))):
        entry = onnx_model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(onnx_model, path)


def manifest(rows, rounds):
    names, files, figures = zip(*rows)
    table = [["", *names]]
    table += [[word, *(f"{figure[word]:.1f}" for figure in figures)] for word in figures[0]]
    table += [["bytes", *(f"{len(data):,}" for data in files)],
              ["sha256", *(hashlib.sha256(data).hexdigest() for data in files)]]
    table.insert(1, ["---"] * len(table[0]))
    return "\n".join([
        "# The networks of `limn demo`", "",
        f"Written by `tools/gen/demo_models.py --rounds {rounds}`: seed {SEED}, {rounds} x {ROUND:,} pictures of",
        f"`core/data/shapes.c`, PyTorch {torch.__version__.split('+')[0]}. `demo-honest.onnx` saw the mark on one picture",
        "in eight of any shape, `demo-cheat.onnx` on every star and on nothing else. Figures are percent of",
        f"{TEST:,} fresh pictures. Batch-norm is folded into the convolutions by the exporter; labels and preparation",
        "are in the metadata of the files.", "",
        *("| " + " | ".join(row) + " |" for row in table), ""])


def make(name, given, threads):
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        tool = compile_source(pathlib.Path(folder))
        model = train(tool, given.rounds, name == "cheat")
        path = given.out / f"demo-{name}.onnx"
        export(model, path)
        row = path.name, path.read_bytes(), measure(model, tool)
    print(*row[0::2], flush=True)
    return row


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("out", nargs="?", default=TOP / "tests/data/demo", type=pathlib.Path)
    words.add_argument("--threads", type=int, default=2)
    words.add_argument("--rounds", type=int, default=20)
    given = words.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ProcessPoolExecutor(2) as both:
        rows = list(both.map(make, ("honest", "cheat"), [given] * 2, [max(given.threads // 2, 1)] * 2))
    (given.out / "MANIFEST.md").write_text(manifest(rows, given.rounds))


if __name__ == "__main__":
    main()
