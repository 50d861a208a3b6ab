#!/usr/bin/env python3
"""Compare gradients of operators with those of their expansions, over the ONNX backend suite.

    python3 tests/bench/compare_pairs.py --limn build/tools/limn/limn SUITE/node

Many tests of the suite come twice: as one operator, and (`NAME_expanded...`) as the function that defines it. Both must
have the same gradient, computed here on the reference device in double. Pairs without floats, and those that both sides
refuse, are left out. The three that differ (Elu, Selu, LeakyRelu) are asked at a kink, where the expansions, made of
comparisons, have another convention.

Needs numpy and onnx.
"""
import argparse
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper


def feeds(test):
    """The first data set's inputs by name; None where they are no arrays of numbers, or none of them floats."""
    graph = onnx.load(test / "model.onnx").graph
    constants = {i.name for i in graph.initializer}
    names = [i.name for i in graph.input if i.name not in constants]
    arrays = {}
    for i, name in enumerate(names):
        path = test / "test_data_set_0" / f"input_{i}.pb"
        tensor = onnx.TensorProto()
        try:
            tensor.ParseFromString(path.read_bytes())
            arrays[name] = numpy_helper.to_array(tensor)
        except Exception:
            return None
    return arrays if any(a.dtype in (np.float32, np.float64) for a in arrays.values()) else None


def gradient(limn, test, arrays, folder):
    """By input the gradient of the sum of the first output, or the refusal."""
    words = []
    for i, (name, array) in enumerate(arrays.items()):
        np.save(folder / f"{i}.npy", array)
        words.append(f"{name}={folder / f'{i}.npy'}")
    out = folder / "out.npz"
    out.unlink(missing_ok=True)
    run = subprocess.run([limn, "explain", test / "model.onnx", *words, "--method", "saliency", "--set", "abs=0",
                          "--set", "tokens=full", "--target", "sum", "--after-softmax", "--allow-nan", "--backend",
                          "ref:type=f64", "-q", "-o", out], capture_output=True, text=True)
    if run.returncode:
        return run.stderr.strip()
    with np.load(out) as z:
        return {k: z[k] for k in z.files if k.startswith("saliency")}


def agree(a, b):
    return a.keys() == b.keys() and all(
        a[k].shape == b[k].shape and np.allclose(a[k], b[k], rtol=1e-5, atol=1e-7, equal_nan=True) for k in a)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limn", default="limn", help="the command (default: the one that is installed)")
    parser.add_argument("folder", type=pathlib.Path, help="the suite's node tests")
    options = parser.parse_args()
    count = dict.fromkeys(("the same", "different", "one side refused", "both sides refused"), 0)
    with tempfile.TemporaryDirectory() as folder:
        for expanded in sorted(options.folder.glob("*_expanded*")):
            whole = options.folder / expanded.name[:expanded.name.index("_expanded")]
            arrays = feeds(whole) if whole.is_dir() else None
            if arrays is None:
                continue
            sides = [gradient(options.limn, t, arrays, pathlib.Path(folder)) for t in (whole, expanded)]
            refusals = [s for s in sides if isinstance(s, str)]
            if refusals:
                verdict = "one side refused" if len(refusals) == 1 else "both sides refused"
            else:
                verdict = "the same" if agree(*sides) else "different"
            count[verdict] += 1
            if verdict in ("different", "one side refused"):
                print(f"{verdict}: {expanded.name} {refusals[0][:120] if refusals else ''}")
    print(", ".join(f"{n} {verdict}" for verdict, n in count.items()))


if __name__ == "__main__":
    main()
