"""The optimiser: Muon for the matrices inside the towers, AdamW for everything else."""

import torch


def orthogonal(matrices, steps=5):
    """The nearest orthogonal matrices, roughly, by Newton-Schulz iteration on a stack of them."""
    x = matrices.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Momentum whose step has all its singular values near one: every direction of a matrix learns at the same speed.

    The processes of a team share the work: each makes its part of the updates.
    """

    def __init__(self, matrices, lr, team, momentum=0.95, weight_decay=0.01):
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.team = team

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            stacks = {}
            for p in group["params"]:
                stacks.setdefault(p.shape, []).append(p)
            updates = [self._updates(group, matrices) for matrices in stacks.values()]
            for matrices, stack in zip(stacks.values(), self.team.summed(updates)):
                shape = matrices[0].shape
                scale = group["lr"] * max(1, shape[0] / shape[1]) ** 0.5
                for p, update in zip(matrices, stack):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-scale)

    def _updates(self, group, matrices):
        """Updates for this process's share of some matrices of one shape, zeros for the others'."""
        momenta = []
        for p in matrices:
            velocity = self.state[p].setdefault("velocity", torch.zeros_like(p))
            velocity.lerp_(p.grad, 1 - group["momentum"])
            momenta.append(p.grad.lerp(velocity, group["momentum"]))
        momenta = torch.stack(momenta)
        updates, mine = torch.zeros_like(momenta), slice(self.team.rank, None, self.team.size)
        updates[mine] = orthogonal(momenta[mine])
        return updates


def optimisers(clip, heads, muon_lr, adam_lr, team):
    """[Muon, AdamW] over all parameters; only AdamW's matrices outside the towers decay."""
    inner = [p for n, p in clip.named_parameters() if ".layers." in n and p.ndim == 2]
    taken = set(map(id, inner))
    rest = [p for p in (*clip.parameters(), *heads.parameters()) if id(p) not in taken]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": 0.01},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return [Muon(inner, muon_lr, team), torch.optim.AdamW(groups, lr=adam_lr, betas=(0.9, 0.98), foreach=True)]
