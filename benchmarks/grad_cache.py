"""Gradient caching: a batch of 4,096 in the memory of 256, and how far its gradients are off.

    python benchmarks/grad_cache.py --out build/grad_cache.json

Memory: each setting runs in a process of its own. Counted is the kernel's high-water mark of
resident memory (VmHWM, Linux) after the step, less what was resident before it: weights and the
batch's pixels (uint8) are there before; activations, gradients and the loss are not. Gradients:
the same batch at a quarter of the side, whole and in chunks, in float32 and in float64, each
against float64 whole. One thread, a depthwise-separable network with normalisation over
channels, InfoNCE over pairs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from coordi.objectives import cached_backward
from coordi.objectives.metric import make_loss

DIM = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--big", type=int, default=4096, help="rows of the big batch")
    parser.add_argument("--small", type=int, default=256, help="rows of the small one, and a chunk")
    parser.add_argument("--side", type=int, default=48, help="side of the pictures, in pixels")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--chunk", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        print(json.dumps(step(arguments.batch, arguments.chunk, arguments.side, arguments.child)))
        return
    result = measure(arguments.big, arguments.small, arguments.side)
    print(json.dumps(result, indent=2))
    if arguments.out is not None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def measure(big: int, small: int, side: int) -> dict[str, Any]:
    """The three settings, and the differences between the gradients of the big batch."""
    settings = {
        f"whole, {small}": (small, 0),
        f"whole, {big}": (big, 0),
        f"cached, {big} by {small}": (big, small),
    }
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.pt"
        torch.save(learned(side).state_dict(), weights)
        rows = {
            name: in_own_process(batch, chunk, side, weights)
            for name, (batch, chunk) in settings.items()
        }
    return {"steps": rows, "gradients": differences(big, small, side // 4)}


def differences(big: int, small: int, side: int) -> dict[str, float]:
    """Largest ‖g − g₆₄‖ / ‖g₆₄‖ of any weight, g₆₄ the whole batch's gradient in float64."""
    net = learned(side)
    pixels, labels = pictures(big, side), torch.arange(big) // 2

    def gradients(chunk: int, dtype: torch.dtype) -> list[Tensor]:
        net.to(dtype).zero_grad()
        backward(net, pixels, labels, chunk)
        return [p.grad.to(torch.float64, copy=True) for p in net.parameters() if p.grad is not None]

    truth = gradients(0, torch.float64)
    kinds = {"whole": 0, "cached": small}
    found = {
        f"{name}, {str(dtype).removeprefix('torch.')}": gradients(chunk, dtype)
        for dtype in (torch.float64, torch.float32)
        for name, chunk in kinds.items()
    }
    return {
        name: max(float((g - t).norm() / t.norm()) for g, t in zip(each, truth, strict=True))
        for name, each in found.items()
    }


def learned(side: int, steps: int = 40) -> nn.Module:
    """A network that tells pictures apart: the gradients of a fresh one are mostly rounding."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = network()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    pixels = pictures(64 * steps, side).split(64)
    for piece in pixels:
        optimizer.zero_grad()
        backward(net, piece, torch.arange(64) // 2, 0)
        optimizer.step()
    return net


def in_own_process(batch: int, chunk: int, side: int, weights: Path) -> dict[str, float]:
    """Run `step` where no other step has left its mark."""
    command = [sys.executable, __file__, "--child", str(weights)]
    command += ["--batch", str(batch), "--chunk", str(chunk), "--side", str(side)]
    # A fixed threshold: else glibc keeps freed blocks and the mark says what it hoards.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(1 << 20)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def step(batch: int, chunk: int, side: int, weights: Path) -> dict[str, float]:
    """One batch's gradients; memory in MiB, time in seconds."""
    torch.set_num_threads(1)
    net = network()
    net.load_state_dict(torch.load(weights))
    warm_up(net, side)
    pixels, labels = pictures(batch, side), torch.arange(batch) // 2
    Path("/proc/self/clear_refs").write_text("5")  # the mark falls to what is resident now
    before, start = high_water(), time.perf_counter()
    value = backward(net, pixels, labels, chunk)
    seconds, after = time.perf_counter() - start, high_water()
    return {
        "memory above the start, MiB": round((after - before) / 1024, 1),
        "seconds": round(seconds, 2),
        "loss": round(value, 6),
    }


def warm_up(net: nn.Module, side: int) -> None:
    """Have loaded what torch loads at first use, some 45 MiB of modules for a blockwise loss."""
    backward(net, pictures(8, side), torch.arange(8) // 2, 4)
    rows = torch.randn(2048, DIM, requires_grad=True)
    make_loss("infonce", dim=DIM, classes=0)(rows, torch.arange(2048) // 2).backward()


def backward(net: nn.Module, pixels: Tensor, labels: Tensor, chunk: int) -> float:
    """One step's gradients, whole or in chunks."""
    loss = make_loss("infonce", dim=DIM, classes=0)

    def encode(piece: Tensor) -> Tensor:
        return functional.normalize(net(piece.to(next(net.parameters()).dtype) / 255), dim=1)

    if chunk:
        return float(cached_backward(encode, pixels, lambda rows: loss(rows, labels), chunk))
    value = loss(encode(pixels), labels)
    value.backward()
    return float(value.detach())


def network() -> nn.Module:
    """Five depthwise-separable blocks, as in MobileNet, to DIM columns."""
    widths = (16, 32, 64, 128, 128)
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU()]
    for number, (inputs, outputs) in enumerate(zip((16, *widths), widths, strict=False)):
        stride = 2 if number % 2 else 1
        layers += [
            nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs),
            nn.GroupNorm(1, inputs),
            nn.Conv2d(inputs, outputs, 1),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, DIM))


def pictures(count: int, side: int) -> Tensor:
    """Seeded pixels (count, 3, side, side), uint8: coloured squares, two like ones to a label."""
    draw = torch.Generator().manual_seed(1)
    coarse = torch.randint(0, 256, (count // 2, 3, 4, 4), generator=draw)
    pairs = coarse.repeat_interleave(2, 0) + torch.randint(
        -16, 17, (count, 3, 4, 4), generator=draw
    )
    fine = pairs.clamp(0, 255).to(torch.uint8)
    return fine.repeat_interleave(side // 4, 2).repeat_interleave(side // 4, 3)


def high_water() -> int:
    """The most memory that was resident at once, in KiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0])


if __name__ == "__main__":
    main()
