"""Writes pointwise.json: what PyTorch gives for every row of kernels/elementwise/functions.ts, with its gradients.

    /usr/bin/python3 test/golden/pointwise.py

Operands are exact in float32, results are those of float64.
"""

import json
import math
import pathlib
import re

import torch
import torch.nn.functional as F

OUTPUT_GRADIENT = 1.5
SPECIAL = [math.nan, math.inf, -math.inf, 1e4, -1e4, 0.0, -0.0]
# Kinks (relu6 at 6, clamp at -1.5 and 2, others at -3) and ordinary points.
X = SPECIAL + [6.0, -1.5, 2.0, -3.0, 2.0**-10, -(2.0**-10), 0.3, -0.3, 1.0, -1.0, -5.5, 5.5, 7.0, -12.0, 12.0, -30.0, 30.0]
# All pairs: specials, ties, an odd exponent, one that is no integer.
PAIRS = [(a, b) for a in SPECIAL + [3.0, -2.5, 0.75] for b in SPECIAL + [3.0, -2.5, 0.75]]


def exactly(parameter):
    """The float32 that our kernels take for a parameter."""
    return torch.tensor(parameter, dtype=torch.float32).item()


def gelu(x):
    """PyTorch's own is x (1 + erf(x / sqrt(2))) / 2, whose sum is 0 for x = -12; the two agree to 1e-15 elsewhere."""
    y = x * torch.erfc(-x / math.sqrt(2)) / 2
    assert torch.allclose(y, F.gelu(x), rtol=1e-12, atol=1e-15, equal_nan=True)
    return y


TABLE = pathlib.Path(__file__).parents[2] / "kernels" / "elementwise" / "functions.ts"
# Functions that PyTorch has under another name, or with parameters.
OTHERS = {
    "scale": lambda x: x * exactly(-0.3),
    "clamp": lambda x: torch.clamp(x, -1.5, 2.0),
    "leakyRelu": lambda x: F.leaky_relu(x, exactly(0.01)),
    "gelu": gelu,
    "geluTanh": lambda x: F.gelu(x, approximate="tanh"),
    "power": torch.pow,
}
OWN = ["broadcast"]


def functions():
    """PyTorch's function for each exported row of the table that has one, and the names of the row's operands."""
    rows = re.findall(r"^export const \w+: PointwiseFunction = \{\n  name: '(\w+)',\n  operands: \[(.*?)\]", TABLE.read_text(), re.M)
    for name, operands in rows:
        if name in OWN:
            continue
        snake = re.sub("[A-Z]", lambda letter: "_" + letter.group().lower(), name)
        function = OTHERS.get(name)
        for candidate in (snake, name.lower()):
            function = function or getattr(torch, candidate, None) or getattr(F, candidate, None)
        if function is None:
            raise SystemExit(f"PyTorch has no {name}: add it to OTHERS, or to OWN if it is a function of our own")
        yield name, function, operands.count(",") + 1


def results(function, operands):
    """The output, and the gradient for each operand."""
    tensors = [torch.tensor(values, dtype=torch.float32).double().requires_grad_() for values in operands]
    y = function(*tensors)
    gradients = torch.autograd.grad(y, tensors, torch.full_like(y, OUTPUT_GRADIENT))
    return [tensor.detach().tolist() for tensor in (y, *gradients)]


def number(value, digits):
    """JSON has no NaN and no infinity."""
    if math.isnan(value):
        return "NaN"
    return float(f"{value:.{digits}g}") if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def golden(name, function, operands):
    return {
        "name": name,
        "results": [[number(value, 9) for value in values] for values in results(function, operands)],
    }


def main():
    torch.set_num_threads(1)
    operands = {"x": X, "a": [a for a, _ in PAIRS], "b": [b for _, b in PAIRS]}
    cases = [
        golden(name, function, [X] if count == 1 else [operands["a"], operands["b"]])
        for name, function, count in sorted(functions(), key=lambda row: row[0])
    ]
    entries = {
        "made": f"pointwise.py, PyTorch {torch.__version__}, CPU",
        "outputGradient": OUTPUT_GRADIENT,
        "operands": {name: [number(value, 17) for value in values] for name, values in operands.items()},
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in entries.items()]
    rows = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    path = pathlib.Path(__file__).parent / "pointwise.json"
    path.write_text("{\n" + ",\n".join(lines) + ',\n"cases": [\n' + rows + "\n]\n}\n")
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
