"""What this project relies on in the installed torch without its documentation."""

import pytest
import torch

from clearminds.model.torch_compat import softmax_backward


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_gradient_of_a_softmax_is_that_of_autograd(dtype):
    scores = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()
    given = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1)).to(dtype)
    output = scores.softmax(-1)
    output.backward(given)
    assert torch.equal(softmax_backward(given, output.detach()), scores.grad)
