"""Devices and precisions for training."""

from __future__ import annotations

import torch

from dataaudit.errors import SettingError, did_you_mean


def resolve_device(device: str | torch.device) -> torch.device:
    """Device called `device`; "auto" takes CUDA where there is one, otherwise the CPU."""
    if str(device) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise SettingError(
            f"device {device!r}",
            "a torch device or 'auto'",
            did_you_mean(device, ("auto", "cpu", "cuda", "cuda:0", "mps")),
        ) from error
    available = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    available += ["mps"] * torch.backends.mps.is_available()
    kinds = {name.partition(":")[0] for name in available}
    if resolved.type not in kinds or (resolved.type == "cuda" and f"cuda:{resolved.index or 0}" not in available):
        raise SettingError(
            f"device {str(device)!r}, which this machine does not have",
            "one of " + ", ".join(available),
            "pass device='auto'",
        )
    return resolved


def native_bfloat16(device: torch.device) -> bool:
    """Tell whether the hardware multiplies bfloat16 natively; emulated, it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def resolve_precision(precision: str, device: torch.device) -> tuple[str, str]:
    """Precision to train in, and a sentence on why.

    "auto" looks at the hardware and never at a clock, so that a seed means the same run every time.
    """
    if precision == "auto":
        if native_bfloat16(device):
            return "bfloat16", f"precision auto: bfloat16, which this {device.type} multiplies natively"
        return "float32", f"precision auto: float32, for this {device.type} has no native bfloat16"
    if precision == "bfloat16" and device.type == "mps":
        raise SettingError(
            "precision='bfloat16' on an mps device", "cpu or cuda for bfloat16", "pass precision='float32'"
        )
    return precision, f"precision {precision}: as asked"


def cuda_devices(device: torch.device) -> list[torch.device]:
    """Devices besides the CPU whose generators `torch.random.fork_rng` keeps."""
    return [device] if device.type == "cuda" else []
