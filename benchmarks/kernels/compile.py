"""Compile every Triton kernel ahead of time for three generations of GPU, on a machine without one.

    python -m benchmarks.kernels.compile

For each variant that the launcher can ask for: registers, spills, shared memory, and the instructions of the machine
code. Exits with 1 if one spills, needs more shared memory than the card has, or multiplies without tensor cores or
without asynchronous copies (single precision without tensor cores, "float32", is asked for as such: its instructions
are fused multiply-adds).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

# The interpreter replaces the compiler where this is set.
os.environ.pop("TRITON_INTERPRET", None)

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from benchmarks.common import table, write
from dataaudit_kernels import triton_pairs, triton_plan

CARDS = {80: 163, 90: 227, 100: 227}
"""Most KiB of shared memory a block, by compute capability (CUDA programming guide, technical specifications)."""

TOOLS = Path(triton.__file__).parent / "backends/nvidia/bin"
TENSOR = {80: r"\b[HB]MMA\b|\bHMMA", 90: r"\b[HBQ]GMMA|\b[HB]MMA", 100: r"\bUTC[A-Z]*MMA|\b[HB]MMA"}
COPIES = r"\bLDGSTS|\bUTMALDG|\bUBLKCP"
ROWS = {"bfloat16": "*bf16", "float16": "*fp16"}


class Variant(NamedTuple):
    """One kernel as the launcher asks for it."""

    kernel: str
    precision: str
    gradient: bool
    symmetric: bool


def variants() -> Iterator[Variant]:
    """Everything `dataaudit_kernels.rbf_triton` launches."""
    for gradient, precisions in ((False, triton_plan.PRECISIONS), (True, triton_plan.GRADIENT_PRECISIONS)):
        for precision in precisions:
            yield Variant("sum_pairs", precision, gradient, True)
            if not gradient:
                yield Variant("sum_pairs", precision, gradient, False)
            yield Variant("sum_shifted", precision, gradient, False)
    yield Variant("add_runs", "tf32x3", False, False)


def source(variant: Variant, tile: triton_plan.Tile) -> tuple[Any, dict[str, int]]:
    """What the compiler takes, with the launcher's constants and hints."""
    kernel = getattr(triton_pairs, variant.kernel)
    constants = triton_plan.constants(tile, variant.precision, variant.gradient)
    options = {name: constants.pop(name) for name in ("num_warps", "num_stages")}
    if variant.kernel == "add_runs":
        constants, options = {"BLOCK": tile.block}, {}
    elif variant.kernel == "sum_pairs":
        constants["SYMMETRIC"] = variant.symmetric
    rows = ROWS.get(variant.precision, "*fp32")
    types = dict.fromkeys(("x", "y"), rows)
    types |= dict.fromkeys(("x_norms", "y_norms", "shifts"), "*fp32") | {"scale": "fp32"}
    types |= dict.fromkeys(("by_row", "by_column", "sums"), "*fp64")
    types |= dict.fromkeys(("x_labels", "y_labels", "runs", "programs", "own", "tiles", "layers"), "*i32")
    types |= dict.fromkeys(("stride", "count", "begin", "end", "n"), "i32")
    signature = {name: "constexpr" if name in constants else types[name] for name in kernel.arg_names}
    # Addresses from torch, and widths that are whole steps, are multiples of 16; the launcher finds the same.
    aligned = {name for name, kind in signature.items() if kind.startswith("*")} | {"stride"}
    places = {(place,): [["tt.divisibility", 16]] for place, name in enumerate(kernel.arg_names) if name in aligned}
    constexprs = {(kernel.arg_names.index(name),): value for name, value in constants.items()}
    return ASTSource(kernel, signature, constexprs, places), options


def inspect(cubin: bytes, capability: int) -> dict[str, Any]:
    """Registers, spills and instructions of machine code."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kernel.cubin"
        file.write_bytes(cubin)
        usage = subprocess.run(
            [TOOLS / "cuobjdump", "--dump-resource-usage", file], capture_output=True, text=True, check=True
        ).stdout
        code = subprocess.run([TOOLS / "nvdisasm", "-c", file], capture_output=True, text=True, check=True).stdout
    numbers = {name: int(value) for name, value in re.findall(r"\b(REG|STACK|LOCAL):(\d+)", usage)}
    return {
        "registers": numbers["REG"],
        "spills": len(re.findall(r"\b(?:STL|LDL)\b", code)),
        "tensor": len(re.findall(TENSOR[capability], code)),
        "copies": len(re.findall(COPIES, code)),
    }


def compiled(variant: Variant, capability: int) -> dict[str, Any]:
    """A row of the table; `wrong` is empty where the variant is fit to run."""
    tile = triton_plan.tile_for(variant.precision, variant.gradient, capability)
    made, options = source(variant, tile)
    found = triton.compile(made, target=GPUTarget("cuda", capability, 32), options=options)
    row = {**inspect(found.asm["cubin"], capability), "shared_kib": found.metadata.shared / 1024}
    wrong = []
    if row["spills"]:
        wrong.append("spills")
    if row["shared_kib"] > CARDS[capability]:
        wrong.append("shared memory")
    if variant.kernel != "add_runs" and variant.precision != "float32":
        wrong += [name for name, key in (("no tensor cores", "tensor"), ("no copies", "copies")) if not row[key]]
    return {"capability": capability, **variant._asdict(), **tile._asdict(), **row, "wrong": ", ".join(wrong)}


def main() -> int:
    rows = []
    for capability in CARDS:
        for variant in variants():
            rows.append(compiled(variant, capability))
    head = ["capability", "kernel", "precision", "gradient", "symmetric", "block", "step", "warps", "stages"]
    head += ["registers", "spills", "shared_kib", "tensor", "copies", "wrong"]
    table(head, [[row.get(key, "") for key in head] for row in rows])
    write(Path(__file__).parent / "results/compile.csv", [{key: row.get(key, "") for key in head} for row in rows])
    bad = [row for row in rows if row["wrong"]]
    print(f"{len(bad)} of {len(rows)} variants are not fit to run" if bad else f"all {len(rows)} variants are fit")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
