"""Densities from a sample against those of all pairs: Fashion-MNIST, its pixels and a hidden layer.

    python -m benchmarks.scale.accuracy FOLDER [--n 60000] [--seeds 3]

Exact sums are kept in FOLDER, and made where they are not there. Cost is the number of inner products in parts of all
pairs, of which the exact sums take each once; times are of the same process, all threads. "apart" is 1 - Spearman with
the exact score, "estimated" what the engine says of it, "covered" the share of exact scores within the 95 % interval.
Orthogonal random features (Yu et al. 2016), cosine and sine of each, get as many inner products a row as the sample.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import FASHION, Array, fashion, table, write
from dataaudit.density import bandwidth
from dataaudit_kernels.agreement import SCORES, spearman
from dataaudit_kernels.rbf_cpu import rbf_sums
from dataaudit_kernels.rbf_sampled import sampled_sums


def hidden(images: Array, labels: Array) -> Array:
    """Input of the last layer of a small convolutional network after two epochs."""
    torch.manual_seed(0)
    body = torch.nn.Sequential(
        *(torch.nn.Conv2d(1, 16, 3, stride=2), torch.nn.ReLU(), torch.nn.Conv2d(16, 32, 3, stride=2)),
        *(torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(32 * 36, 128), torch.nn.ReLU()),
    )
    network = torch.nn.Sequential(body, torch.nn.Linear(128, 10))
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    x, y = torch.tensor(images, dtype=torch.float32) / 255, torch.tensor(labels)
    for _ in range(2):
        for batch in torch.randperm(len(x)).split(128):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
            optimizer.step()
    with torch.no_grad():
        return torch.cat([body(part) for part in x.split(2000)]).numpy()


def orthogonal_features(x: Array, labels: Array, h: float, count: int, seed: int) -> tuple[Array, Array]:
    """Sums (all, same) from `count` orthogonal random frequencies, self pairs left out."""
    rng, d = np.random.default_rng(seed), x.shape[1]
    parts: list[Array] = []
    while sum(map(len, parts)) < count:
        turned, _ = np.linalg.qr(rng.normal(size=(d, d)))
        lengths = np.sqrt(rng.chisquare(d, size=(d, 1)))
        parts.append(turned * lengths * np.sqrt(2) / h)
    frequencies = np.concatenate(parts)[:count].astype(np.float32)
    classes = int(labels.max()) + 1
    sums, made = np.zeros((classes, 2 * count)), []
    centre = x[:5000].mean(0)
    for repeat in range(2):
        for start in range(0, len(x), 2000):
            angles = (x[start : start + 2000] - centre) @ frequencies.T
            features = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
            theirs = labels[start : start + 2000]
            if repeat == 0:
                for label in np.unique(theirs):
                    sums[label] += features[theirs == label].sum(0, dtype=np.float64)
            else:
                made.append((features @ sums.T / count).astype(np.float64))
    to_class = np.concatenate(made) - np.eye(classes)[labels]
    return to_class.sum(1), to_class[np.arange(len(x)), labels]


def exact(folder: Path, name: str, x: Array, labels: Array, h: float) -> tuple[Array, Array, float]:
    path = folder / f"{name}-{len(x)}-{h:.6g}.npz"
    if not path.exists():
        start = time.perf_counter()
        total, same = rbf_sums(x, labels, h)
        np.savez(path, total=total, same=same, seconds=time.perf_counter() - start)
    kept = np.load(path)
    return kept["total"], kept["same"], float(kept["seconds"])


def compared(row: dict[str, Any], total: Array, same: Array, true: tuple[Array, Array]) -> dict[str, Any]:
    for name, score in SCORES.items():
        row[f"apart {name}"] = 1 - spearman(score(total - same, same), score(true[0] - true[1], true[1]))
    return row


def covered(row: dict[str, Any], found: Any, true: tuple[Array, Array]) -> None:
    from dataaudit.density.sums import DensitySums, SumErrors

    errors = SumErrors(found.other_stderr, found.same_stderr, found.members, found.agreement)
    sums, n = DensitySums(found.total, found.same, {}, errors), len(found.total)
    scales = {"density": n, "class_density": n, "relative_density": n, "parzen": 1}
    for name, score in SCORES.items():
        row[f"estimated {name}"] = 1 - found.agreement[name]
        stderr = sums.stderr(name)
        if (stderr > 0).any():
            ours, theirs = (score(total - own, own) / scales[name] for total, own in ((found.total, found.same), true))
            row[f"covered {name}"] = float((np.abs(ours - theirs) <= 1.96 * stderr).mean())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--fashion", default=FASHION)
    parser.add_argument("--n", type=int, default=60000)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = fashion(options.fashion, options.n)
    pixels = images.reshape(len(images), -1)
    kept = folder / f"hidden-{len(images)}.npy"
    if not kept.exists():
        np.save(kept, hidden(images, labels))
    rows: list[dict[str, Any]] = []
    n = len(pixels)
    for space, x in (("input", pixels), ("hidden", np.load(kept))):
        h = bandwidth.find(x, "1x", 0).value
        total, same, slow = exact(folder, space, x, labels, h)
        for size, exact_class in ((n // 40, 0), (n // 80, 0), (n // 20, 0), (n // 20, n)):
            for control in (True, False):
                for seed in range(options.seeds):
                    start = time.perf_counter()
                    found = sampled_sums(
                        x, labels, h, tolerance=None, sample=size, exact_class=exact_class, control=control, seed=seed
                    )
                    taken = time.perf_counter() - start
                    counts = np.bincount(labels).astype(np.float64)
                    own = float((counts * (counts / 2 if exact_class else np.minimum(counts, size))).sum())
                    row = {
                        "space": space,
                        "way": "control variates" if control else "plain sample",
                        "own class": "exact" if exact_class else "sampled",
                        "seed": seed,
                        "sample": size,
                        "directions": found.rank,
                        "cost": round((float(found.members.sum()) + own) / (n * (n - 1) / 2), 3),
                        "seconds": round(taken, 2),
                        "exact seconds": round(slow, 1),
                    }
                    compared(row, found.total, found.same, (total, same))
                    covered(row, found, (total, same))
                    rows.append(row)
            print({k: f"{v:.3g}" if isinstance(v, float) else v for k, v in rows[-options.seeds].items()}, flush=True)
        for size in (n // 40, n // 20):
            for seed in range(options.seeds):
                start = time.perf_counter()
                sums = orthogonal_features(np.asarray(x, np.float32), labels, h, 2 * size, seed)
                row = {"space": space, "way": "orthogonal features", "own class": "features", "seed": seed}
                row |= {"sample": 2 * size, "directions": 0, "cost": round(2 * size * n / (n * (n - 1) / 2), 3)}
                row |= {"seconds": round(time.perf_counter() - start, 2), "exact seconds": round(slow, 1)}
                rows.append(compared(row, *sums, (total, same)))
    head = list(dict.fromkeys(key for row in rows for key in row))
    rows = [{key: row.get(key, "") for key in head} for row in rows]
    keys = [tuple(row[key] for key in ("space", "way", "own class", "sample", "cost")) for row in rows]
    shown = [key for key in head if key.split()[0] in ("seconds", "apart", "estimated", "covered")]
    middle = []
    for key in dict.fromkeys(keys):
        of = [row for row, own in zip(rows, keys, strict=True) if own == key]
        values = [[row[name] for row in of if row[name] != ""] for name in shown]
        middle.append([*key, *(f"{np.mean(some):.2g}" if some else "" for some in values)])
    table(["space", "way", "own class", "sample", "cost", *shown], middle)
    write(Path(__file__).parent / "results/accuracy.csv", rows)


if __name__ == "__main__":
    main()
