#!/usr/bin/env python3
"""The recipe of docs/method.md in plain PyTorch: the yardstick for sketchgrad's losses and mAP.

    /usr/bin/python3 bench/reference/train.py FOLDER [--losses classification,quadruplet,preservation] [--steps N] [--device cpu]

FOLDER is what bench/reference/export.ts wrote: the same images, batches, augmentations, starting weights and knowledge that
sketchgrad uses, so that nothing but the engine differs. Writes FOLDER/pytorch.jsonl, a line a step, and prints the metrics of
SAKE's protocol (method.md, Evaluation). Needs PyTorch and numpy, nothing else; runs on a CPU.
"""

import argparse
import json
import os
import struct

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def read_safetensors(path):
    with open(path, 'rb') as file:
        (length,) = struct.unpack('<Q', file.read(8))
        header = json.loads(file.read(length))
        body = file.read()
    header.pop('__metadata__', None)
    tensors = {}
    for name, entry in header.items():
        assert entry['dtype'] == 'F32', f'{name}: {entry["dtype"]}'
        first, last = entry['data_offsets']
        tensors[name] = torch.from_numpy(np.frombuffer(body[first:last], '<f4').reshape(entry['shape']).copy())
    return tensors


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, outputs, stride, style):
        super().__init__()
        first, second = (stride, 1) if style == 'v1' else (1, stride)
        self.conv1 = nn.Conv2d(inputs, width, 1, stride=first, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))
        else:
            self.downsample = None

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class RetrievalNetwork(nn.Module):
    """ResNet50 of any width, an embedding, and two heads; torchvision's names."""

    def __init__(self, settings, classes, teacher_classes):
        super().__init__()
        base = int(64 * settings['width'])
        self.conv1 = nn.Conv2d(3, base, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        inputs = base
        for index, blocks in enumerate([3, 4, 6, 3]):
            width = base << index
            layers = []
            for block in range(blocks):
                stride = 2 if block == 0 and index > 0 else 1
                layers.append(Bottleneck(inputs, width, 4 * width, stride, settings['stride']))
                inputs = 4 * width
            setattr(self, f'layer{index + 1}', nn.Sequential(*layers))
        self.embedding = nn.Linear(inputs, settings['embedding'])
        self.cosine = settings['classifier'] == 'cosine'
        self.classifier = nn.Linear(settings['embedding'], classes, bias=not self.cosine)
        self.teacher = nn.Linear(settings['embedding'], teacher_classes) if teacher_classes > 0 else None
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = settings['batchNormEpsilon']
                module.momentum = settings['batchNormMomentum']

    def forward(self, images):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(images))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean(dim=(2, 3))
        embedded = self.embedding(x)
        f = F.normalize(embedded)
        logits = F.linear(f, F.normalize(self.classifier.weight)) if self.cosine else self.classifier(embedded)
        return f, logits, None if self.teacher is None else self.teacher(embedded)


def prepare(pixels, transforms, convention):
    """Images u8 [N, S, S, 3] as the network wants them, read through each one's affine map; outside is its fill."""
    size = pixels.shape[1]
    x = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 255
    if transforms is not None:
        t = torch.from_numpy(transforms)
        rows, columns = torch.meshgrid(torch.arange(size, dtype=torch.float32), torch.arange(size, dtype=torch.float32), indexing='ij')
        part = lambda i: t[:, i].view(-1, 1, 1)
        source_x = part(0) * columns + part(1) * rows + part(2)
        source_y = part(3) * columns + part(4) * rows + part(5)
        grid = torch.stack([source_x, source_y], dim=-1) * (2 / (size - 1)) - 1
        fill = t[:, 6:9].view(-1, 3, 1, 1) / 255
        x = F.grid_sample(x - fill, grid, mode='bilinear', padding_mode='zeros', align_corners=True) + fill
    mean, deviation = (torch.tensor(convention[name]).view(1, 3, 1, 1) for name in ('mean', 'deviation'))
    return (x - mean) / deviation


def quadruplet(f, labels, domains, losses):
    """The domain-balanced form, mined in the batch."""
    if losses['form'] != 'domain-balanced' or losses['mining'] == 'random':
        raise SystemExit(f"the reference has no {losses['form']} form with {losses['mining']} mining; export with --quadruplet-form domain-balanced --mining hardest or semi-hard")
    squared = ((f[:, None] - f[None]) ** 2).sum(-1)
    d = squared.clamp_min(1e-12).sqrt()
    same = labels[:, None] == labels[None]
    own = domains[:, None] == domains[None]
    found = d.detach()
    positive = found.masked_fill(~(same & ~own), -1).argmax(1)
    has_positive = (same & ~own).any(1)
    rows = torch.arange(len(f))
    hinges, valid = [], []
    for candidates in (~same & own, ~same & ~own):
        pool = candidates
        if losses['mining'] == 'semi-hard':
            farther = candidates & (found > found[rows, positive][:, None])
            pool = torch.where(farther.any(1, keepdim=True), farther, candidates)
        negative = found.masked_fill(~pool, float('inf')).argmin(1)
        exists = has_positive & candidates.any(1)
        hinges.append(F.relu(d[rows, positive] - d[rows, negative] + losses['margin'])[exists])
        valid.append(exists.sum())
    return torch.cat(hinges).sum() / sum(valid).clamp_min(1)


def first_stages(network, count):
    """So many stages of the trunk, the stem with the first."""
    return [] if count == 0 else [network.conv1, network.bn1, *(getattr(network, f'layer{stage}') for stage in range(1, count + 1))]


