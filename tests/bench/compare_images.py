"""Does Limn prepare pictures as PIL and torchvision do? Twenty pictures of every kind that the decoders know, read, resized,
cropped and normalised by both, and the greatest difference of any number.

    pip install pillow torchvision onnx numpy
    python tests/bench/compare_images.py build/tools/limn/limn
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper
from PIL import Image, ImageOps
from torchvision import transforms
from torchvision.transforms import InterpolationMode

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def scene(width, height):
    """Smooth shades, hard edges and fine texture, with every colour."""
    y, x = np.mgrid[0:height, 0:width]
    rng = np.random.default_rng(width * height)
    rgb = np.stack([x * 255 / width, y * 255 / height, 127 + 100 * np.sin(x * y / 900)], -1)
    rgb[(x // 24 + y // 16) % 5 == 0] = (250, 20, 90)
    rgb += rng.normal(0, 12, rgb.shape)
    return np.clip(rgb, 0, 255).astype(np.uint8)


def pictures(folder):
    """(file, difference that is allowed, in units of 255)"""
    colour, small = Image.fromarray(scene(500, 375)), Image.fromarray(scene(61, 90))
    alpha = np.dstack([scene(200, 150), np.tile(np.linspace(0, 255, 200), (150, 1))]).astype(np.uint8)
    deep = (scene(120, 160)[..., 0].astype(np.uint16) * 257)
    out = []

    def keep(name, image, allowed=1, **options):
        image.save(folder / name, **options)
        out.append((folder / name, allowed))

    keep("rgb.png", colour)
    keep("small.png", small)
    keep("grey.png", colour.convert("L"))
    keep("bits.png", colour.convert("1"))
    keep("deep.png", Image.fromarray(deep))
    keep("rgba.png", Image.fromarray(alpha, "RGBA"))
    keep("grey_alpha.png", Image.fromarray(alpha, "RGBA").convert("LA"))
    keep("palette.png", colour.quantize(64))
    keep("palette4.png", colour.quantize(12))
    keep("palette_clear.png", colour.quantize(32), transparency=3)
    keep("wide.png", Image.fromarray(scene(700, 90)))
    keep("tall.png", Image.fromarray(scene(80, 640)))
    keep("plain.jpg", colour, 2, quality=92, subsampling=0)
    keep("subsampled.jpg", colour, 2, quality=85, subsampling=2)
    keep("progressive.jpg", colour, 2, quality=80, progressive=True)
    keep("grey.jpg", colour.convert("L"), 2, quality=90)
    keep("odd.jpg", Image.fromarray(scene(333, 251)), 2, quality=75)
    for turn in (3, 6, 8):
        exif = Image.Exif()
        exif[0x0112] = turn
        keep(f"turned{turn}.jpg", colour, 2, quality=90, exif=exif)
    return out


def read(path):
    """As the issue of every tool says: turned upright, 16 bits scaled, transparency over white."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image, np.float64) / 257).round().astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def prepare(limn, model, path, prep, folder):
    out = folder / "out.npy"
    subprocess.run([limn, "predict", model, path, "--prep", prep, "-o", out], check=True, stdout=subprocess.DEVNULL)
    return np.load(out)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("limn")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 3, "h", "w"]) for n in "xy")
        graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "same", [x], [y])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "same.onnx")
        filters = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC, "area": InterpolationMode.BOX,
                   "nearest": InterpolationMode.NEAREST_EXACT}
        failed = 0
        print(f"{'picture':20}{'pixels':>12}" + "".join(f"{n:>12}" for n in filters) + f"{'normalised':>12}")
        for path, allowed in pictures(folder):
            theirs = read(path)
            ours = prepare(args.limn, folder / "same.onnx", path, "scale=1/255", folder)
            gap = np.abs(ours - np.asarray(theirs, np.float32).transpose(2, 0, 1) / 255).max()
            row, good = [gap], gap <= allowed / 255 + 1e-6
            for word, mode in filters.items():
                chain = transforms.Compose([transforms.Resize(160, mode, antialias=True), transforms.CenterCrop(144),
                                            transforms.ToTensor()])
                ours = prepare(args.limn, folder / "same.onnx", path, f"resize=160,crop=144,filter={word},scale=1/255", folder)
                row.append(np.abs(ours - chain(theirs).numpy()).max())
                good &= row[-1] <= 1e-2
            chain = transforms.Compose([transforms.Resize(128), transforms.CenterCrop(112), transforms.ToTensor(),
                                        transforms.Normalize(MEAN, STD)])
            words = [":".join(map(str, v)) for v in (MEAN, STD)]
            ours = prepare(args.limn, folder / "same.onnx", path,
                           f"resize=128,crop=112,scale=1/255,mean={words[0]},std={words[1]}", folder)
            row.append(np.abs(ours - chain(theirs).numpy()).max() * min(STD))
            good &= row[-1] <= 1e-2
            failed += not good
            print(f"{path.name:20}" + "".join(f"{v:12.5f}" for v in row) + ("" if good else "   too far"))
        print("Numbers from 0 to 1. Allowed: 1/255 = 0.00392 for the pixels of a PNG, twice that of a JPEG, 0.01 where resized.")
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
