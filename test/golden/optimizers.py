"""Writes optimizers.json: 50 steps of every optimizer of the registry that PyTorch has, in float64.

    /usr/bin/python3 test/golden/optimizers.py

An optimizer is one of torch.optim if the names are equal but for case. It runs with PyTorch's defaults, unless OPTIONS has
others, which must be the defaults of src/nn/optimizers.
"""

import json
import pathlib
import re

import torch

STEPS = 50
LENGTH = 11
WEIGHT_DECAY = 0.02
OPTIONS = {"sgd": {"momentum": 0.9}}
REGISTRY = pathlib.Path(__file__).parents[2] / "src" / "nn" / "optimizers" / "index.ts"


def rate(step):
    return 0.02 / step**0.5


def values(step):
    """Numbers in [-1, 1) that float32 holds exactly; step 0 gives the first parameters."""
    return torch.tensor([((37 * step + 101 * i + step * i * i) % 255 - 127) / 128 for i in range(LENGTH)], dtype=torch.float64)


def run(optimizer, options):
    parameter = torch.nn.Parameter(values(0))
    # The learning rate and the decay are numbers of float32 in sketchgrad, too.
    exactly = lambda number: torch.tensor(number, dtype=torch.float32).item()
    stepper = optimizer([parameter], lr=1.0, weight_decay=exactly(WEIGHT_DECAY), **options)
    for step in range(1, STEPS + 1):
        stepper.param_groups[0]["lr"] = exactly(rate(step))
        parameter.grad = values(step)
        stepper.step()
    return parameter.detach().tolist()


def main():
    torch.set_num_threads(1)
    kinds = re.search(r"OPTIMIZERS = \{(.*?)\}", REGISTRY.read_text(), re.S).group(1)
    theirs = {name.lower(): value for name, value in vars(torch.optim).items() if isinstance(value, type)}
    cases = {
        kind: [float(f"{value:.12g}") for value in run(theirs[kind], OPTIONS.get(kind, {}))]
        for kind in sorted(re.findall(r"\w+", kinds))
        if kind in theirs
    }
    entries = {
        "made": f"optimizers.py, PyTorch {torch.__version__}, CPU",
        "weightDecay": WEIGHT_DECAY,
        "rates": [rate(step) for step in range(1, STEPS + 1)],
        "parameters": values(0).tolist(),
        "gradients": [values(step).tolist() for step in range(1, STEPS + 1)],
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in entries.items()]
    rows = ",\n".join(f"{json.dumps(kind)}: {json.dumps(case, separators=(',', ':'))}" for kind, case in cases.items())
    path = pathlib.Path(__file__).parent / "optimizers.json"
    path.write_text("{\n" + ",\n".join(lines) + ',\n"cases": {\n' + rows + "\n}\n}\n")
    print(f"{path.name}: {', '.join(cases)}")


if __name__ == "__main__":
    main()
