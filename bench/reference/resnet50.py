#!/usr/bin/env python3
"""ResNet50's inference and training step in PyTorch: what `npm run bench:model` times, for the table beside it.

    python3 bench/reference/resnet50.py [--work infer,train] [--batch 1,4,32,128] [--size 224]
        [--precision strict,tf32,f16,bf16] [--mode eager,compiled] [--layout NCHW,NHWC]
        [--rounds 20] [--time 2] [--ours] [--device cuda] [--json FILE]

The same work as ours: 1000 classes, cross-entropy, SGD with momentum 0.9 and weight decay 1e-4, batch norm's running statistics, the
loss read back after every step; inference reads the logits back. Images and labels are on the device, as ours are after their
first write (ours are written anew each step, which is counted).

    strict    float32 everywhere, TF32 off
    tf32      TF32 in convolutions and matrix products
    default   as PyTorch comes: TF32 in convolutions, and cudnn.benchmark off
    f16       autocast to float16, training with loss scaling
    bf16      autocast to bfloat16

    eager     as PyTorch runs a module
    compiled  torch.compile(mode='max-autotune'), which tunes Triton kernels beside cuDNN's and replays CUDA graphs

With --ours, `npm run bench:model` runs each configuration right after PyTorch's (float32, and f16 where the precisions have it), so that
one call gives the whole table. The last columns are times of ours in terms of PyTorch's. Whatever PyTorch or the machine lacks is left
out with a message. Needs torch and torchvision.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import torch
import torch.nn.functional as F

PRECISIONS = ('strict', 'tf32', 'default', 'f16', 'bf16')
MODES = ('eager', 'compiled')
LAYOUTS = ('NCHW', 'NHWC')
AUTOCAST = {'f16': torch.float16, 'bf16': torch.bfloat16}
WARM_UP = 3
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')


def listed(choices):
    """A list such as strict,f16, of these words."""

    def parse(text):
        words = text.split(',')
        for word in words:
            if word not in choices:
                raise argparse.ArgumentTypeError(f'{word} is none of {", ".join(choices)}')
        return words

    return parse


def counts(text):
    try:
        numbers = [int(word) for word in text.split(',')]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise argparse.ArgumentTypeError(f'{text} is no list of whole numbers above 0')
    return numbers


def parse_options(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--work', type=listed(('infer', 'train')), default=['infer', 'train'])
    parser.add_argument('--batch', type=counts, default=[1, 4, 32, 128])
    parser.add_argument('--size', type=counts, default=[224])
    parser.add_argument('--precision', type=listed(PRECISIONS), default=['strict', 'tf32', 'f16', 'bf16'])
    parser.add_argument('--mode', type=listed(MODES), default=list(MODES))
    parser.add_argument('--layout', type=listed(LAYOUTS), default=list(LAYOUTS))
    parser.add_argument('--rounds', type=int, default=20, help='steps that are timed of each, at most')
    parser.add_argument('--time', type=float, default=2, help='seconds after which no further step is timed; three are in any case')
    parser.add_argument('--device', choices=('cuda', 'cpu'), default='cuda', help='cpu is for a look at whether the script works')
    parser.add_argument('--ours', action='store_true', help='time sketchgrad as well')
    parser.add_argument('--ours-adapter', default='gpu', help='its --adapter')
    parser.add_argument('--json', help='a file for everything measured')
    return parser.parse_args(words)


def available(options):
    """Modes and precisions that can be timed here; says what is left out, and why."""
    modes, precisions = list(options.mode), list(options.precision)

    def leave_out(names, name, why):
        if name in names:
            names.remove(name)
            print(f'left out: {name}, {why}', file=sys.stderr)

    if not hasattr(torch, 'compile'):
        leave_out(modes, 'compiled', f'since PyTorch {torch.__version__} has no torch.compile; 2.0 and newer have it')
    if options.device == 'cpu':
        for name in ('tf32', 'f16'):
            leave_out(precisions, name, 'which a CPU does not have')
    elif 'bf16' in precisions and not torch.cuda.is_bf16_supported():
        leave_out(precisions, 'bf16', 'which this GPU does not have')
    if not modes or not precisions:
        raise SystemExit('nothing is left to be timed: choose another --mode or --precision')
    return modes, precisions


def configure(precision):
    torch.backends.cudnn.benchmark = precision != 'default'
    torch.backends.cudnn.allow_tf32 = precision != 'strict'
    torch.backends.cuda.matmul.allow_tf32 = precision == 'tf32'


def grad_scaler(enabled):
    modern = getattr(torch.amp, 'GradScaler', None)
    return modern('cuda', enabled=enabled) if modern else torch.cuda.amp.GradScaler(enabled=enabled)


def step_of(work, precision, mode, batch, size, layout, device):
    """A function that does the work once and waits for its result."""
    import torchvision

    memory_format = torch.channels_last if layout == 'NHWC' else torch.contiguous_format
    torch.manual_seed(0)
    model = torchvision.models.resnet50().to(device).to(memory_format=memory_format)
    images = (2 * torch.rand(batch, 3, size, size, device=device) - 1).to(memory_format=memory_format)
    labels = torch.randint(1000, (batch,), device=device)

    def cast():
        return torch.autocast(device, AUTOCAST[precision]) if precision in AUTOCAST else contextlib.nullcontext()

    model.train(work == 'train')
    forward = torch.compile(model, mode='max-autotune') if mode == 'compiled' else model
    # A graph's outputs live until its next replay; this says where that is.
    begin = torch.compiler.cudagraph_mark_step_begin if mode == 'compiled' and hasattr(torch, 'compiler') else lambda: None
    if work == 'infer':

        def infer():
            begin()
            with torch.inference_mode(), cast():
                return forward(images).float().cpu()

        return infer

    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    scaler = grad_scaler(precision == 'f16' and device == 'cuda')

    def train():
        begin()
        optimizer.zero_grad(set_to_none=True)
        with cast():
            loss = F.cross_entropy(forward(images), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    return train


def measure(step, rounds, seconds):
    """Milliseconds of each step, the host's share included, after algorithms were found and memory was taken; and of the first one."""
    start = time.perf_counter()
    step()
    first = 1000 * (time.perf_counter() - start)
    for _ in range(WARM_UP - 1):
        step()
    samples = []
    end = time.perf_counter() + seconds
    while len(samples) < rounds and (len(samples) < 3 or time.perf_counter() < end):
        start = time.perf_counter()
        step()
        samples.append(1000 * (time.perf_counter() - start))
    return first, samples


