"""All pairs of 1e8 rows of 512 features on 8 GPUs, on paper: bytes, pairs, seconds by the roofline, and by simulation.

    python -m benchmarks.scale.cluster [--rows 100000000] [--features 512] [--gpus 8] [--blocks 524288 2097152]
        [--copy 55e9 10e9] [--share 1.0] [--memory 2e12]

Nothing is measured here but a simulation. The roofline is the least time that the card's stated peaks allow, where
reading, products and exponentials overlap: NVIDIA's data sheet of the H100 SXM (989.4 TFLOP/s in bfloat16 without
sparsity and 3.35 TB/s of memory, 132 multiprocessors, which at 4096 operations a clock each makes 1.83 GHz) and CUDA's
programming guide (16 exponentials a clock and multiprocessor). A pair takes d multiply-adds and one exponential, and is
computed for both of its rows at once ("once"), or for each of them ("twice", as the Triton engine does between two
ranges). Columns stay in half of the L2 cache (50 MB) while all rows pass by, as the Triton kernels have it.

The simulation hands the engine's own blocks, in the engine's order and with its bounds on what is started ahead, to
workers that each have one GPU, eight to a host: a worker reads what of its two ranges the host's memory does not hold,
copies both to the GPU in float32, computes at a stated share of the roofline, and returns its sums to the driver, which
adds one block at a time. Nothing overlaps within a worker, and none keeps a range on its GPU, for the engine does
neither. The speeds of file system, host memory, network and driver are assumptions, named below. Then a worker is lost
half-way and for good: its block is computed again by the others.
"""

from __future__ import annotations

import argparse
import heapq
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import table, write
from dataaudit.cluster.schedule import AHEAD, BlockSchedule
from dataaudit.common.ray_tasks import IN_FLIGHT

PRODUCTS = 989.4e12 / 2
"""Multiply-adds a second in bfloat16."""

MEMORY = 3.35e12
"""Bytes a second of the card's memory."""

EXPONENTIALS = 16 * 132 * 1.83e9
"""A second."""

SLAB = 25e6
"""Bytes of columns in the L2 cache: the rows of a block are read once for as many."""

HOST = 8
"""GPUs of a host."""

FILE_SYSTEM = 5e9
"""Bytes a second that one worker reads, of pages that the host does not hold yet; assumed."""

COPY = (55e9, 10e9)
"""Bytes a second from the host's memory to the card: near the peak of PCIe 5, and as pageable copies are; assumed."""

NETWORK = 2.5e9
"""Bytes a second into the driver, which adds them; assumed."""

STARTING = 0.005
"""Seconds to hand out a task; assumed."""

VALUE = 4
"""Bytes of a value in the file."""


@dataclass(frozen=True)
class Case:
    """What is computed where."""

    rows: int
    features: int
    gpus: int
    block: int
    passes: int
    share: float
    copy: float
    memory: float

    @property
    def schedule(self) -> BlockSchedule:
        return BlockSchedule(self.rows, self.block)


def roofline(case: Case) -> dict[str, float]:
    """Seconds by bound, for all pairs on all GPUs."""
    pairs = case.passes * case.schedule.all_pairs
    width = 2 * case.features
    read = pairs * width * width / SLAB
    return {
        "products": pairs * case.features / PRODUCTS / case.gpus,
        "exponentials": pairs / EXPONENTIALS / case.gpus,
        "memory": read / MEMORY / case.gpus,
    }


