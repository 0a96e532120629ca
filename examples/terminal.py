"""What the examples share: their command line, and grey images printed as text."""

import argparse
import sys
import time

import numpy as np

import kerasish as keras

SHADES = " ░▒▓█"


def run(main):
    """Calls an example's `main` on the chosen backend and says how long it took."""
    parser = argparse.ArgumentParser(
        description=sys.modules[main.__module__].__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--fast", action="store_true", help="a short training, a few seconds")
    parser.add_argument(
        "--backend", default=keras.config.backend(), help="numpy, torch, jax or tensorflow"
    )
    chosen = parser.parse_args()
    keras.config.set_backend(chosen.backend)
    start = time.perf_counter()
    main(fast=chosen.fast)
    print(f"{time.perf_counter() - start:.1f} s on the {chosen.backend} backend")


def show(images, captions=()):
    """Prints images `(n, height, width)` of values from 0 to 1 side by side."""
    images = np.asarray(images)
    levels = np.clip(images * len(SHADES), 0, len(SHADES) - 1).astype(int)
    for row in range(levels.shape[1]):
        print("   ".join("".join(SHADES[v] * 2 for v in image[row]) for image in levels))
    print("   ".join(str(caption).center(2 * levels.shape[2]) for caption in captions))
