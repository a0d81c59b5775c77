"""Trains the `digits` network and writes weights and test images to `digits.bin`.

    pip install numpy scikit-learn
    python3 workloads/data/train_digits.py [OUTPUT]

The data are the 1,797 handwritten digits (8x8 pixels, 0 to 16) that scikit-learn bundles; nothing is fetched. A
fixed split, stratified by digit (`train_test_split` with `random_state=0`), keeps 1,297 images for training and 500
for testing. Everything was tuned on 300 of the training images (`--validate`); the test images are looked at once, at
the end. Both parts hold digits of the same 13 writers, so the
accuracy says nothing about writers that the training has not seen.

The network is shaped for homomorphic encryption with one ciphertext per activation (see README.md):

    input 1x8x8 in [0, 1] -> convolution 3x3, stride 2, padding 1, 7 channels (7x4x4)
                          -> square -> dense 112 to 10

1,967 multiply-accumulates and 112 squares an image, two levels and the last. Seeds are fixed: the same versions of Python and
numpy write the same bytes.
"""

import argparse
import pathlib
import struct

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 20
SPLIT_SEED = 0
TEST_IMAGES = 500
VALIDATION_IMAGES = 300
CHANNELS = 7
SIDE = 8
KERNEL = 3
STRIDE = 2
PADDING = 1
OUT_SIDE = 4
FEATURES = CHANNELS * OUT_SIDE * OUT_SIDE
CLASSES = 10
EPOCHS = 800
BATCH = 64
LEARNING_RATE = 1e-2
WEIGHT_DECAY = 1e-3
TURN = 0.11
STRETCH = 0.06
SHIFT = 0.67
NOISE = 0.03


def load():
    """Images as n x 8 x 8 in [0, 1] and labels, training part first, the test part being the last 500."""
    data = load_digits()
    labels = data.target.astype(np.int64)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_IMAGES, stratify=labels, random_state=SPLIT_SEED
    )
    order = np.concatenate([train, test])
    return data.images[order] / 16.0, labels[order]


def patches(images):
    """Rows of the convolution: n x 16 positions x 9 taps, both row-major, zeros outside the image."""
    padded = np.pad(images, ((0, 0), (PADDING, PADDING), (PADDING, PADDING)))
    columns = [
        padded[:, i : i + STRIDE * OUT_SIDE : STRIDE, j : j + STRIDE * OUT_SIDE : STRIDE].reshape(len(images), -1)
        for i in range(KERNEL)
        for j in range(KERNEL)
    ]
    return np.stack(columns, axis=2)


def forward(parameters, images):
    """Convolution outputs (n x channel x position) and logits."""
    kernel, conv_bias, dense, dense_bias = parameters
    conv = np.einsum("npt,ct->ncp", patches(images), kernel) + conv_bias[:, None]
    logits = (conv**2).reshape(len(images), FEATURES) @ dense.T + dense_bias
    return conv, logits


def gradients(parameters, images, labels):
    """Gradient of the cross entropy with weight decay, in the order of the parameters."""
    kernel, _, dense, _ = parameters
    rows = patches(images)
    conv, logits = forward(parameters, images)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    error = shifted / shifted.sum(axis=1, keepdims=True)
    error[np.arange(len(labels)), labels] -= 1
    error /= len(labels)
    squares = (conv**2).reshape(len(images), FEATURES)
    back = (error @ dense).reshape(conv.shape) * 2 * conv
    return [
        np.einsum("ncp,npt->ct", back, rows) + WEIGHT_DECAY * kernel,
        back.sum(axis=(0, 2)),
        error.T @ squares + WEIGHT_DECAY * dense,
        error.sum(axis=0),
    ]


def augment(images, rng):
    """Moves each image by up to one pixel, between pixels too, turns it a little and adds noise."""
    count = len(images)
    angle = rng.uniform(-TURN, TURN, count)[:, None, None]
    scale = 1 + rng.uniform(-STRETCH, STRETCH, count)[:, None, None]
    shear = rng.uniform(-TURN, TURN, count)[:, None, None]
    move = rng.uniform(-SHIFT, SHIFT, (2, count, 1, 1))
    centre = (SIDE - 1) / 2
    y, x = np.meshgrid(np.arange(SIDE) - centre, np.arange(SIDE) - centre, indexing="ij")
    y, x = y[None], x[None]
    source_y = scale * (np.cos(angle) * y - np.sin(angle) * x) + centre + move[0]
    source_x = scale * (np.sin(angle) * y + np.cos(angle) * x + shear * y) + centre + move[1]
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    source_y = np.clip(source_y + 2, 0, SIDE + 2.999)
    source_x = np.clip(source_x + 2, 0, SIDE + 2.999)
    top, left = np.floor(source_y).astype(int), np.floor(source_x).astype(int)
    down, right = source_y - top, source_x - left
    pick = np.arange(count)[:, None, None]
    moved = (
        padded[pick, top, left] * (1 - down) * (1 - right)
        + padded[pick, top + 1, left] * down * (1 - right)
        + padded[pick, top, left + 1] * (1 - down) * right
        + padded[pick, top + 1, left + 1] * down * right
    )
    return np.clip(moved + rng.normal(0, NOISE, moved.shape), 0, 1)


