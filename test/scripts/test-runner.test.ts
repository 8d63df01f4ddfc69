import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findSuites, needsDevice } from '../../scripts/test-suites.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));

/** Runs the runner on a tree of its own that holds just these suites. */
function runSuites(
  suites: Readonly<Record<string, string>>,
  ...options: readonly string[]
): {
  readonly code: number | null;
  readonly lines: string[];
  readonly text: string;
} {
  const root = mkdtempSync(path.join(tmpdir(), 'sketchgrad-runner-'));
  try {
    mkdirSync(path.join(root, 'test'));
    symlinkSync(path.join(project, 'node_modules'), path.join(root, 'node_modules'));
    writeFileSync(path.join(root, 'package.json'), '{ "type": "module" }');
    for (const [name, body] of Object.entries(suites)) {
      writeFileSync(
        path.join(root, 'test', `${name}.test.ts`),
        `import { test } from 'uvu';\nimport * as assert from 'uvu/assert';\n${body}`,
      );
    }
    const { status, stdout } = spawnSync(
      process.execPath,
      ['--import', 'tsx', path.join(project, 'scripts/test.ts'), '--root', root, ...options],
      { cwd: project, encoding: 'utf8' },
    );
    return { code: status, lines: stdout.trimEnd().split('\n'), text: stdout };
  } finally {
    rmSync(root, { recursive: true });
  }
}

const passing = `test('a', () => assert.ok(true)); test('b', () => assert.ok(true)); test.run();`;

test('counts passing tests, and says so last', () => {
  const { code, lines } = runSuites({ one: passing, two: passing });
  assert.is(code, 0);
  assert.is(lines.at(-1), '4 passed, 0 failed');
});

test('-t runs the tests whose name contains it, and fails where there are none', () => {
  const other = `test('a b', () => assert.ok(true)); test.run();`;
  const { code, lines } = runSuites({ one: passing, two: other, three: `throw new Error('not loaded');` }, '-t', 'b');
  assert.is(code, 0);
  assert.is(lines.at(-1), '2 passed, 0 failed');
  const none = runSuites({ one: passing }, '-t', 'no such test');
  assert.is(none.code, 1);
  assert.match(none.text, 'no test\'s name contains "no such test"');
});

test('a failing test is shown with its suite and message, and the others still run', () => {
  const { code, lines, text } = runSuites({
    one: `test('a', () => assert.is(1, 2, 'one is not two')); test.run();`,
    two: passing,
  });
  assert.is(code, 1);
  assert.is(lines.at(-1), '2 passed, 1 failed');
  assert.match(text, 'FAIL test/one.test.ts');
  assert.match(text, 'one is not two');
});

test('a crash, a forgotten test.run() and a throwing import are failures of their suite alone', () => {
  const { code, lines, text } = runSuites({
    crash: `test('a', () => process.abort()); test.run();`,
    rejection: `test('a', () => { void Promise.reject(new Error('nobody waits')); return new Promise(() => undefined); }); test.run();`,
    empty: `assert.ok(true);`,
    forgotten: `test('a', () => assert.ok(true));`,
    halfForgotten: `test('a', () => assert.ok(true)); test.run(); test('b', () => assert.ok(true));`,
    thrower: `throw new Error('broken while loading');`,
    well: passing,
  });
  assert.is(code, 1);
  assert.is(lines.at(-1), '3 passed, 6 failed');
  assert.match(text, 'signal SIGABRT');
  assert.match(text, 'nobody waits');
  assert.match(text, 'no test ran');
  assert.match(text, 'follow the last test.run()');
  assert.match(text, 'broken while loading');
});

test('what uvu swallows is a failure: a hook that throws, a skipped test, a test beside an `only`', () => {
  const { code, lines } = runSuites({
    hook: `test.before(() => { throw new Error('hook'); }); test('a', () => assert.ok(true)); test.run();`,
    skipped: `test.skip('a', () => assert.ok(true)); test.run();`,
    only: `test('a', () => assert.ok(true)); test.only('b', () => assert.ok(true)); test.run();`,
  });
  assert.is(code, 1);
  assert.is(lines.at(-1), '1 passed, 3 failed');
});

test('a suite needs a device if any module of test/ on its way does', () => {
  const suites = findSuites(project);
  assert.ok(suites.includes('test/kernels/elementwise/cases.test.ts'));
  assert.ok(needsDevice(project, 'test/kernels/elementwise/cases.test.ts'), 'through kernel-test.ts');
  assert.not.ok(needsDevice(project, 'test/random/philox.test.ts'));
});

test.run();
