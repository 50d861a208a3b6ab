#!/usr/bin/env python3
"""Write the small pictures that tests/data/test_image.c reads.

    python3 tools/gen/images.py tests/data/images

Every picture shows the same formula: channel c of pixel (x, y) is (9 x + 14 y + 50 c) mod 256, in the depth of the file,
so the test needs no other copy of the truth. Needs Pillow.
"""
import pathlib
import sys

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 13, 7


def formula(channels, width=WIDTH, height=HEIGHT):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    return ((9 * x + 14 * y + 50 * c) % 256).astype(np.uint8)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    grey, colour, both = formula(1)[:, :, 0], formula(3), formula(4)
    Image.fromarray(grey).save(folder / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "deep.png")
    Image.fromarray(grey).point(lambda v: 255 * (v >= 128)).convert("1").save(folder / "bits.png")
    Image.fromarray(colour).save(folder / "colour.png")
    Image.fromarray(both).save(folder / "alpha.png")
    Image.fromarray(colour).quantize(256, dither=Image.Dither.NONE).save(folder / "palette.png")
    # A picture that is smooth, or JPEG would lose it.
    y, x = np.meshgrid(np.arange(16), np.arange(24), indexing="ij")
    smooth = np.stack([4 * x + 6 * y, 200 - 5 * x, 60 + 3 * y], axis=2).astype(np.uint8)
    Image.fromarray(smooth).save(folder / "smooth.jpg", quality=98, subsampling=0)
    Image.fromarray(smooth[:, :, 0]).save(folder / "grey.jpg", quality=98)
    exif = Image.Exif()
    exif[0x112] = 6  # the camera was turned: rows are columns, from right to left
    Image.fromarray(smooth).save(folder / "turned.jpg", quality=98, subsampling=0, exif=exif)


if __name__ == "__main__":
    main()
