"""Tests of neural engines: they need an environment with torch (`make test-neural`)."""

from __future__ import annotations

import importlib.util

if importlib.util.find_spec("torch") is None:
    collect_ignore_glob = ["*"]
else:
    import torch

    # Tiny tensors: a second thread costs more than it brings.
    torch.set_num_threads(1)
