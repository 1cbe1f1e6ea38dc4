"""Large tensors in memory that NumPy asks for: where pages may be huge, copies take less than half of torch's time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

CPU = torch.device("cpu")


def zeros(shape: tuple[int, ...], kind: str, device: torch.device) -> Tensor:
    """Zeros of one of NumPy's types on a device; on the CPU they take no memory until they are written."""
    return torch.from_numpy(np.zeros(shape, kind)).to(device)


def copied(tensor: Tensor, device: torch.device = CPU) -> Tensor:
    """Contiguous copy of a tensor on a device, which shares nothing with it."""
    if tensor.device.type == device.type == "cpu":
        return torch.from_numpy(tensor.contiguous().numpy().copy())
    return tensor.to(device, copy=True).contiguous()
