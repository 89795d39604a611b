"""The optimizer takes torch's steps, without what ``torch.compile`` would need."""

import subprocess
import sys

import torch

from enron_triage.runtime.adamw import AdamW


def weights_after_steps(optimizer_class):
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(7, 3, generator=generator, requires_grad=True)

    def new_optimizer():
        return optimizer_class([weights], lr=0.1, weight_decay=0.1, fused=True)

    optimizer = new_optimizer()
    for step in range(8):
        optimizer.zero_grad(set_to_none=True)
        (torch.randn(5, 7, generator=generator) @ weights).square().sum().backward()
        optimizer.step()
        if step == 4:  # as a run that is resumed
            state = optimizer.state_dict()
            optimizer = new_optimizer()
            optimizer.load_state_dict(state)
    return weights.detach()


def test_the_steps_are_torchs():
    assert torch.equal(weights_after_steps(AdamW), weights_after_steps(torch.optim.AdamW))


def test_nothing_of_the_compiler_is_imported():
    program = """
import sys, torch
from enron_triage.runtime.adamw import AdamW
weights = torch.ones(2, requires_grad=True)
optimizer = AdamW([weights], lr=0.1, fused=True)
weights.sum().backward()
optimizer.step()
optimizer.zero_grad()
optimizer.load_state_dict(optimizer.state_dict())
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
