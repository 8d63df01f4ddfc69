/// The page around the suite: sizes, progress, the table, and the JSON to share.
import type { News, Order } from './bench.worker.ts';
import type { AdapterReport } from './report.ts';

const PRESETS = {
  quick: { title: 'quick: 4 images of 64 x 64, about a minute', work: { batch: 4, size: 64 }, seconds: 45 },
  usual: { title: 'usual: 16 images of 64 x 64, about five minutes', work: { batch: 16, size: 64 }, seconds: 240 },
  large: {
    title: 'large: 32 images of 224 x 224, for graphics cards, about ten minutes',
    work: { batch: 32, size: 224 },
    seconds: 480,
  },
} as const;

function element<Kind extends HTMLElement>(id: string): Kind {
  return document.getElementById(id) as Kind;
}
const preset = element<HTMLSelectElement>('preset');
const card = element<HTMLInputElement>('card');
const start = element<HTMLButtonElement>('start');
const stop = element<HTMLButtonElement>('stop');
const status = element('status');
const progress = element<HTMLProgressElement>('progress');
const copy = element<HTMLButtonElement>('copy');

for (const [name, { title }] of Object.entries(PRESETS)) preset.add(new Option(title, name));

/** For scripts and tests: ?kernels=relu,fill&batch=1&size=32&brief times a few kernels, with as few samples as it takes. */
const query = new URLSearchParams(location.search);
let json = '';

start.addEventListener('click', () => {
  const { work, seconds } = PRESETS[preset.value as keyof typeof PRESETS];
  const worker = new Worker(new URL('./bench.worker.ts', import.meta.url), { type: 'module' });
  const order = (given: Order): void => worker.postMessage(given);
  const running = (is: boolean): void => {
    start.disabled = is;
    stop.hidden = !is;
    progress.hidden = !is;
    if (!is) worker.terminate();
  };
  running(true);
  element('trouble').hidden = true;
  element('result').hidden = true;
  stop.onclick = () => {
    status.textContent = 'Stopping after this kernel …';
    order({ kind: 'stop' });
  };
  const failed = (message: string): void => {
    running(false);
    status.textContent = 'The benchmark ended early.';
    const trouble = element('trouble');
    trouble.textContent = message;
    trouble.hidden = false;
  };
  worker.addEventListener('error', ({ message }) => failed(message || 'the worker cannot be loaded'));
  worker.addEventListener('message', ({ data }: MessageEvent<News>) => {
    if (data.kind === 'failed') failed(data.message);
    else if (data.kind === 'progress') {
      status.textContent = `${data.done} of ${data.total} problems. ${data.text}`;
      progress.max = data.total;
      progress.value = data.done;
    } else {
      running(false);
      show(data.report);
    }
  });
  order({
    kind: 'run',
    work: { batch: Number(query.get('batch') ?? work.batch), size: Number(query.get('size') ?? work.size) },
    seconds: query.has('brief') ? 0 : seconds,
    kernels: query.get('kernels')?.split(',') ?? [],
    card: card.value.trim(),
    brief: query.has('brief'),
  });
});

copy.addEventListener('click', () => {
  navigator.clipboard.writeText(json).then(
    () => (status.textContent = 'Copied.'),
    () => (status.textContent = 'The browser does not allow copying here; download the file.'),
  );
});

const digits = (value: number | undefined): string =>
  value === undefined ? '' : Number(value.toPrecision(3)).toString();

function show(report: AdapterReport): void {
  const { adapter, kernels, ceilings, complete } = report;
  json = `${JSON.stringify(report, null, 1)}\n`;
  element<HTMLAnchorElement>('download').href = URL.createObjectURL(new Blob([json], { type: 'application/json' }));
  const name = [report.card, adapter.vendor, adapter.architecture, adapter.device, adapter.description]
    .filter(Boolean)
    .join(', ');
  element('adapter').textContent =
    `${name || 'The browser does not name the adapter'}. At most ${digits(ceilings.gigaflops)} GFLOP/s and ${digits(ceilings.gigabytes)} GB/s; a dispatch costs ${digits(1000 * ceilings.dispatch)} µs.`;
  // The fastest variant of each problem; the JSON has all of them.
  const best = new Map<string, (typeof kernels)[number]>();
  for (const one of kernels) {
    const key = `${one.kernel} ${one.problem}`;
    if (one.median !== undefined && !(one.median >= (best.get(key)?.median ?? Infinity))) best.set(key, one);
  }
  element('rows').replaceChildren(
    ...[...best.values()].map(({ kernel, problem, variant, median, spread, gigaflops, gigabytes, bound }) => {
      const row = document.createElement('tr');
      const head = document.createElement('th');
      head.scope = 'row';
      head.textContent = kernel;
      row.append(head);
      for (const text of [
        problem,
        variant,
        digits(median),
        digits(spread),
        digits(gigaflops),
        digits(gigabytes),
        bound ?? '',
      ])
        row.insertCell().textContent = text;
      return row;
    }),
  );
  const failures = kernels.filter(({ failure }) => failure !== undefined).length;
  status.textContent = [
    `${best.size} problems timed${complete ? '' : ', then stopped'}.`,
    ...(failures > 0 ? [`${failures} variants failed; the JSON says why.`] : []),
  ].join(' ');
  element('result').hidden = false;
  document.documentElement.dataset.done = 'true';
}