def time_pytorch(options, work, batch, size, precision, mode, layout):
    """One row of the results; a failure, such as too little memory, is one as well."""
    row = {'engine': 'PyTorch', 'work': work, 'batch': batch, 'size': size, 'precision': precision, 'mode': mode, 'layout': layout}
    configure(precision)
    if options.device == 'cuda':
        torch.cuda.reset_peak_memory_stats()
    try:
        first, samples = measure(step_of(work, precision, mode, batch, size, layout, options.device), options.rounds, options.time)
        row.update(first=first, samples=samples)
        if options.device == 'cuda':
            row['peakBytes'] = torch.cuda.max_memory_reserved()
    except (RuntimeError, ValueError) as error:
        row['failure'] = str(error).strip().split('\n')[0]
    if hasattr(torch, 'compiler'):
        torch.compiler.reset()
    if options.device == 'cuda':
        torch.cuda.empty_cache()
    return row


def time_ours(options, work, batch, size, precision):
    """The same configuration by `npm run bench:model`."""
    row = {'engine': 'sketchgrad', 'work': work, 'batch': batch, 'size': size, 'precision': precision, 'mode': 'tuned', 'layout': 'NHWC'}
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, 'model.json')
        words = ['--work', work, '--batch', str(batch), '--size', str(size), '--precision', precision, '--tuned', '--adapter', options.ours_adapter,
                 '--rounds', str(options.rounds), '--time', str(options.time), '--json', file]  # fmt: skip
        try:
            run = subprocess.run(['npm', 'run', '-s', 'bench:model', '--', *words], cwd=ROOT, capture_output=True, text=True)
            with open(file) as report:
                report = json.load(report)
        except OSError as error:
            row['failure'] = f'npm run bench:model gave no report: {error}'
            return row
    if report['results']:
        [result] = report['results']
        row.update(first=result['compile'] + result['firstStep'], samples=result['samples'])
    else:
        row['failure'] = report['failures'][0]['failure'] if report['failures'] else run.stderr.strip()
    return row


