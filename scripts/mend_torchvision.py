"""Let a CUDA build of torchvision be imported beside a CPU build of torch, in this environment.

torchvision's compiled part needs CUDA's libraries and does not load; its Python part then stops at
an operator that nobody declared. A hook that runs in every process of the environment (vLLM starts
several) declares the two operators, without code behind them, right before torchvision is imported.
Image transforms, all that the harness and vLLM use, are pure torch and work.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path

HOOK = '''\
"""Written by towereval's scripts/mend_torchvision.py, which says why."""
import importlib.abc
import sys

OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


class BeforeTorchvision(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision" and self in sys.meta_path:
            sys.meta_path.remove(self)
            import torch

            if torch.version.cuda is None:
                self.library = torch.library.Library("torchvision", "FRAGMENT")
                for operator in OPERATORS:
                    self.library.define(operator)
                sys.modules[__name__].keep = self
        return None


sys.meta_path.insert(0, BeforeTorchvision())
'''


def main() -> None:
    packages = Path(sysconfig.get_path("purelib"))
    (packages / "_torchvision_beside_cpu_torch.py").write_text(HOOK, encoding="utf-8")
    (packages / "torchvision_beside_cpu_torch.pth").write_text(
        "import _torchvision_beside_cpu_torch\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
