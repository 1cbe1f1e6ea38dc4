"""Devices for training."""

from __future__ import annotations

import torch
from torch import Tensor

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


def cuda_devices(device: torch.device) -> list[torch.device]:
    """Devices besides the CPU whose generators `torch.random.fork_rng` keeps."""
    return [device] if device.type == "cuda" else []


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device; a graphics card is sent it from pinned memory, while it goes on computing."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def notes_on_cards(device: torch.device) -> list[str]:
    """Note on graphics cards that are not used."""
    cards = torch.cuda.device_count() if device.type == "cuda" else 0
    return [f"one of {cards} graphics cards is used: {device}"] if cards > 1 else []