def train(images, labels, seed):
    """Adam with a cosine schedule; returns the mean of the parameters over the last tenth of the epochs."""
    rng = np.random.default_rng(seed)
    parameters = [
        rng.normal(0, 0.4, (CHANNELS, KERNEL * KERNEL)),
        np.zeros(CHANNELS),
        rng.normal(0, 0.1, (CLASSES, FEATURES)),
        np.zeros(CLASSES),
    ]
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    total = [np.zeros_like(p) for p in parameters]
    step, kept = 0, 0
    for epoch in range(EPOCHS):
        rate = LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS)) + 1e-5
        order = rng.permutation(len(images))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            step += 1
            grads = gradients(parameters, augment(images[chosen], rng), labels[chosen])
            for i, grad in enumerate(grads):
                first[i] = 0.9 * first[i] + 0.1 * grad
                second[i] = 0.999 * second[i] + 0.001 * grad**2
                mean, square = first[i] / (1 - 0.9**step), second[i] / (1 - 0.999**step)
                parameters[i] = parameters[i] - rate * mean / (np.sqrt(square) + 1e-8)
        if epoch >= EPOCHS - EPOCHS // 10:
            total = [t + p for t, p in zip(total, parameters)]
            kept += 1
    return [(t / kept).astype(np.float32) for t in total]


def accuracy(parameters, images, labels):
    """Share of images whose largest logit is the label's."""
    return float(np.mean(forward(parameters, images)[1].argmax(axis=1) == labels))


def write(path, parameters, raw_images, labels):
    """The layout that README.md describes byte by byte."""
    header = struct.pack(
        "<8sIIIIIIII", b"HETDIGIT", 1, CHANNELS, SIDE, KERNEL, STRIDE, PADDING, CLASSES, len(labels)
    )
    body = b"".join(p.astype("<f4").tobytes() for p in parameters)
    body += raw_images.astype(np.uint8).tobytes() + labels.astype(np.uint8).tobytes()
    path.write_bytes(header + body)


def multiply_accumulates():
    """Taps inside the image, and the dense layer."""
    inside = [
        sum(0 <= STRIDE * out + tap - PADDING < SIDE for tap in range(KERNEL)) for out in range(OUT_SIDE)
    ]
    return CHANNELS * sum(inside) ** 2, FEATURES * CLASSES


def main():
    arguments = argparse.ArgumentParser(description="Train the digits network.")
    arguments.add_argument("output", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).with_name("digits.bin"))
    arguments.add_argument("--validate", action="store_true", help="hold 300 training images out; write nothing")
    arguments.add_argument("--seed", type=int, default=SEED)
    options = arguments.parse_args()
    images, labels = load()
    end = len(images) - TEST_IMAGES if options.validate else len(images)
    fit = end - (VALIDATION_IMAGES if options.validate else TEST_IMAGES)
    parameters = train(images[:fit], labels[:fit], options.seed)
    held, held_labels = images[fit:end], labels[fit:end]
    conv, logits = forward(parameters, images[:end])
    conv_macs, dense_macs = multiply_accumulates()
    print(f"multiply-accumulates an image: {conv_macs} + {dense_macs} = {conv_macs + dense_macs}")
    print(f"train accuracy: {accuracy(parameters, images[:fit], labels[:fit]):.4f} ({fit} images)")
    print(f"held-out accuracy: {accuracy(parameters, held, held_labels):.4f} ({len(held)} images)")
    print(f"largest |convolution|: {np.abs(conv).max():.2f}, |square|: {(conv**2).max():.2f}, |logit|: {np.abs(logits).max():.2f}")
    print(f"largest |weight|: {max(np.abs(p).max() for p in parameters):.2f}")
    if not options.validate:
        write(options.output, parameters, (images[fit:] * 16).round(), held_labels)
        print(f"wrote {options.output.name}, {options.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
