"""Activations of a ResNet50 by PyTorch, in float64 and in float32, for what sketchgrad computes from the same weights and images.

    /usr/bin/python3 test/golden/weights/activations.py fixture     # writes activations.json, for activations.test.ts
    /usr/bin/python3 test/golden/weights/activations.py run JOB     # for scripts/check-weights.ts, which writes the job

The fixture is a whole ResNet50 of a quarter of the width with the strides of v1, its own epsilon and Caffe's input: all that a
file may say of itself. Weights and image come from the integer generator, so the fixture holds summaries alone.
"""

import json
import pathlib
import struct
import sys

import numpy as np
import torch
import torchvision

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from generate import summary, values  # noqa: E402

WIDTH, EPSILON, SIZE, BATCH = 0.25, 1.001e-5, 64, 2
WEIGHT_STREAM, IMAGE_STREAM, PROJECTION_STREAM, PROJECTIONS = 6000, 6999, 7000, 8
CAFFE = (103.939, 116.779, 123.68)


class Narrow(torchvision.models.ResNet):
    """torchvision's ResNet50 with fewer channels in every layer."""

    def __init__(self, width):
        super().__init__(torchvision.models.resnet.Bottleneck, [3, 4, 6, 3])
        if width == 1:
            return
        for module in self.modules():
            for name, child in module.named_children():
                if isinstance(child, torch.nn.Conv2d):
                    inputs = child.in_channels if child.in_channels == 3 else int(child.in_channels * width)
                    setattr(module, name, torch.nn.Conv2d(inputs, int(child.out_channels * width), child.kernel_size, child.stride, child.padding, bias=False))
                elif isinstance(child, torch.nn.BatchNorm2d):
                    setattr(module, name, torch.nn.BatchNorm2d(int(child.num_features * width)))
        self.fc = torch.nn.Identity()


def network(width, stride, epsilon):
    model = Narrow(width)
    if stride == "v1":
        for layer in (model.layer2, model.layer3, model.layer4):
            layer[0].conv1.stride, layer[0].conv2.stride = (2, 2), (1, 1)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = epsilon
    return model.eval()


def activations(model, images, last):
    """What comes out of the stem and of each block, up to the layer `last`, as [batch, height, width, channels]."""
    outputs = {}
    with torch.no_grad():
        x = model.relu(model.bn1(model.conv1(images)))
        outputs["conv1"] = x
        x = model.maxpool(x)
        for number in range(1, last + 1):
            for index, block in enumerate(getattr(model, f"layer{number}")):
                x = block(x)
                outputs[f"layer{number}.{index}"] = x
    return {name: output.permute(0, 2, 3, 1).contiguous().numpy() for name, output in outputs.items()}


def in_both_precisions(model, images, last):
    """Float64's activations, and the largest relative error (L2) of PyTorch's own float32 in two memory layouts."""
    exact = activations(model.double(), images.double(), last)
    model, images = model.float(), images.float()
    runs = [
        activations(model, images, last),
        activations(model.to(memory_format=torch.channels_last), images.contiguous(memory_format=torch.channels_last), last),
    ]
    errors = {name: max(float(np.linalg.norm(run[name] - value) / np.linalg.norm(value)) for run in runs) for name, value in exact.items()}
    return exact, errors


# The fixture.

def integer_state(model):
    """Multiples that float32 holds exactly; variances so small in the stem that the epsilon counts."""
    state = {}
    for i, (name, tensor) in enumerate((name, tensor) for name, tensor in model.state_dict().items() if not name.endswith("num_batches_tracked")):
        v = values(WEIGHT_STREAM + i, tuple(tensor.shape))
        if tensor.dim() == 4:
            v = v * np.sqrt(6 / (tensor.shape[1] * tensor.shape[2] * tensor.shape[3])) * (0.01 if name == "conv1.weight" else 1)
        elif name == "bn1.running_var":
            v = 2e-4 * (1 + 0.5 * v)
        elif name.endswith("running_var"):
            v = 1 + 0.5 * v
        elif name.endswith("bn3.weight"):
            v = 0.25 * (1 + 0.2 * v)
        elif name.endswith("weight"):
            v = 1 + 0.2 * v
        elif name.endswith("bias"):
            v = 1 + 0.1 * v
        else:
            v = 0.1 * v
        state[name] = torch.from_numpy(v.astype(np.float32))
    return state


def fixture():
    model = network(WIDTH, "v1", EPSILON)
    state = integer_state(model)
    model.load_state_dict(state, strict=False)
    pixels = np.floor((values(IMAGE_STREAM, (BATCH, SIZE, SIZE, 3)) + 1) * 128)
    # Blue first, white as 255, the mean taken off.
    images = torch.from_numpy((pixels[..., ::-1] - np.array(CAFFE)).transpose(0, 3, 1, 2).copy())
    exact, errors = in_both_precisions(model, images, 4)
    result = {
        "width": WIDTH, "epsilon": EPSILON, "size": SIZE, "batch": BATCH,
        "parameters": [{"name": name, "shape": list(tensor.shape)} for name, tensor in state.items()],
        "outputs": [{"name": name, "shape": list(value.shape), "float32Error": errors[name], **summary(value, PROJECTION_STREAM + 8 * i, PROJECTIONS)} for i, (name, value) in enumerate(exact.items())],
    }
    (HERE / "activations.json").write_text(json.dumps(result, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")


# A run on any file.

DTYPES = {"F16": np.float16, "F32": np.float32, "F64": np.float64}


def read_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: torch.from_numpy(np.frombuffer(data[slice(*entry["data_offsets"])], DTYPES[entry["dtype"]]).astype(np.float64).reshape(entry["shape"])) for name, entry in header.items()}


def run(job):
    """Reads the job's weights and u8 pixels, and writes the activations one after the other as float64."""
    model = network(1, job["stride"], job["epsilon"]).double()
    loaded = model.load_state_dict(read_safetensors(job["weights"]), strict=False)
    # Layers that are looked at must be whole.
    missing = [name for name in loaded.missing_keys if not name.startswith(("layer4.", "fc.")) and not name.endswith("num_batches_tracked")]
    assert not missing, missing
    pixels = np.fromfile(job["pixels"], np.uint8).reshape(job["count"], job["size"], job["size"], 3).astype(np.float64)
    images = torch.from_numpy((pixels - np.array(job["mean"])) / np.array(job["deviation"])).permute(0, 3, 1, 2).contiguous()
    exact, errors = in_both_precisions(model, images, 3)
    with open(job["out"], "wb") as file:
        for value in exact.values():
            value.tofile(file)
    print(json.dumps([{"name": name, "shape": list(value.shape), "float32Error": errors[name]} for name, value in exact.items()]))


if __name__ == "__main__":
    torch.manual_seed(0)
    if sys.argv[1] == "fixture":
        fixture()
    else:
        run(json.loads(pathlib.Path(sys.argv[2]).read_text()))
