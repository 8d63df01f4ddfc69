#!/usr/bin/env python3
"""ResNet50's inference and training step in PyTorch on a GPU: what `npm run bench:model` times, for the table beside it.

    python3 bench/reference/resnet50.py [--work infer,train] [--batch 4,32,128] [--size 224] [--precision strict,default,f16]
                                        [--layout NCHW,NHWC] [--rounds 20] [--time 2] [--json FILE]

The same work as ours: 1000 classes, cross-entropy, SGD with momentum 0.9 and weight decay 1e-4, batch norm's running statistics, the
loss read back after every step; inference reads the logits back. Images and labels are on the device, as ours are after their
first write (ours are written anew each step, which is counted).

    strict   float32 everywhere, TF32 off
    default  as PyTorch comes: convolutions may use TF32
    f16      autocast to float16 with loss scaling, channels last, which is how its documentation advises tensor cores to be used

cuDNN looks for its fastest algorithm (cudnn.benchmark), but for the default, which does not. Both memory layouts are timed where nothing else is said (--layout); the table has the faster one.
Needs torch and torchvision.
"""

import argparse
import contextlib
import json
import statistics
import time

import torch
import torch.nn.functional as F
import torchvision

PRECISIONS = ('strict', 'default', 'f16')
WARM_UP = 3


def configure(precision):
    torch.backends.cudnn.benchmark = precision != 'default'
    torch.backends.cudnn.allow_tf32 = precision != 'strict'
    torch.backends.cuda.matmul.allow_tf32 = False


def step_of(work, precision, batch, size, layout):
    """A function that does the work once and waits for its result."""
    format = torch.channels_last if layout == 'NHWC' else torch.contiguous_format
    torch.manual_seed(0)
    model = torchvision.models.resnet50().cuda().to(memory_format=format)
    images = (2 * torch.rand(batch, 3, size, size, device='cuda') - 1).to(memory_format=format)
    labels = torch.randint(1000, (batch,), device='cuda')
    autocast = torch.autocast('cuda', torch.float16) if precision == 'f16' else contextlib.nullcontext()
    if work == 'infer':
        model.eval()

        def infer():
            with torch.inference_mode(), autocast:
                return model(images).float().cpu()

        return infer

    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    scaler = torch.amp.GradScaler('cuda', enabled=precision == 'f16')

    def train():
        optimizer.zero_grad(set_to_none=True)
        with autocast:
            loss = F.cross_entropy(model(images), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    return train


def measure(step, rounds, seconds):
    """Milliseconds of each step, the host's share included, after algorithms were found and memory was taken."""
    for _ in range(WARM_UP):
        step()
    samples = []
    end = time.perf_counter() + seconds
    while len(samples) < rounds and (len(samples) < 3 or time.perf_counter() < end):
        start = time.perf_counter()
        step()
        samples.append(1000 * (time.perf_counter() - start))
    return samples


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--work', default='infer,train')
    parser.add_argument('--batch', default='4,32,128')
    parser.add_argument('--size', default='224')
    parser.add_argument('--precision', default=','.join(PRECISIONS))
    parser.add_argument('--layout', default='NCHW,NHWC')
    parser.add_argument('--rounds', type=int, default=20)
    parser.add_argument('--time', type=float, default=2)
    parser.add_argument('--json')
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit('PyTorch finds no GPU here')

    print(f'{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}')
    results = []
    for size in map(int, options.size.split(',')):
        for batch in map(int, options.batch.split(',')):
            for work in options.work.split(','):
                for precision in options.precision.split(','):
                    configure(precision)
                    layouts = {}
                    for layout in ['NHWC'] if precision == 'f16' else options.layout.split(','):
                        torch.cuda.reset_peak_memory_stats()
                        samples = measure(step_of(work, precision, batch, size, layout), options.rounds, options.time)
                        peak = torch.cuda.max_memory_reserved()
                        layouts[layout] = samples
                        results.append({'work': work, 'batch': batch, 'size': size, 'precision': precision, 'layout': layout, 'samples': samples, 'peakBytes': peak})
                        torch.cuda.empty_cache()
                    layout, samples = min(layouts.items(), key=lambda item: statistics.median(item[1]))
                    print(f'{work:5} {batch:4}x{size}x{size} {precision:8} {statistics.median(samples):8.3f} ms ({min(samples):.3f} - {max(samples):.3f}) {layout}', flush=True)
    if options.json:
        with open(options.json, 'w') as file:
            json.dump({'device': torch.cuda.get_device_name(), 'torch': torch.__version__, 'results': results}, file)


main()
