// What `sketchgrad` starts.
import { releaseGpu } from '../platform/adapter.ts';
import { runCommandLine } from './command-line.ts';

process.exitCode = await runCommandLine(process.argv.slice(2));
releaseGpu();
