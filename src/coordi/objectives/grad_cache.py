"""Gradient caching: the gradients of a big batch in the memory of a small one (Gao et al. 2021).

"Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", section 3. Three steps:
encode all chunks without a graph; take the loss of all embeddings together and its gradient
with respect to them; encode chunk by chunk again, now with a graph, and push that gradient
through. Cost: one more forward pass. The gradients are the big batch's to rounding.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from coordi.errors import InputError

Encode = Callable[..., Tensor]
"""Tensors of b rows each → embeddings (b, d)."""


class _Chunk:
    """One slice of the batch and the random state with which it was first encoded."""

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        self.inputs = inputs
        self.state = _random_state()

    def encode_again(self, encode: Encode) -> Tensor:
        """The same forward pass, dropout and all; the caller's random state is left alone."""
        present = _random_state()
        _set_random_state(self.state)
        try:
            return encode(*self.inputs)
        finally:
            _set_random_state(present)


def cached_backward(
    encode: Encode,
    inputs: Tensor | Sequence[Tensor],
    loss: Callable[[Tensor], Tensor],
    chunk: int,
) -> Tensor:
    """Add the gradients of loss(encode(inputs)) to all parameters; return the loss, detached.

    `inputs`: one tensor or several, all with B rows; `encode` gets slices of at most `chunk` rows
    of each. `loss` gets the embeddings (B, d) and runs once, so its own parameters (temperature,
    proxies, a head) get their gradients too. For accumulation divide inside `loss`.

    Dropout agrees between the passes, since torch's random state (host and current accelerator)
    is restored for each chunk; other random sources are not: augment before, not in `encode`.
    BatchNorm in training mode sees chunks, not the batch, and its running averages move twice:
    freeze it, or use a norm over features. Under DDP wrap the call in `no_sync` and reduce the
    gradients after it. InputError for a chunk below one, no rows, or inputs of unequal length.
    """
    tensors = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    chunks, embeddings = _encode_all(encode, tensors, chunk)
    embeddings.requires_grad_()
    value = loss(embeddings)
    with outside_autocast(value):
        value.backward()  # type: ignore[no-untyped-call]
    if embeddings.grad is None:  # the loss looked at no embedding
        return value.detach()
    for piece, gradient in zip(chunks, torch.split(embeddings.grad, chunk), strict=True):
        rows = piece.encode_again(encode)
        with outside_autocast(rows):
            rows.backward(gradient)  # type: ignore[no-untyped-call]
    return value.detach()


def outside_autocast(value: Tensor) -> torch.autocast:
    """A block in which what was computed in full precision has its gradient in it too.

    Autocast holds in a backward pass as well, where it is on around one: a loss in float32 would
    hand bfloat16's digits back. What ran in bfloat16 goes back in bfloat16 on its own.
    """
    return torch.autocast(value.device.type, enabled=False)


@torch.no_grad()
def _encode_all(
    encode: Encode, tensors: Sequence[Tensor], chunk: int
) -> tuple[list[_Chunk], Tensor]:
    """Embeddings (B, d) without a graph, and the chunks that they came from."""
    if chunk < 1 or not tensors or not len(tensors[0]):
        raise InputError(f"gradient caching needs rows and chunks of at least 1, not {chunk}")
    if len({len(tensor) for tensor in tensors}) > 1:
        raise InputError(f"inputs have {[len(tensor) for tensor in tensors]} rows: must be equal")
    chunks, rows = [], []
    for slices in zip(*(torch.split(tensor, chunk) for tensor in tensors), strict=True):
        chunks.append(_Chunk(slices))
        rows.append(encode(*slices))
    # Older torch keeps the weights that autocast cast here, without a graph, for the second pass
    # (pytorch issue 112583, mended in late 2025): the weights would not learn.
    torch.clear_autocast_cache()
    return chunks, torch.cat(rows)


def _random_state() -> list[Tensor]:
    """Torch's random state on the host and, where there is one, on the current accelerator."""
    return [torch.get_rng_state(), *(module.get_rng_state() for module in _accelerator())]


def _set_random_state(states: list[Tensor]) -> None:
    """Undo what was drawn since `_random_state`."""
    torch.set_rng_state(states[0])
    for module, state in zip(_accelerator(), states[1:], strict=True):
        module.set_rng_state(state)


def _accelerator() -> list[Any]:
    """The torch module of the current accelerator (torch.cuda, …), or nothing on a bare CPU."""
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return [] if device is None else [torch.get_device_module(device)]
