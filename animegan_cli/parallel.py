"""Several processes train one pair of networks: one process per device, started by ``torchrun``.

``torch.distributed`` is the engine. Every process holds all weights and sees its own rows of each
batch; gradients, batch statistics and statistics are those of the whole batch, so that the number
of processes changes nothing but rounding.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from animegan_cli.errors import AnimeganError, ElsewhereError

_LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_PATIENCE = timedelta(days=1)  # while one process decodes images or scores, the others wait


@dataclass(frozen=True)
class Ranks:
    """This process among all: its rank, how many there are, and its rank on this machine."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    control: Any = None  # a group that exchanges numbers without waiting for the devices

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and reports."""
        return self.rank == 0

    @property
    def own_device(self) -> int | None:
        """Which of its machine's devices this process takes; None where it is alone."""
        return self.local_rank if self.count > 1 else None

    def part(self, whole: Tensor) -> Tensor:
        """Return this process's rows of a batch ``[N, ...]``: ``[N / count, ...]``."""
        return whole if self.count == 1 else whole.chunk(self.count)[self.rank]

    def total(self, x: Tensor) -> Tensor:
        """Return the sum of ``x`` over all processes.

        A loss that follows from sums is the same in all of them, and so is its gradient: on the way
        back nothing needs to be exchanged.
        """
        if self.count == 1:
            return x
        summed: Tensor = _Total.apply(x, self.count)
        return summed

    def average_gradients(self, network: nn.Module) -> None:
        """Give every process the mean of all gradients of a network, as one flat bucket."""
        if self.count == 1:
            return
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        bucket = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(bucket)
        bucket /= self.count
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, mean in zip(gradients, bucket.split(sizes), strict=True):
            gradient.copy_(mean.view(gradient.shape))

    def take_from_first(self, network: nn.Module) -> None:
        """Give every process the buffers of the first one's network."""
        for buffer in network.buffers() if self.count > 1 else ():
            dist.broadcast(buffer, 0)

    def agree(self, *numbers: int) -> tuple[int, ...]:
        """Return the largest of each number over all processes; a device is not waited for."""
        if self.count == 1:
            return numbers
        agreed = torch.tensor(numbers)
        dist.all_reduce(agreed, dist.ReduceOp.MAX, group=self.control)
        return tuple(agreed.tolist())

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let all processes fail if one does; the first one that failed says why.

        Raises:
            ElsewhereError: in those that did not fail, or not first.
        """
        problem: AnimeganError | None = None
        try:
            yield
        except AnimeganError as error:
            problem = error
        (failed,) = self.agree(self.count - self.rank if problem else 0)
        if failed and not (problem and failed == self.count - self.rank):
            raise ElsewhereError(self.count - failed)
        if problem:
            raise problem

    @contextmanager
    def in_contact(self) -> Iterator[None]:
        """Say in one line that another process is gone, where an exchange with it fails.

        Raises:
            AnimeganError: in that case.
        """
        try:
            yield
        except RuntimeError as error:
            if self.count > 1 and (isinstance(error, dist.DistError) or "gloo" in str(error)):
                raise AnimeganError(
                    f"process {self.rank} lost another process of this run; what was saved before "
                    "is whole: start the run again to continue it"
                ) from None
            raise

    @contextmanager
    def one_before_the_others(self) -> Iterator[None]:
        """Let one process a machine go first, and leave in a cache what the others find there."""
        if self.local_rank:
            self.agree(0)
        try:
            yield
        finally:
            if not self.local_rank:
                self.agree(0)


ALONE = Ranks()


def launched() -> Ranks:
    """Return this process's place as ``torchrun`` names it, or ``ALONE`` without it."""
    if not all(os.environ.get(name) for name in _LAUNCHED):
        return ALONE
    numbers = [int(os.environ.get(name, 0)) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")]
    return Ranks(*numbers) if numbers[1] > 1 else ALONE


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that ``torchrun`` started, over nccl on CUDA and gloo elsewhere."""
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)  # on the current one graphs are recorded, too
    place = launched()
    if place.count == 1:
        yield place
        return
    if device.type == "cuda":
        dist.init_process_group("nccl", device_id=device)
    else:
        dist.init_process_group("gloo")
    try:
        control = dist.new_group(timeout=_PATIENCE, backend="gloo")
        yield Ranks(place.rank, place.count, place.local_rank, control)
    finally:
        dist.destroy_process_group()


def share_batch_statistics(network: nn.Module, device: torch.device) -> nn.Module:
    """Return the network with batch normalisation over the batch of all processes.

    torch's own ``SyncBatchNorm`` on CUDA, which is all that it supports.
    """
    if device.type == "cuda":
        shared: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return shared
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm2d:
                norm = SharedBatchNorm(child.num_features, child.eps, child.momentum)
                norm.load_state_dict(child.state_dict())
                setattr(parent, name, norm)
    return network


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation whose batch is that of all processes, on any backend."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape, with float32 statistics."""
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        y, mean, var = _SharedNorm.apply(x, self.weight, self.bias, self.eps)
        n = dist.get_world_size() * x.numel() // x.shape[1]
        momentum = self.momentum or 0.0
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(var * (n / (n - 1)), momentum)
        self.num_batches_tracked += 1
        shared: Tensor = y
        return shared


class _SharedNorm(torch.autograd.Function):
    """Normalise by the moments of all processes; also returns them.

    torch's own kernels find the sums of this process's part, with one exchange each way.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        # Running statistics in float32, though not moved, ask for moments in float32.
        still = torch.zeros_like(weight), torch.ones_like(weight)
        moments = torch.stack(torch.ops.aten.batch_norm_update_stats(x, *still, 0.0))
        of_all = [torch.empty_like(moments) for _ in range(dist.get_world_size())]
        dist.all_gather(of_all, moments)
        means, variances = torch.stack(of_all).unbind(1)
        mean = means.mean(0)
        var = variances.mean(0) + (means - mean).square().mean(0)
        ctx.save_for_backward(x, weight, mean, (var + eps).rsqrt())
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, var)
        return F.batch_norm(x, mean, var, weight, bias, eps=eps), mean, var

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, scale = ctx.saved_tensors
        _, d_weight, d_bias = torch.ops.aten.native_batch_norm_backward(
            gradients[0], x, weight, None, None, mean, scale, True, ctx.eps, [False, True, True]
        )
        means = torch.stack([d_weight, d_bias])
        dist.all_reduce(means)
        means /= dist.get_world_size() * (x.numel() // x.shape[1])
        # dx = weight * scale * (dy - mean of dy - (x - mean) * scale * mean of normalised x * dy)
        gain = weight * scale
        slope = -gain * scale * means[0]
        offset = -gain * means[1] - slope * mean
        gain, slope, offset = (row[:, None, None].to(x.dtype) for row in (gain, slope, offset))
        dx = torch.addcmul(offset, x, slope).addcmul_(gradients[0], gain)
        return dx, d_weight, d_bias, None


class _Total(torch.autograd.Function):
    """The sum over all processes; their gradients of it are alike, and their sum is returned."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, count: int) -> Tensor:
        ctx.count = count
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * ctx.count, None
