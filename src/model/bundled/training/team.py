"""Several training processes in step: each learns from pictures of its own, and all move by their mean gradient.

On a CPU that others share, two processes of one thread each get more done than one process of two threads.
"""

import os
import socket

import numpy as np
import torch
import torch.distributed as dist


class Team:
    """This process's place among `size` of them. Until `fork` there is one."""

    def __init__(self, size):
        self.size, self.rank = size, 0

    def fork(self):
        """Makes the other processes; each of them, and the caller, returns from here with a `rank` of its own."""
        if self.size == 1:
            return
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(_free_port()))
        for rank in range(1, self.size):
            if os.fork() == 0:
                self.rank = rank
                break
        dist.init_process_group("gloo", rank=self.rank, world_size=self.size)
        np.random.seed(int.from_bytes(os.urandom(4), "little"))
        torch.manual_seed(int.from_bytes(os.urandom(4), "little"))

    def leave(self):
        """Ends the forked processes here; the first one goes on."""
        if self.rank > 0:
            os._exit(0)

    def summed(self, tensors):
        """The sums of some tensors over all processes."""
        if self.size == 1:
            return tensors
        flat = torch.cat([t.flatten() for t in tensors])
        dist.all_reduce(flat)
        return [part.view_as(t) for part, t in zip(flat.split([t.numel() for t in tensors]), tensors)]

    def share(self, parameters, seconds):
        """Replaces gradients by their means; returns the first process's clock, so that all follow one schedule."""
        clock = torch.tensor([seconds if self.rank == 0 else 0.0])
        *sums, clock = self.summed([*(p.grad for p in parameters), clock])
        for p, total in zip(parameters, sums):
            p.grad = total.div_(self.size)
        return float(clock)


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