def parameter_groups(network, optimizer):
    groups = []
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        trunk = name.startswith(('conv1.', 'bn1.', 'layer'))
        decayed = optimizer['decayed'] == 'all' or parameter.dim() > 1
        groups.append({'params': [parameter], 'rate': optimizer['trunkRate'] if trunk else 1, 'weight_decay': optimizer['weightDecay'] if decayed else 0})
    return groups


def average_precision(relevant, total, k=None):
    """SAKE's: the envelope of the precision, over min(k, relevant) where there is a cutoff."""
    ranks = relevant if k is None else relevant[:k]
    hits = np.cumsum(ranks)
    precision = hits / np.arange(1, len(ranks) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * ranks).sum() / (total if k is None else min(k, total)))


def evaluate(queries, gallery, query_labels, gallery_labels):
    results = []
    for query, label in zip(queries, query_labels):
        order = np.argsort(-(gallery @ query), kind='stable')
        relevant = (gallery_labels[order] == label).astype(np.float64)
        total = int(relevant.sum())
        if total == 0:
            continue
        results.append([average_precision(relevant, total), average_precision(relevant, total, 200), *(relevant[:k].mean() for k in (1, 25, 100, 200))])
    return dict(zip(['mAP@all', 'mAP@200', 'P@1', 'P@25', 'P@100', 'P@200'], np.mean(results, axis=0).round(6).tolist()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('folder')
    parser.add_argument('--losses', default='classification,quadruplet,preservation', help='the ablation: those named keep their weights')
    parser.add_argument('--steps', type=int)
    parser.add_argument('--threads', type=int)
    parser.add_argument('--device', default='cpu')
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    at = lambda name: os.path.join(options.folder, name)
    with open(at('work.json')) as file:
        work = json.load(file)
    training = work['training']
    losses, size = training['losses'], training['imageSize']
    if training['teacher']['kind'] != 'class-oriented' or losses['preservedDomains'] != 'both':
        raise SystemExit('the reference has class-oriented knowledge for both domains only')
    beyond = [name for settings, names in ((training, ('emaDecay', 'sourceWeights')), (losses, ('contrastive', 'labelSmoothing', 'classifierMargin'))) for name in names if name in settings]
    if training['network'].get('batchNormDomains', 'shared') != 'shared':
        beyond.append('batchNormDomains')
    if beyond:
        raise SystemExit(f"the reference has none of the options beyond the paper (docs/method.md), and the export has {', '.join(beyond)}; export without")
    kept = options.losses.split(',')
    labels, domains = np.array(work['labels']), np.array(work['domains'])
    images = np.memmap(at('images.u8'), np.uint8, 'r').reshape(-1, size, size, 3)
    batches = np.fromfile(at('batches.u32'), '<u4').reshape(-1, work['batch'])
    transforms = np.fromfile(at('transforms.f32'), '<f4').reshape(len(batches), work['batch'], 12)

    state = read_safetensors(at('start.safetensors'))
    knowledge = state.pop('table.knowledge', None)
    network = RetrievalNetwork(training['network'], work['classes'], 0 if knowledge is None else knowledge.shape[1])
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert not unexpected and all(name.endswith('num_batches_tracked') for name in missing), (missing, unexpected)
    device = torch.device(options.device)
    network.to(device)
    frozen = first_stages(network, training['frozenStages'])
    for module in frozen:
        module.requires_grad_(False)
    groups = parameter_groups(network, training['optimizer'])
    kind = training['optimizer']['kind']
    if kind == 'sgd':
        optimizer = torch.optim.SGD(groups, lr=1, momentum=training['optimizer']['momentum'])
    else:
        optimizer = {'adam': torch.optim.Adam, 'adamw': torch.optim.AdamW}[kind](groups, lr=1)

    network.train()
    if training['batchNorm'] == 'frozen':
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    for module in frozen:
        module.eval()
    steps = len(batches) if options.steps is None else min(options.steps, len(batches))
    with open(at('pytorch.jsonl'), 'w') as log:
        for step in range(steps):
            chosen = batches[step]
            y = torch.from_numpy(labels[chosen]).to(device)
            domain = torch.from_numpy(domains[chosen]).to(device)
            f, logits, said = network(prepare(images[chosen], transforms[step], training['pixels']).to(device))
            values = {'classification': F.cross_entropy(logits / losses['classifierTemperature'], y), 'quadruplet': quadruplet(f, y, domain, losses)}
            weights = {'classification': losses['classification'], 'quadruplet': work['quadrupletWeights'][step], 'preservation': losses['preservation']}
            if knowledge is not None:
                values['preservation'] = -(knowledge.to(device)[y] * F.log_softmax(said, 1)).sum(1).mean()
            loss = sum(weights[name] * value for name, value in values.items() if name in kept)
            for group in optimizer.param_groups:
                group['lr'] = work['learningRates'][step] * group['rate']
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            log.write(json.dumps({'step': step, 'loss': loss.item(), **{name: value.item() for name, value in values.items()}}) + '\n')
            log.flush()

    network.eval()
    first, counts = work['counts']['train'], work['counts']
    embedded = []
    with torch.no_grad():
        for begin in range(first, len(images), 32):
            embedded.append(network(prepare(images[begin:begin + 32], None, training['pixels']).to(device))[0].cpu().numpy())
    embedded = np.concatenate(embedded)
    queries, gallery = embedded[:counts['queries']], embedded[counts['queries']:]
    metrics = evaluate(queries, gallery, labels[first:first + counts['queries']], labels[first + counts['queries']:])
    print(json.dumps({'data': work['data'], 'seed': training['seed'], 'steps': steps, 'losses': kept, 'torch': torch.__version__, **metrics}))


if __name__ == '__main__':
    main()
