"""Writes the small files of weights that test/formats/pytorch.test.ts reads, with PyTorch itself.

    /usr/bin/python3 test/golden/weights/generate.py

All hold the same first tensors of a ResNet50 of a quarter of the width, as integers of the generator in ../generate.py, so that the
tests know every element without a second copy. PyTorch 1.13 is Debian 12's; the layouts have not changed since, except for the
record `byteorder` that 2.1 added, which is put in by hand here.
"""

import io
import os
import pathlib
import pickle
import struct
import sys
import tarfile
import zipfile
from collections import OrderedDict

import torch

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from generate import values  # noqa: E402

SHAPES = OrderedDict([
    ("conv1.weight", (16, 3, 7, 7)),
    ("bn1.weight", (16,)),
    ("bn1.bias", (16,)),
    ("bn1.running_mean", (16,)),
    ("bn1.running_var", (16,)),
    ("layer1.0.conv1.weight", (16, 16, 1, 1)),
])


def tensors(dtype=torch.float32):
    """Multiples of 1/64 between -1 and 1: exact in every type of float."""
    state = OrderedDict((name, torch.from_numpy((values(3000 + i, shape) * 64).round() / 64).to(dtype)) for i, (name, shape) in enumerate(SHAPES.items()))
    state["bn1.num_batches_tracked"] = torch.tensor(7, dtype=torch.int64)
    return state


def with_metadata(state):
    """As Module.state_dict() gives it: an OrderedDict with an attribute, which the pickle sets by BUILD."""
    state._metadata = OrderedDict([("", {"version": 1}), ("bn1", {"version": 2})])
    return state


def save(name, value, **options):
    torch.save(value, HERE / name, **options)


def rewrite(source, target, change, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(HERE / source) as archive, zipfile.ZipFile(HERE / target, "w", compression) as result:
        for info in archive.infolist():
            for name, data in change(info.filename, archive.read(info)):
                result.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, compression)


def save_tar(name, state):
    """The format before 0.1.10, whose writer is gone; PyTorch 1.13 still reads it, and does so below."""
    def pickled(value, persistent=None):
        buffer = io.BytesIO()
        pickler = pickle.Pickler(buffer, protocol=2)
        if persistent is not None:
            pickler.persistent_id = persistent
        pickler.dump(value)
        return buffer.getvalue()

    storage_type = {torch.float32: torch.FloatStorage, torch.int64: torch.LongStorage}
    tensor_type = {torch.float32: torch.FloatTensor, torch.int64: torch.LongTensor}
    storages, records = pickled(len(state)), pickled(len(state))
    keys = {}
    for i, tensor in enumerate(state.values()):
        # Keys were addresses, which take more than 32 bits.
        storage_key, key = 140_000_000_000_000 + 16 * i, 150_000_000_000_000 + 16 * i
        keys[id(tensor)] = key
        storages += pickled((storage_key, "cpu", storage_type[tensor.dtype]))
        storages += struct.pack("<q", tensor.numel()) + tensor.contiguous().numpy().tobytes()
        records += pickled((key, storage_key, tensor_type[tensor.dtype]))
        dims = tensor.dim()
        records += struct.pack(f"<i4x{2 * dims + 1}q", dims, *tensor.shape, *tensor.stride(), 0)
    storages += pickled([])
    objects = pickled(state, lambda value: keys[id(value)] if isinstance(value, torch.Tensor) else None)
    with tarfile.open(HERE / name, "w:", format=tarfile.PAX_FORMAT) as tar:
        for member, data in (("sys_info", pickled({})), ("pickle", objects), ("tensors", records), ("storages", storages)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def swapped(name, data):
    """What a big-endian machine writes."""
    if name.endswith("data.pkl"):
        return [(name, data), ("archive/byteorder", b"big")]
    if "/data/" not in name:
        return [(name, data)]
    width = 8 if len(data) == 8 else 4
    return [(name, b"".join(data[i:i + width][::-1] for i in range(0, len(data), width)))]


class Hostile:
    def __reduce__(self):
        return os.system, ("touch /tmp/sketchgrad-was-here",)


state = with_metadata(tensors())
save("zip.pth", state)
save("stream.pth", state, _use_new_zipfile_serialization=False)
save_tar("tar.pth", tensors())
save("half.pth", tensors(torch.float16))
save("bfloat16.pth", tensors(torch.bfloat16))
rewrite("zip.pth", "deflated.pth", lambda name, data: [(name.replace("zip/", "archive/"), data)], zipfile.ZIP_DEFLATED)
rewrite("zip.pth", "big-endian.pth", lambda name, data: swapped(name.replace("zip/", "archive/"), data))

# A checkpoint of a training by DataParallel: nested, prefixed, with an optimiser's moments beside it.
module = torch.nn.Conv2d(3, 16, 7, bias=False)
optimiser = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
module(torch.ones(1, 3, 7, 7)).sum().backward()
optimiser.step()
save("checkpoint.pth", {
    "epoch": 90,
    "arch": "resnet50",
    "best_acc1": 0.75,
    "state_dict": OrderedDict(("module." + name, tensor) for name, tensor in tensors().items()),
    "optimizer": optimiser.state_dict(),
})

# Views: channels last, a slice in the middle of a storage that two tensors share, a parameter, doubles.
views = tensors()
shared = torch.cat([torch.zeros(5), views["bn1.weight"], views["bn1.bias"]])
views["conv1.weight"] = views["conv1.weight"].to(memory_format=torch.channels_last)
views["bn1.weight"], views["bn1.bias"] = shared[5:21], shared[21:]
views["bn1.running_mean"] = views["bn1.running_mean"].double()
views["layer1.0.conv1.weight"] = torch.nn.Parameter(views["layer1.0.conv1.weight"])
save("views.pth", views)
save("views-stream.pth", views, _use_new_zipfile_serialization=False)

save("hostile.pth", {"conv1.weight": Hostile()})
save("hostile-stream.pth", {"conv1.weight": Hostile()}, _use_new_zipfile_serialization=False)
save("module.pth", torch.nn.Conv2d(1, 1, 1))

for path in sorted(HERE.glob("*.pth")):
    if path.name.startswith(("hostile", "big-endian", "module")):
        continue
    found = torch.load(path)
    found = found.get("state_dict", found)
    for name, tensor in tensors().items():
        assert torch.equal(found.get(name, found.get("module." + name)).detach().to(tensor.dtype), tensor), (path, name)
    print(f"{path.name}: {path.stat().st_size} bytes")
