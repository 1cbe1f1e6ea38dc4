"""Blocks of inner products on the CPU, at the speed of the multiply-add units.

Rows are packed in panels of `PANEL` rows, ``words[panel, k, row]``, where a word is 4 bytes: one float32, two
bfloat16, or four 8-bit pixels (two without AVX-512 VNNI). One packed copy serves as both factors, and the innermost
loop, written for the vector width of this CPU, keeps 8 x 48 sums (4 x 24 without AVX-512) in registers.
benchmarks/kernels/speed.py holds it against OpenBLAS; bfloat16 products come out in float32, which OpenBLAS and
oneDNN do not offer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from dataaudit_kernels.compiled import compiled

Kind = Literal["float32", "bfloat16", "uint8"]

PANEL = 48
"""Rows of a panel; a multiple of every register block below."""

DEPTH = 64
"""Words summed in registers before they are added to the block: two panels of so many fit the first cache, and the
rounding of long rows is bounded."""

_FLIP = -0x7F7F7F80  # 0x80808080 as a signed word: turns four signed pixels into unsigned ones.
_I32, _I64 = ir.IntType(32), ir.IntType(64)


class _BFloat(ir.Type):  # type: ignore[misc]
    """LLVM's 16-bit brain float, which llvmlite has no name for."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BFloat)

    def __hash__(self) -> int:
        return hash(_BFloat)


def features() -> frozenset[str]:
    """Vector extensions that Numba compiles for on this machine."""
    if config.CPU_NAME == "generic":
        return frozenset()
    if config.CPU_FEATURES:
        return frozenset(part[1:] for part in config.CPU_FEATURES.split(",") if part.startswith("+"))
    return frozenset(name for name, there in binding.get_host_cpu_features().items() if there)


def _pixel_instruction() -> tuple[str, int] | None:
    """Instruction that sums products of pixels in int32 words, and the pixels in a word; None where there is none."""
    extensions = features()
    if "avx512vnni" in extensions:
        return "llvm.x86.avx512.vpdpbusd.512", 4
    if "avx512bw" in extensions:
        return "llvm.x86.avx512.pmaddw.d.512", 2
    if "avx2" in extensions and "avx512f" not in extensions:
        return "llvm.x86.avx2.pmadd.wd", 2
    return None


def supported() -> tuple[Kind, ...]:
    """Kinds of products that this CPU has instructions for; float32 is always among them."""
    kinds: list[Kind] = ["float32"]
    if "avx512bf16" in features():
        kinds.append("bfloat16")
    if _pixel_instruction() is not None:
        kinds.append("uint8")
    return tuple(kinds)


def per_word(kind: Kind) -> int:
    """Values in a word of 4 bytes."""
    pixels = _pixel_instruction()
    return {"float32": 1, "bfloat16": 2, "uint8": pixels[1] if pixels else 1}[kind]


def pixel_shift() -> int:
    """Shift of the left factor of products of pixels: the instruction for four pixels wants it unsigned."""
    return 128 if per_word("uint8") == 4 else 0


def _registers(kind: Kind) -> tuple[int, int, int]:
    """Rows, vectors of columns and vector width of the register block."""
    if "avx512f" in features():
        return 8, 3, 16
    if "avx2" in features():
        # Sums of pixels without VNNI need a register in between: more of them would not fit the 16.
        return (4, 3, 8) if kind != "uint8" else (4, 2, 8)
    return 4, 2, 4


def _multiply_add(kind: Kind, width: int) -> tuple[ir.Type, ir.Type, Callable[..., Any]]:
    """Types of a word and of a sum, and the instruction sums + a * b of whole vectors."""
    sums = ir.VectorType(ir.FloatType(), width)
    if kind == "float32":
        signature = ir.FunctionType(sums, [sums] * 3)

        def fused(builder: Any, total: Any, a: Any, b: Any) -> Any:
            call = cgutils.get_or_insert_function(builder.module, signature, f"llvm.fmuladd.v{width}f32")
            return builder.call(call, [a, b, total])

        return ir.FloatType(), ir.FloatType(), fused
    words = ir.VectorType(_I32, width)
    pixels = _pixel_instruction()
    if kind == "uint8" and pixels is not None:
        name, count = pixels

        def dot_pixels(builder: Any, total: Any, a: Any, b: Any) -> Any:
            if count == 4:
                fours = ir.FunctionType(words, [words] * 3)
                return builder.call(cgutils.get_or_insert_function(builder.module, fours, name), [total, a, b])
            shorts = ir.VectorType(ir.IntType(16), 2 * width)
            call = cgutils.get_or_insert_function(builder.module, ir.FunctionType(words, [shorts, shorts]), name)
            return builder.add(total, builder.call(call, [builder.bitcast(a, shorts), builder.bitcast(b, shorts)]))

        return _I32, _I32, dot_pixels
    halves = ir.VectorType(_BFloat(), 2 * width)
    brains = ir.FunctionType(sums, [sums, halves, halves])

    def dot_brains(builder: Any, total: Any, a: Any, b: Any) -> Any:
        name = f"llvm.x86.avx512bf16.dpbf16ps.{32 * width}"
        call = cgutils.get_or_insert_function(builder.module, brains, name)
        return builder.call(call, [total, builder.bitcast(a, halves), builder.bitcast(b, halves)])

    return _I32, ir.FloatType(), dot_brains


