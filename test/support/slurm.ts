// A Slurm cluster of one node on this machine: munged, slurmctld and slurmd in a folder of their own, as root.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const PROGRAMS = ['munged', 'slurmctld', 'slurmd', 'sbatch', 'scontrol', 'squeue'];
const SECONDS_TO_START = 60;

/** Why no cluster can be started here, if so: a program that is missing, or missing rights. */
export async function slurmIsMissing(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'it needs root';
  for (const program of PROGRAMS)
    if (!(await execute('which', [program]).then(...succeeded))) return `${program} is not installed`;
  return undefined;
}
const succeeded = [() => true, () => false] as const;

export class SlurmCluster {
  private constructor(
    readonly folder: string,
    private readonly environment: NodeJS.ProcessEnv,
    private readonly munge: ReturnType<typeof spawn>,
  ) {}

  /** @throws Error with the end of the controller's log, where it does not start */
  static async start(): Promise<SlurmCluster> {
    const folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-slurm-'));
    const at = (name: string): string => path.join(folder, name);
    await Promise.all(['state', 'spool'].map((name) => mkdir(at(name))));
    await writeFile(at('munge.key'), randomBytes(1024), { mode: 0o400 });
    await writeFile(at('slurm.conf'), await configuration(at));
    const munge = spawn(
      'munged',
      ['--foreground', '--force', `--key-file=${at('munge.key')}`, `--socket=${at('munge.socket')}`].concat(
        `--pid-file=${at('munged.pid')}`,
        `--seed-file=${at('munged.seed')}`,
      ),
      { stdio: 'ignore' },
    );
    const cluster = new SlurmCluster(folder, { ...process.env, SLURM_CONF: at('slurm.conf') }, munge);
    try {
      await delay(500);
      await cluster.run('slurmctld', '-i');
      await cluster.run('slurmd');
      for (let tries = 0; tries < SECONDS_TO_START; tries++) {
        if ((await cluster.run('sinfo', '-h', '-o', '%T')).trim() === 'idle') return cluster;
        await delay(1000);
      }
      throw new Error(`its node is not idle after ${SECONDS_TO_START} s`);
    } catch (error) {
      const log = await readFile(at('slurmctld.log'), 'utf8').catch(() => 'no log');
      await cluster.stop();
      throw new Error(`Slurm does not start here: ${(error as Error).message}\n${log.slice(-500)}`, { cause: error });
    }
  }

  /** Runs one of Slurm's programs. @returns what it printed */
  async run(program: string, ...words: string[]): Promise<string> {
    return (await execute(program, words, { env: this.environment, cwd: this.folder })).stdout;
  }

  async stop(): Promise<void> {
    await this.run('scontrol', 'shutdown').catch(() => undefined);
    await delay(1000);
    this.munge.kill();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function configuration(at: (name: string) => string): Promise<string> {
  const node = hostname().split('.')[0];
  return Object.entries({
    ClusterName: 'sketchgrad',
    SlurmctldHost: `${node}(127.0.0.1)`,
    SlurmUser: 'root',
    // A requeued job waits until its credential has expired.
    AuthInfo: `socket=${at('munge.socket')},cred_expire=5`,
    SlurmctldPort: await freePort(),
    SlurmdPort: await freePort(),
    StateSaveLocation: at('state'),
    SlurmdSpoolDir: at('spool'),
    SlurmctldPidFile: at('slurmctld.pid'),
    SlurmdPidFile: at('slurmd.pid'),
    SlurmctldLogFile: at('slurmctld.log'),
    SlurmdLogFile: at('slurmd.log'),
    ProctrackType: 'proctrack/linuxproc',
    TaskPlugin: 'task/none',
    SelectType: 'select/cons_tres',
    SelectTypeParameters: 'CR_Core',
    ReturnToService: 2,
    MpiDefault: 'none',
    NodeName: `${node} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN`,
    PartitionName: `main Nodes=${node} Default=YES State=UP`,
  })
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
