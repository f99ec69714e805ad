"""What this project uses of torch that it does not document, in one place: read from its code, 2.13.0.

- `torch._softmax_backward_data`: what autograd calls for the gradient of a softmax, in one pass over its output.

tests/unit/test_compat_torch.py fails when it behaves otherwise.
"""

import torch


def softmax_backward(gradient: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
    """The gradient of a softmax over the last dimension, in the dtype of both. Args: of its output; that output."""
    return torch._softmax_backward_data(gradient, output, -1, output.dtype)
