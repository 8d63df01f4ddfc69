// A real Slurm array on one node. Where Slurm is not installed the suite says so; .ci/run installs it where it can.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { builtCommand } from '../support/built-command.ts';
import { folderDigests } from '../support/folder-digests.ts';
import { writeShapes } from '../support/shapes-folder.ts';
import { SlurmCluster, slurmIsMissing } from '../support/slurm.ts';
import { run, TinyTraining } from '../support/tiny-training.ts';

const script = (name: string): string => fileURLToPath(new URL(`../../examples/slurm/${name}`, import.meta.url));
/** The cluster, or why there is none. */
const cluster = await startedCluster();
if (typeof cluster === 'string') console.log(`Slurm is not tested: ${cluster}`);

(typeof cluster === 'string' ? test.skip : test)(
  'an array of four with a requeued task, merged, equals one run over all pictures to the byte',
  async () => {
    const tiny = await TinyTraining.make();
    if (typeof cluster === 'string') throw new Error(cluster);
    try {
      await tiny.train('trained');
      await writeShapes(tiny.at('pictures', 'inner'));
      await rm(tiny.at('pictures', 'inner', 'sketch'), { recursive: true });
      await mkdir(tiny.at('shards'));
      const model = ['--model', tiny.at('trained', 'model.safetensors')];
      const whole = await run('embed', ...model, '--images', tiny.at('pictures'), '--out', tiny.at('whole'));
      assert.is(whole.code, 0, whole.stderr);

      const variables = {
        SKETCHGRAD: `${process.execPath} ${await builtCommand()}`,
        PICTURES: tiny.at('pictures'),
        SHARDS: tiny.at('shards'),
        INDEX: tiny.at('merged'),
        OPTIONS: model.join(' '),
      };
      const submit = async (...words: string[]): Promise<string> =>
        (
          await cluster.run(
            'sbatch',
            '--parsable',
            `--export=ALL,${Object.entries(variables)
              .map(([name, value]) => `${name}=${value}`)
              .join(',')}`,
            `--output=${tiny.at('%A_%a.out')}`,
            ...words,
          )
        ).trim();
      const job = await submit('--array=0-3', script('embed.sbatch'));
      const merge = await submit(`--dependency=afterok:${job}`, script('merge.sbatch'));
      await until(async () => (await cluster.run('squeue', '-h', '-t', 'R', '-j', `${job}_2`)) !== '');
      await cluster.run('scontrol', 'requeue', `${job}_2`);
      assert.match(await cluster.run('scontrol', 'show', 'job', `${job}_2`), /Restarts=1 /);
      await until(async () =>
        /JobState=(?!PENDING|RUNNING|COMPLETING)/.test(await cluster.run('scontrol', 'show', 'job', merge)),
      );
      assert.match(
        await cluster.run('scontrol', 'show', 'job', merge),
        /JobState=COMPLETED/,
        await readFile(tiny.at(`${job}_2.out`), 'utf8'),
      );
      assert.equal(await folderDigests(tiny.at('merged')), await folderDigests(tiny.at('whole')));
    } finally {
      await tiny.remove();
    }
  },
);

async function startedCluster(): Promise<SlurmCluster | string> {
  const missing = await slurmIsMissing();
  if (missing !== undefined) return `${missing} (Debian's packages: slurmctld slurmd slurm-client munge)`;
  return SlurmCluster.start().catch((error: Error) => error.message);
}

/** Waits at most three minutes. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 180_000; !(await holds()); await delay(300))
    if (Date.now() > end) throw new Error('Slurm took longer than three minutes');
}

test.after(async () => {
  if (cluster instanceof SlurmCluster) await cluster.stop();
});

test.run();
