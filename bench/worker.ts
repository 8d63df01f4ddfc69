// The half of `bench --against` that runs in each checkout: prepares problems and runs variants as it is told to. Only
// messages of this kind pass between checkouts, so that they may differ in everything else.
import { openDevice, releaseGpu } from '../src/platform/adapter.ts';
import { catalogue, type Selection } from './support/catalogue.ts';
import { chosenVariant, tuningProblemOf } from './support/entries.ts';
import { prepareProblem, type PreparedProblem, type Work } from './support/kernel-bench.ts';

export type Request =
  | { readonly kind: 'list'; readonly selection: Selection; readonly work: Work }
  /** Prepares the variant that a program of this checkout would run. */
  | { readonly kind: 'open'; readonly key: string }
  | { readonly kind: 'run'; readonly times: number }
  | { readonly kind: 'close' };

export type Reply =
  | { readonly kind: 'problems'; readonly keys: readonly string[] }
  | { readonly kind: 'opened'; readonly variant: string }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly message: string };

const device = await openDevice('auto', { unsafe: true });
const entries = new Map<string, Awaited<ReturnType<typeof catalogue>>[number]>();
let prepared: PreparedProblem | undefined;

async function answer(request: Request): Promise<Reply> {
  if (request.kind === 'list') {
    for (const entry of await catalogue(request.selection, request.work)) {
      if (tuningProblemOf(entry, device.traits) !== undefined)
        entries.set(`${entry.name}: ${entry.problemName}`, entry);
    }
    return { kind: 'problems', keys: [...entries.keys()] };
  }
  if (request.kind === 'open') {
    const entry = entries.get(request.key);
    if (entry === undefined) throw new RangeError(`no problem is called ${request.key}`);
    const tuningProblem = tuningProblemOf(entry, device.traits);
    if (tuningProblem === undefined) throw new RangeError(`${request.key}: this adapter has no variant`);
    const call = chosenVariant(tuningProblem, undefined);
    prepared?.destroy();
    prepared = await prepareProblem(device, entry.bench.kernel, entry.problem, [call]);
    if (prepared.failures.length > 0) throw new Error(prepared.failures[0].message);
    return { kind: 'opened', variant: call.variant };
  }
  if (request.kind === 'run') {
    await prepared?.variants[0].run(request.times);
    return { kind: 'done' };
  }
  prepared?.destroy();
  device.dispose();
  releaseGpu();
  process.disconnect();
  return { kind: 'done' };
}

process.on('message', (request: Request) => {
  answer(request).then(
    (reply) => process.connected && process.send?.(reply),
    (error: unknown) =>
      process.send?.({
        kind: 'failed',
        message: error instanceof Error ? error.message : String(error),
      } satisfies Reply),
  );
});
