"""Writes the PyTorch golden values that sketchgrad's tests are measured against.

    /usr/bin/python3 test/golden/generate.py            # all fixtures, about a quarter of an hour of one core
    /usr/bin/python3 test/golden/generate.py ops        # ops.json alone
    /usr/bin/python3 test/golden/generate.py resnet18   # the fixture of one network alone

Weights, images, labels and the vectors of the random projections come from an integer generator that
integer-weights.ts repeats bit for bit, so the fixtures hold results only. README.md says what they mean.
"""

import json
import pathlib
import statistics
import sys

import numpy as np
import torch
import torch.nn.functional as F
import torchvision

HERE = pathlib.Path(__file__).parent

BATCH, SIZE, CLASSES = 8, 64, 1000
STEPS = 10
KEPT_LOGITS = 64
LOGIT_PROJECTIONS, GRADIENT_PROJECTIONS, STATISTIC_PROJECTIONS = 16, 4, 2

LABEL_STREAM = 1001
GRADIENT_STREAM, LOGIT_STREAM, STATISTIC_STREAM = 2000, 4000, 5000

SGD = {"lr": 1e-3, "momentum": 0.9, "weight_decay": 1e-4}
ADAM = {"lr": 2e-5, "weight_decay": 5e-4}


# The integer generator (integer-weights.ts is its twin).

def hash32(x):
    x = np.atleast_1d(np.asarray(x, dtype=np.uint32)).copy()
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x21F0AAAD)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x735A2D97)
    x ^= x >> np.uint32(15)
    return x


def values(stream, shape):
    """Uniform in [-1, 1), float64: a function of the stream and of the flat index alone."""
    start = hash32((stream + 0x9E3779B9) % 2**32)
    index = np.arange(int(np.prod(shape)), dtype=np.uint32)
    return (hash32(index + start) / 2.0**32 * 2 - 1).reshape(shape)


class Architecture:
    def __init__(self, name, last_norm, image_stream):
        self.name = name
        # The batch norm that ends the residual branch of a block.
        self.last_norm = last_norm
        # Of streams 1000 to 1023, the images whose ReLU inputs stay farthest from 0, in units of float32's rms error.
        self.image_stream = image_stream

    @property
    def images(self):
        return (1.5 * values(self.image_stream, (BATCH, 3, SIZE, SIZE))).astype(np.float32)

    def create(self):
        return getattr(torchvision.models, self.name)(weights=None)


def initial_parameter(position, name, shape, last_norm):
    """Weights that keep float32 comparable with float64.

    A ReLU input whose sign float32 gets wrong moves the gradients by about 1e-3, a hundred times all other rounding.
    So batch norm shifts most ReLU inputs up by two standard deviations (1 in 40 is masked), and the residual branches are
    scaled down. The stem is shifted down instead: max pooling would else hide its mask.
    """
    v = values(position, shape)
    if name == "fc.weight":
        v = v / np.sqrt(shape[1])
    elif len(shape) == 4:
        v = v * np.sqrt(6 / (shape[0] * shape[2] * shape[3]))
    elif name.startswith("layer") and name.endswith(f"{last_norm}.weight"):
        v = 0.25 * (1 + 0.2 * v)
    elif name.endswith("weight"):
        v = 1 + 0.2 * v
    elif name == "bn1.bias":
        v = -1 + 0.1 * v
    elif name == "fc.bias" or name.startswith("layer") and name.endswith(f"{last_norm}.bias"):
        v = 0.1 * v
    else:
        v = 2 + 0.1 * v
    return v.astype(np.float32)


ARCHITECTURES = [Architecture("resnet50", "bn3", 1006), Architecture("resnet18", "bn2", 1008)]
LABELS = np.floor((values(LABEL_STREAM, (BATCH,)) + 1) / 2 * CLASSES).astype(np.int64)


# Summaries: a tensor is kept as its norm and a few projections on seeded vectors.

def projections(array, first_stream, count):
    flat = array.reshape(-1)
    return [float(values(first_stream + j, flat.shape) @ flat) for j in range(count)]


def summary(array, first_stream, count):
    array = array.astype(np.float64)
    return {"norm": float(np.linalg.norm(array)), "projections": projections(array, first_stream, count)}


def row_summaries(matrix):
    return [summary(row, LOGIT_STREAM, LOGIT_PROJECTIONS) for row in matrix]


# The runs.

def build(architecture, dtype, channels_last):
    model = architecture.create()
    with torch.no_grad():
        for position, (name, parameter) in enumerate(model.named_parameters()):
            parameter.copy_(torch.from_numpy(initial_parameter(position, name, tuple(parameter.shape), architecture.last_norm)))
    model = model.to(dtype)
    images = torch.from_numpy(architecture.images).to(dtype)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    return model.train(), images, torch.from_numpy(LABELS)


def statistics_of(model):
    return [(name, buffer) for name, buffer in model.named_buffers() if not name.endswith("num_batches_tracked")]


