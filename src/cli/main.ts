// What `sketchgrad` starts.
import { releaseGpu } from '../platform/adapter.ts';
import { eraseNativeWarnings } from '../platform/node/native-warnings.ts';
import { endOnClosedPipe } from './closed-pipe.ts';
import { runCommandLine } from './command-line.ts';

endOnClosedPipe(process.stdout, process.stderr);
eraseNativeWarnings(process.stderr);
process.exitCode = await runCommandLine(process.argv.slice(2));
releaseGpu();
