// The page web/bench: it times two kernels and gives a report that enters the table of known adapters.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import type { TuningTable } from '../../src/tuning/tables.ts';
import type { AdapterReport } from '../../web/bench/report.ts';
import { runCaptured } from '../support/command-output.ts';
import { assertAccessible } from '../support/accessibility.ts';
import { pageSuite } from '../support/page-suite.ts';
import { openPage } from '../support/web-page.ts';

const suite = pageSuite();

test('two kernels are timed; the JSON to share has figures, limits and choices; the page is accessible', async () => {
  const { page, errors } = await openPage(
    suite.browser,
    `${suite.site.address}bench/index.html?kernels=relu,transpose&batch=1&size=32&brief`,
  );
  await page.fill('#card', 'a processor');
  await page.click('#start');
  await page.waitForSelector('html[data-done=true], #trouble:not([hidden])', { state: 'attached' });
  assert.is(await page.innerText('#trouble'), '');
  assert.match(await page.innerText('#status'), /^\d+ problems timed\.$/);
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
  assert.is(download.suggestedFilename(), 'sketchgrad-bench.json');
  const report = JSON.parse(await readFile(await download.path(), 'utf8')) as AdapterReport;
  assert.equal(
    [report.format, report.version, report.card, report.complete],
    ['sketchgrad adapter report', 1, 'a processor', true],
  );
  assert.ok(report.limits.maxBufferSize >= 2 ** 28);
  assert.ok(report.features.includes('timestamp-query'));
  assert.is(report.clock, 'device');
  assert.ok(report.ceilings.gigaflops > 0 && report.ceilings.gigabytes > 0 && report.ceilings.dispatch > 0);
  const kernels = new Set(report.kernels.map(({ kernel }) => kernel));
  assert.equal([...kernels].sort(), ['relu', 'transpose']);
  for (const { median, gigabytes, bound, failure } of report.kernels) {
    assert.is(failure, undefined);
    assert.ok(median! > 0 && gigabytes! > 0 && bound !== undefined);
  }
  const rows = await page.locator('#rows tr').count();
  const problems = new Set(report.kernels.map(({ kernel, problem }) => `${kernel} ${problem}`));
  assert.is(rows, problems.size);
  assert.is(report.table.choices.length, report.table.problems);
  // The same file enters a table of known adapters.
  const [file, table] = [suite.at('report.json'), suite.at('table.json')];
  await copyFile(await download.path(), file);
  const { code, stderr } = await runCaptured(['tune', '--from-report', file, '--write-table', table]);
  assert.is(code, 0, stderr);
  const [known] = JSON.parse(await readFile(table, 'utf8')) as TuningTable[];
  assert.equal([known.device, known.choices], ['a processor', report.table.choices]);
  await writeFile(file, JSON.stringify({ ...report, card: '', table: { ...report.table, device: '' } }));
  const refused = await runCaptured(['tune', '--from-report', file, '--write-table', table]);
  assert.match(refused.stderr, /--from-report .*report\.json: it names no device/);
  await assertAccessible(page);
  assert.equal(errors, []);
  await page.context().close();
});

test.run();