def simulate(case: Case, lose: float | None = None) -> dict[str, float]:
    """Seconds until all blocks are added, by the order of events.

    Parameters
    ----------
    case
        What is computed where.
    lose
        Seconds after which a worker is lost for good, with the block that it has begun; none if None.
    """
    schedule = case.schedule
    order = schedule.order.tolist()
    sizes = [schedule.size(number) for number in range(schedule.ranges)]
    rate = PRODUCTS / case.features * case.share / case.passes
    row = case.features * VALUE
    window, most = AHEAD * case.gpus, IN_FLIGHT * case.gpus
    hosts: list[dict[int, None]] = [{} for _ in range(-(-case.gpus // HOST))]
    keep = max(1, int(case.memory / (case.block * row)))
    free = [(0.0, worker) for worker in range(case.gpus)]
    heapq.heapify(free)
    running: list[tuple[float, int, int]] = []
    waiting, unfinished = list(range(schedule.tasks - 1, -1, -1)), set[int]()
    read = copied = busy = 0.0
    driver, lost, again = 0.0, False, 0
    largest = 0

    def begin(now: float, worker: int, task: int) -> None:
        nonlocal read, copied, busy
        a, b = order[task]
        seconds = STARTING
        held = hosts[worker // HOST]
        for number in {a, b}:
            amount = sizes[number] * row
            if number in held:
                del held[number]
            else:
                seconds += amount / FILE_SYSTEM
                read += amount
            held[number] = None
            if len(held) > keep:
                del held[next(iter(held))]
            seconds += amount / case.copy
            copied += amount
        compute = schedule.pairs(task) / rate
        busy += compute
        heapq.heappush(running, (now + seconds + compute, worker, task))
        unfinished.add(task)

    while waiting or running:
        while waiting and free and len(running) < most:
            oldest = min(unfinished, default=waiting[-1])
            if waiting[-1] - oldest >= window:
                break
            now, worker = heapq.heappop(free)
            begin(now, worker, waiting.pop())
        end, worker, task = heapq.heappop(running)
        if lose is not None and not lost and end >= lose and worker == 0:
            lost, again = True, again + 1
            waiting.append(task)
            unfinished.discard(task)
            continue
        unfinished.discard(task)
        a, b = order[task]
        amount = 16 * (sizes[a] + (sizes[b] if a != b else 0))
        driver = max(driver, end) + amount / NETWORK
        largest = max(largest, amount)
        # The driver hands out the next task when it has taken this one's sums.
        heapq.heappush(free, (end, worker))
    return {
        "seconds": driver,
        "read": read,
        "copied": copied,
        "busy": busy / case.gpus / driver,
        "again": again,
        "held": window * largest,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--gpus", type=int, default=8)
    parser.add_argument("--blocks", type=int, nargs="+", default=[524_288, 2_097_152])
    parser.add_argument("--copy", type=float, nargs="+", default=list(COPY), help="bytes a second to a card")
    parser.add_argument("--share", type=float, default=1.0, help="of the roofline that a card attains")
    parser.add_argument("--memory", type=float, default=2e12, help="bytes of a host")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results/cluster.csv")
    options = parser.parse_args()
    found: list[dict[str, Any]] = []
    for passes in (1, 2):
        for block in options.blocks:
            for copy in options.copy:
                size = (options.rows, options.features, options.gpus, block)
                case = Case(*size, passes, options.share, copy, options.memory)
                bounds = roofline(case)
                bound = max(bounds, key=lambda name: bounds[name])
                whole = simulate(case)
                short = simulate(case, lose=whole["seconds"] / 2)
                schedule = case.schedule
                found.append(
                    {
                        "rows": case.rows,
                        "features": case.features,
                        "gpus": case.gpus,
                        "pairs": passes * schedule.all_pairs,
                        "passes": "once" if passes == 1 else "twice",
                        "block_rows": block,
                        "blocks": schedule.tasks,
                        "file_bytes": case.rows * case.features * VALUE,
                        "block_bytes": schedule.all_read * case.features * VALUE,
                        **{f"roofline_{name}_s": round(seconds, 2) for name, seconds in bounds.items()},
                        "bound": bound,
                        "roofline_s": round(bounds[bound], 1),
                        "share_of_roofline": options.share,
                        "copy_bytes_a_second": copy,
                        "simulated_s": round(whole["seconds"], 1),
                        "read_bytes": int(whole["read"]),
                        "copied_bytes": int(whole["copied"]),
                        "busy": round(whole["busy"], 3),
                        "driver_holds_bytes": int(whole["held"]),
                        "a_worker_lost_half_way_s": round(short["seconds"], 1),
                        "blocks_again": int(short["again"]),
                    }
                )
    first = found[0]
    print(f"{first['rows']:.0e} rows x {first['features']} float32: {first['file_bytes'] / 1e9:.0f} GB in the file")
    print(f"{first['pairs']:.3e} unordered pairs; H100 SXM roofline on {first['gpus']} GPUs, in seconds:")
    for name in ("products", "exponentials", "memory"):
        print(f"  {name:<13} {first[f'roofline_{name}_s']:8.1f} once, {2 * first[f'roofline_{name}_s']:8.1f} twice")
    print()
    table(
        [
            "pairs",
            "rows a range",
            "blocks",
            "GB/s to card",
            "roofline s",
            "simulated s",
            "copied TB",
            "busy",
            "lost: s",
        ],
        [
            [
                row["passes"],
                row["block_rows"],
                row["blocks"],
                f"{row['copy_bytes_a_second'] / 1e9:g}",
                row["roofline_s"],
                row["simulated_s"],
                f"{row['copied_bytes'] / 1e12:.1f}",
                row["busy"],
                f"{row['a_worker_lost_half_way_s']} (+{row['blocks_again']} block)",
            ]
            for row in found
        ],
    )
    write(options.out, found)


if __name__ == "__main__":
    main()