def _prefetch(builder: Any, address: Any) -> None:
    """Prefetch the cache line at an address, to be written."""
    pointer = ir.IntType(8).as_pointer()
    signature = ir.FunctionType(ir.VoidType(), [pointer, _I32, _I32, _I32])
    call = cgutils.get_or_insert_function(builder.module, signature, "llvm.prefetch.p0")
    write, keep, data = (ir.Constant(_I32, flag) for flag in (1, 3, 1))
    builder.call(call, [builder.inttoptr(address, pointer), write, keep, data])


def _kind(words: types.Array, out: types.Array) -> Kind:
    """Kind of products of packed words that are written to a block, by the types of both."""
    if words.dtype == types.float32:
        return "float32"
    return "uint8" if out.dtype == types.int32 else "bfloat16"


@intrinsic
def _register_shape(context, words, out):
    """Rows and columns of a register block."""
    rows, vectors, width = _registers(_kind(words, out))
    shape = types.UniTuple(types.intp, 2)

    def generate(context, builder, signature, arguments):
        sizes = [ir.Constant(_I64, rows), ir.Constant(_I64, vectors * width)]
        return context.make_tuple(builder, shape, sizes)

    return shape(words, out), generate


@intrinsic
def _multiply(context, words, out, a, b, depth, corner, stride, fresh):
    """Inner loop: rows x (vectors * width) inner products over `depth` words, of a kind told by `words` and `out`.

    The others are addresses in bytes: of the first row's and the first column's word in their panels, and of the
    block's corner, whose rows are `stride` values apart; `fresh` writes, otherwise it adds.
    """
    address = types.intp
    signature = types.void(words, out, address, address, address, address, address, types.boolean)
    return signature, _register_block(_kind(words, out))


def _register_block(kind: Kind) -> Callable[..., Any]:
    """Code of `_multiply`."""
    rows, vectors, width = _registers(kind)
    word, value, multiply_add = _multiply_add(kind, width)
    words, sums = ir.VectorType(word, width), ir.VectorType(value, width)
    same = ir.Constant(ir.VectorType(_I32, width), [0] * width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b, depth, corner, stride, fresh = arguments[2:]

        def number(x: int) -> Any:
            return ir.Constant(_I64, x)

        def at(base: Any, offset: Any, kind: ir.Type) -> Any:
            return builder.inttoptr(builder.add(base, builder.mul(offset, number(4))), kind.as_pointer())

        def load(pointer: Any) -> Any:
            loaded = builder.load(pointer)
            loaded.align = 4
            return loaded

        grid = [(row, vector) for row in range(rows) for vector in range(vectors)]
        with builder.goto_entry_block():
            total = {cell: builder.alloca(sums) for cell in grid}
        for cell in grid:
            builder.store(ir.Constant(sums, None), total[cell])
        # The block is read when the loop ends: it is prefetched now.
        for row in range(rows):
            for byte in range(0, 4 * vectors * width, 64):
                line = builder.add(corner, builder.mul(number(4 * row), stride))
                _prefetch(builder, builder.add(line, number(byte)))
        with cgutils.for_range(builder, depth, intp=_I64) as loop:
            start = builder.mul(loop.index, number(PANEL))
            columns = [load(at(b, builder.add(start, number(v * width)), words)) for v in range(vectors)]
            for row in range(rows):
                one = load(at(a, builder.add(start, number(row)), word))
                if kind == "uint8" and pixel_shift():
                    one = builder.xor(one, ir.Constant(_I32, _FLIP))
                nothing = ir.Constant(words, ir.Undefined)
                spread = builder.insert_element(nothing, one, ir.Constant(_I32, 0))
                spread = builder.shuffle_vector(spread, nothing, same)
                for vector in range(vectors):
                    pointer = total[row, vector]
                    added = multiply_add(builder, builder.load(pointer), spread, columns[vector])
                    builder.store(added, pointer)
        add = builder.add if value == _I32 else builder.fadd
        with builder.if_else(fresh) as (write, accumulate):
            for branch, adds in ((write, False), (accumulate, True)):
                with branch:
                    for row, vector in grid:
                        offset = builder.add(builder.mul(number(row), stride), number(vector * width))
                        target = at(corner, offset, sums)
                        result = builder.load(total[row, vector])
                        builder.store(add(load(target), result) if adds else result, target).align = 4
        return context.get_dummy_value()

    return generate


@compiled()
def block_products(a, first_a, count_a, b, first_b, count_b, depth, out):
    """Inner products of panels ``first_a .. first_a + count_a`` of `a` with those of `b`, written to `out`.

    `a` and `b` are packed words, flat, of `depth` words a row; `out`, of at least [PANEL count_a, PANEL count_b], is
    float32, or int32 for pixels, whose products are (a + pixel_shift()) b with a and b in -128..127.
    """
    stride = out.strides[0] // 4
    corner = out.ctypes.data
    start_a = a.ctypes.data
    start_b = b.ctypes.data
    rows, columns = _register_shape(a, out)
    for k in range(0, depth, DEPTH):
        part = min(DEPTH, depth - k)
        for q in range(count_b):
            right = start_b + 4 * PANEL * ((first_b + q) * depth + k)
            for p in range(count_a):
                left = start_a + 4 * PANEL * ((first_a + p) * depth + k)
                for c in range(0, PANEL, columns):
                    for r in range(0, PANEL, rows):
                        target = corner + 4 * ((p * PANEL + r) * stride + q * PANEL + c)
                        _multiply(a, out, left + 4 * r, right + 4 * c, part, target, stride, k == 0)