def train(architecture, dtype, channels_last, optimiser_class, options):
    model, images, labels = build(architecture, dtype, channels_last)
    optimiser = optimiser_class(model.parameters(), **options)
    losses = []
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimiser.step()
        losses.append(float(loss))
    with torch.no_grad():
        logits = model.eval()(images).double().numpy()
    return losses, logits


def run(architecture, dtype, channels_last=False):
    model, images, labels = build(architecture, dtype, channels_last)
    logits = model(images)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    logits = logits.detach().double().numpy()
    gradients = [
        {"name": name, "shape": list(p.shape), **summary(
            p.grad.detach().contiguous().numpy(), GRADIENT_STREAM + 8 * position, GRADIENT_PROJECTIONS)}
        for position, (name, p) in enumerate(model.named_parameters())
    ]
    running = [
        {"name": name, **summary(buffer.numpy(), STATISTIC_STREAM + 8 * position, STATISTIC_PROJECTIONS)}
        for position, (name, buffer) in enumerate(statistics_of(model))
    ]
    del model
    sgd_losses, eval_logits = train(architecture, dtype, channels_last, torch.optim.SGD, SGD)
    adam_losses, _ = train(architecture, dtype, channels_last, torch.optim.Adam, ADAM)
    return {
        "logits": logits[:, :KEPT_LOGITS].tolist(),
        "logitRows": row_summaries(logits),
        "loss": float(loss),
        "parameters": gradients,
        "statistics": running,
        "sgdLosses": sgd_losses,
        "adamLosses": adam_losses,
        "evalLogitRows": row_summaries(eval_logits),
    }


# The error measures (measures.ts is their twin).

def vector_rms(stream, length, cache={}):
    key = (stream, length)
    if key not in cache:
        cache[key] = float(np.sqrt(np.mean(values(stream, (length,)) ** 2)))
    return cache[key]


def projected_error(found, reference, first_stream, length):
    """Relative L2 error of a tensor, estimated from its projections."""
    terms = [
        ((p - q) / (reference["norm"] * vector_rms(first_stream + j, length))) ** 2
        for j, (p, q) in enumerate(zip(found["projections"], reference["projections"]))
    ]
    return float(np.sqrt(np.mean(terms)))


def rms(errors):
    return float(np.sqrt(np.mean(np.square(errors))))


def largest_relative(found, reference):
    return float(np.max(np.abs(np.subtract(found, reference)) / np.abs(reference)))


def measure(found, reference):
    row_errors = {
        key: [projected_error(a, b, LOGIT_STREAM, CLASSES) for a, b in zip(found[key], reference[key])]
        for key in ("logitRows", "evalLogitRows")
    }
    gradient_errors = [
        projected_error(a, b, GRADIENT_STREAM + 8 * i, int(np.prod(b["shape"])))
        for i, (a, b) in enumerate(zip(found["parameters"], reference["parameters"]))
    ]
    lengths = {p["name"].rsplit(".", 1)[0]: p["shape"][0] for p in reference["parameters"]}
    statistic_errors = [
        projected_error(a, b, STATISTIC_STREAM + 8 * i, lengths[b["name"].rsplit(".", 1)[0]])
        for i, (a, b) in enumerate(zip(found["statistics"], reference["statistics"]))
    ]
    logits = np.asarray(reference["logits"])
    return {
        "logits": float(np.linalg.norm(np.asarray(found["logits"]) - logits) / np.linalg.norm(logits)),
        "logits, projected": rms(row_errors["logitRows"]),
        "loss": largest_relative([found["loss"]], [reference["loss"]]),
        "gradients, median parameter": float(np.median(gradient_errors)),
        "gradients, rms": rms(gradient_errors),
        "gradients, worst parameter": max(gradient_errors),
        "running statistics, rms": rms(statistic_errors),
        "running statistics, worst": max(statistic_errors),
        "SGD losses": largest_relative(found["sgdLosses"], reference["sgdLosses"]),
        "Adam losses": largest_relative(found["adamLosses"], reference["adamLosses"]),
        "evaluation logits after SGD": rms(row_errors["evalLogitRows"]),
    }


def float32_runs(architecture):
    for threads, mkldnn, channels_last in [
        (1, True, False), (2, True, False), (1, False, False), (2, False, False), (1, True, True), (2, True, True),
    ]:
        torch.set_num_threads(threads)
        with torch.backends.mkldnn.flags(enabled=mkldnn):
            name = f"{threads} thread{'s' * (threads > 1)}, {'oneDNN' if mkldnn else 'native'}, {'NHWC' if channels_last else 'NCHW'}"
            yield name, run(architecture, torch.float32, channels_last)


def checksum(array):
    """Sum of the float32 bit patterns modulo 2^32: tells whether both generators agree."""
    return int(np.sum(array.reshape(-1).view(np.uint32), dtype=np.uint64) % 2**32)


def rounded(value, digits=12):
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item, digits) for item in value]
    return value


def write(name, fixture):
    path = HERE / name
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(item, separators=(',', ':'))}" for key, item in fixture.items())
    path.write_text("{\n" + lines + "\n}\n")
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB")