def describe(row):
    name = f'{row["work"]:5} {row["batch"]:4}x{row["size"]}x{row["size"]} {row["engine"]:10} {row["precision"]:7} {row["mode"]:8} {row["layout"]}'
    if 'failure' in row:
        return f'{name}  failed: {row["failure"]}'
    samples = row['samples']
    return f'{name} {statistics.median(samples):9.3f} ms ({min(samples):.3f} - {max(samples):.3f}), first {row["first"] / 1000:.1f} s'


def summary(results):
    """A line for each work and batch: the faster layout of each precision and mode, ours, and ours in terms of theirs."""
    lines = []
    for key in dict.fromkeys((row['work'], row['batch'], row['size']) for row in results):
        rows = [row for row in results if (row['work'], row['batch'], row['size']) == key and 'samples' in row]
        best = {}
        for row in rows:
            name = ('ours ' + row['precision']) if row['engine'] == 'sketchgrad' else f'{row["mode"]} {row["precision"]}'
            median = statistics.median(row['samples'])
            best[name] = min(best.get(name, median), median)
        cells = [f'{name} {median:.2f}' for name, median in best.items()]
        if 'ours f32' in best:
            cells += [f'ours / {name} {best["ours f32"] / best[name]:.2f}' for name in ('eager strict', 'compiled strict') if name in best]
        if 'ours f16' in best:
            cells += [f'ours f16 / {name} {best["ours f16"] / best[name]:.2f}' for name in ('eager f16', 'compiled f16') if name in best]
        lines.append(f'{key[0]:5} {key[1]:4}x{key[2]}x{key[2]}  ' + '  '.join(cells))
    return '\n'.join(lines)


def main(words):
    options = parse_options(words)
    if options.device == 'cuda' and not torch.cuda.is_available():
        raise SystemExit('PyTorch finds no CUDA device here. --device cpu shows whether the script works, with a small --size and --batch')
    try:
        import torchvision  # noqa: F401
    except ImportError:
        raise SystemExit('torchvision is needed for its ResNet50: pip install torchvision')
    modes, precisions = available(options)
    device = torch.cuda.get_device_name() if options.device == 'cuda' else f'CPU, {torch.get_num_threads()} threads'
    print(f'{device}, PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}')
    results = []

    def add(row):
        results.append(row)
        print(describe(row), flush=True)

    for size in options.size:
        for batch in options.batch:
            for work in options.work:
                for precision in precisions:
                    for mode in modes:
                        for layout in options.layout:
                            add(time_pytorch(options, work, batch, size, precision, mode, layout))
                if options.ours:
                    for precision in ['f32', *(['f16'] if 'f16' in precisions else [])]:
                        add(time_ours(options, work, batch, size, precision))
    print('\nmedian milliseconds, the faster layout of each')
    print(summary(results))
    if options.json:
        with open(options.json, 'w') as file:
            json.dump({'format': 'sketchgrad reference resnet50 1', 'device': device, 'torch': torch.__version__, 'results': results}, file)
    if any('failure' in row for row in results):
        raise SystemExit(1)


if __name__ == '__main__':
    main(sys.argv[1:])
