"""Values of torchvision's VGG11 with batch normalisation in float64, for what sketchgrad computes from the same weights and images.

    /usr/bin/python3 test/golden/vgg.py     # writes vgg11_bn.json, for vgg11_bn.test.ts; a few seconds

A quarter of the width, and a global average pool in the place of the classifier, as in src/nn/backbones/vgg.ts. Weights, biases of
the convolutions included, images and vectors come from the integer generator, so the fixture holds summaries alone. Beside each
stands the largest relative error of PyTorch's own float32 in two memory layouts.
"""

import json
import pathlib

import numpy as np
import torch
import torchvision

from generate import projected_error, rounded, summary, values

HERE = pathlib.Path(__file__).parent
WIDTH, SIZE, BATCH = 0.25, 48, 3
WEIGHT_STREAM, IMAGE_STREAM, SEED_STREAM = 8000, 8901, 8902
OUTPUT_STREAM, PROJECTIONS = 8500, 4
CONFIGURATION = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]


def network():
    narrow = [entry if entry == "M" else int(entry * WIDTH) for entry in CONFIGURATION]
    return torch.nn.ModuleDict({"features": torchvision.models.vgg.make_layers(narrow, batch_norm=True)})


def integer_state(model):
    """Shifts of two standard deviations keep most ReLU inputs away from 0, where a wrong sign would hide all other rounding."""
    state = {}
    names = [name for name in model.state_dict() if not name.endswith("num_batches_tracked")]
    for i, name in enumerate(names):
        tensor = model.state_dict()[name]
        v = values(WEIGHT_STREAM + i, tuple(tensor.shape))
        normalised = isinstance(model["features"][int(name.split(".")[1])], torch.nn.BatchNorm2d)
        if tensor.dim() == 4:
            v = v * np.sqrt(6 / (tensor.shape[1] * 9))
        elif name.endswith("running_var") or name.endswith("weight"):
            v = 1 + 0.2 * v
        elif normalised and name.endswith("bias"):
            v = 2 + 0.1 * v
        state[name] = torch.from_numpy(v.astype(np.float32))
    return state


def run(state, images, seed, dtype, channels_last):
    """Outputs of each ReLU at inference; gradients of sum(features * seed) and running statistics of a training step."""
    model = network()
    model.load_state_dict(state, strict=False)
    model, images = model.to(dtype), images.to(dtype)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    outputs = {}
    with torch.no_grad():
        x = images
        for index, module in enumerate(model.eval()["features"]):
            x = module(x)
            if isinstance(module, torch.nn.ReLU):
                outputs[f"features.{index}"] = x.permute(0, 2, 3, 1).contiguous().numpy().copy()
        outputs["avgpool"] = x.mean((2, 3)).numpy()
    pooled = model.train()["features"](images).mean((2, 3))
    (pooled * seed.to(dtype)).sum().backward()
    # A bias before batch normalisation has no gradient.
    gradients = {
        name: parameter.grad.contiguous().numpy() for name, parameter in model.named_parameters()
        if not (name.endswith("bias") and isinstance(model["features"][int(name.split(".")[1])], torch.nn.Conv2d))
    }
    running = {name: buffer.numpy() for name, buffer in model.named_buffers() if not name.endswith("num_batches_tracked")}
    return {"outputs": outputs, "gradients": gradients, "statistics": running}


def main():
    state = integer_state(network())
    images = torch.from_numpy((1.5 * values(IMAGE_STREAM, (BATCH, 3, SIZE, SIZE))).astype(np.float32))
    seed = torch.from_numpy(values(SEED_STREAM, (BATCH, int(512 * WIDTH))).astype(np.float32))
    exact = run(state, images, seed, torch.float64, False)
    found = [run(state, images, seed, torch.float32, channels_last) for channels_last in (False, True)]
    fixture = {
        "made": f"vgg.py, PyTorch {torch.__version__}, torchvision {torchvision.__version__}, CPU",
        "width": WIDTH, "size": SIZE, "batch": BATCH,
        "weights": [{"name": name, "shape": list(tensor.shape)} for name, tensor in state.items()],
    }
    stream = OUTPUT_STREAM
    for kind, tensors in exact.items():
        rows = []
        for name, value in tensors.items():
            reference = summary(value, stream, PROJECTIONS)
            errors = [projected_error(summary(f32[kind][name], stream, PROJECTIONS), reference, stream, value.size) for f32 in found]
            rows.append({"name": name, "shape": list(value.shape), "stream": stream, "float32Error": rounded(max(errors), 4), **rounded(reference)})
            stream += PROJECTIONS
        fixture[kind] = rows
        print(kind, [f"{row['float32Error']:.1e}" for row in rows])
    (HERE / "vgg11_bn.json").write_text(json.dumps(fixture, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")


if __name__ == "__main__":
    main()