def generate_network(architecture):
    reference = run(architecture, torch.float64)
    errors = {}
    for name, found in float32_runs(architecture):
        errors[name] = measure(found, reference)
        print(name, {key: f"{error:.2e}" for key, error in errors[name].items()}, flush=True)
    median = {key: statistics.median(run_errors[key] for run_errors in errors.values()) for key in next(iter(errors.values()))}
    print("median", {key: f"{error:.2e}" for key, error in median.items()})
    model, _, _ = build(architecture, torch.float32, False)
    write(f"{architecture.name}.json", {
        "made": f"generate.py, PyTorch {torch.__version__}, torchvision {torchvision.__version__}, CPU",
        "batch": BATCH, "size": SIZE, "classes": CLASSES, "labels": LABELS.tolist(),
        "checksums": {
            "images": checksum(architecture.images),
            "parameters": sum(checksum(p.detach().numpy()) for p in model.parameters()) % 2**32,
        },
        "sgd": {"learningRate": SGD["lr"], "momentum": SGD["momentum"], "weightDecay": SGD["weight_decay"]},
        "adam": {"learningRate": ADAM["lr"], "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
                 "weightDecay": ADAM["weight_decay"]},
        "float32Errors": rounded({"median": median, "runs": errors}, 4),
        **rounded(reference),
    })


# Single ops, small enough to keep every value.

def op_case(name, op, options, inputs, forward):
    """inputs: (name, shape, scale, offset) each; the gradient is of sum(output * seed), seed from its own stream."""
    streams = {key: 6000 + i for i, (key, *_) in enumerate(inputs)}
    tensors = {
        key: torch.from_numpy((offset + scale * values(streams[key], shape)).astype(np.float32)).double().requires_grad_()
        for key, shape, scale, offset in inputs
    }
    output = forward(tensors)
    seed = torch.from_numpy(values(6100, tuple(output.shape)).astype(np.float32)).double()
    gradients = torch.autograd.grad(output, list(tensors.values()), seed)
    return {
        "name": name, "op": op, "options": options,
        "inputs": [{"name": key, "stream": streams[key], "shape": list(shape), "scale": scale, "offset": offset}
                   for key, shape, scale, offset in inputs],
        "output": {"shape": list(output.shape), "values": rounded(output.reshape(-1).tolist(), 9)},
        "gradients": {key: rounded(g.reshape(-1).tolist(), 9) for key, g in zip(tensors, gradients)},
    }


def convolution_case(channels, filters, kernel, stride, padding, size):
    name = f"conv2d {kernel}x{kernel} stride {stride} padding {padding} on {size[0]}x{size[1]}"
    return op_case(
        name, "conv2d", {"stride": stride, "padding": padding},
        [("input", (2, channels, *size), 1.0, 0.0), ("weight", (filters, channels, kernel, kernel), 0.5, 0.0)],
        lambda t: F.conv2d(t["input"], t["weight"], stride=stride, padding=padding))


def generate_ops():
    cases = [
        convolution_case(3, 4, 7, 2, 3, (9, 12)),
        convolution_case(5, 4, 3, 1, 1, (6, 5)),
        convolution_case(4, 5, 3, 2, 1, (7, 8)),
        convolution_case(4, 3, 3, 2, 0, (8, 7)),
        convolution_case(6, 4, 1, 1, 0, (5, 3)),
        convolution_case(4, 6, 1, 2, 0, (7, 6)),
        convolution_case(3, 2, 5, 2, 2, (8, 9)),
        op_case("batch norm, training", "batchNorm", {"epsilon": 1e-5},
                [("input", (3, 5, 4, 3), 2.0, 0.7), ("weight", (5,), 0.5, 1.0), ("bias", (5,), 0.3, 0.0)],
                lambda t: F.batch_norm(t["input"], None, None, t["weight"], t["bias"], training=True, eps=1e-5)),
        op_case("max pool 3x3 stride 2 padding 1 on 7x8", "maxPool", {"kernel": 3, "stride": 2, "padding": 1},
                [("input", (2, 4, 7, 8), 1.0, 0.0)], lambda t: F.max_pool2d(t["input"], 3, 2, 1)),
        op_case("global average pool", "globalAveragePool", {},
                [("input", (2, 6, 3, 5), 1.0, 0.0)], lambda t: t["input"].mean((2, 3))),
        op_case("linear", "linear", {},
                [("input", (3, 7), 1.0, 0.0), ("weight", (5, 7), 0.5, 0.0), ("bias", (5,), 0.1, 0.0)],
                lambda t: F.linear(t["input"], t["weight"], t["bias"])),
        op_case("L2 normalise", "l2Normalise", {},
                [("input", (4, 9), 1.0, 0.0)], lambda t: F.normalize(t["input"])),
    ]
    write("ops.json", {
        "made": f"generate.py, PyTorch {torch.__version__}, float64",
        "outputGradientStream": 6100,
        "cases": cases,
    })


if __name__ == "__main__":
    wanted = sys.argv[1:]
    if not wanted or "ops" in wanted:
        generate_ops()
    for architecture in ARCHITECTURES:
        if not wanted or architecture.name in wanted:
            generate_network(architecture)
