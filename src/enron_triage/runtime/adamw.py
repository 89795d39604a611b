"""The optimizer of every training stage: torch's AdamW, with a faster start."""

from __future__ import annotations

import inspect

import torch


class AdamW(torch.optim.AdamW):
    """`torch.optim.AdamW` without its support for ``torch.compile``: the same steps.

    Where they are first called, the methods that the decorators guard for ``torch.compile`` import ``torch._dynamo``,
    which takes nearly as long as torch itself; here are the methods without those decorators.
    """

    add_param_group = inspect.unwrap(torch.optim.AdamW.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.AdamW.zero_grad)
    state_dict = inspect.unwrap(torch.optim.AdamW.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.AdamW.load_state_dict)
    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))
