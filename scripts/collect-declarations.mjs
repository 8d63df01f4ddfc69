// Writes what follows from declarations, so that adding a kernel or an op touches no list: the kernels of each family,
// the function of each pointwise row without parameters, the table of gradient rules, and the public ops. Run by
// `npm run generate`; the files are not committed.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

const table = new URL('../kernels/elementwise/functions.ts', import.meta.url);
const ops = new URL('../src/autodiff/ops/', import.meta.url);
const kernels = new URL('../kernels/', import.meta.url);
const generated = new URL('../src/autodiff/generated/', import.meta.url);

/** An exported declaration, with the comment before it. */
const EXPORT = /(?:^(\/\*\*(?:(?!\*\/)[^])*\*\/)\n)?^export (?:async )?(const|function|interface|type) (\w+)(.*)$/gm;

const exportsOf = (url) =>
  [...readFileSync(url, 'utf8').matchAll(EXPORT)].map(([, doc = '', kind, name, rest]) => ({ doc, kind, name, rest }));
const isInternal = ({ doc }) => doc.includes('@internal');

function write(file, source, text) {
  mkdirSync(new URL('.', file), { recursive: true });
  const content = `// Made by scripts/collect-declarations.mjs from ${source}; not committed.\n${text}`;
  // Left untouched when nothing changed, so that watchers and incremental builds rest.
  if (!existsSync(file) || readFileSync(file, 'utf8') !== content) writeFileSync(file, content);
}

/** A row's name and operands, which begin its declaration. */
const ROW =
  /^export const (\w+): PointwiseFunction = \{\n {2}name: '(\w+)',\n {2}operands: \[([^\]]*)\],\n( {2}parameters)?/gm;

function pointwiseFunctions() {
  const rows = new Map(
    [...readFileSync(table, 'utf8').matchAll(ROW)].map(([, row, name, operands, parameters]) => [
      row,
      { name, operands: operands.replaceAll("'", ''), hasParameters: parameters !== undefined },
    ]),
  );
  return exportsOf(table).flatMap((declared) => {
    const row = rows.get(declared.name);
    if (row === undefined)
      throw new Error(`kernels/elementwise/functions.ts: ${declared.name} does not begin with name and operands`);
    if (row.hasParameters || isInternal(declared)) return [];
    const parameters = row.operands.split(', ').map((operand) => `${operand}: Tensor`);
    return `${declared.doc}\nexport function ${row.name}(${parameters.join(', ')}): Tensor {\n  return pointwise(functions.${declared.name}, [${row.operands}]);\n}\n`;
  });
}

write(
  new URL('pointwise.ts', generated),
  'kernels/elementwise/functions.ts',
  `import * as functions from '../../../kernels/elementwise/functions.ts';
import { pointwise } from '../ops/pointwise-function.ts';
import type { Tensor } from '../tensor.ts';

${pointwiseFunctions().join('\n')}`,
);

const modules = readdirSync(ops)
  .filter((file) => file.endsWith('.ts') && file !== 'pointwise.ts')
  .sort()
  .map((file) => ({ file, declared: exportsOf(new URL(file, ops)) }));
const isRule = ({ rest }) => rest.startsWith(': GradientRule<');

const rules = modules.flatMap(({ file, declared }) => declared.filter(isRule).map(({ name }) => ({ file, name })));
write(
  new URL('gradient-rules.ts', generated),
  'src/autodiff/ops',
  `${rules.map(({ file, name }) => `import { ${name} } from '../ops/${file}';\n`).join('')}
/**
 * The gradient rules whose kernels inference does not use. Their ops name them, and only \`gradient\` imports this table,
 * so that a bundle that never differentiates has none of those kernels.
 */
export const gradientRules = { ${rules.map(({ name }) => name).join(', ')} };
`,
);

const isPublic = (one) => !isInternal(one) && !isRule(one) && one.name !== 'examples';
write(
  new URL('ops.ts', generated),
  'src/autodiff/ops',
  `export * from '../ops/pointwise.ts';\n${modules
    .map(({ file, declared }) => ({ file, names: declared.filter(isPublic) }))
    .filter(({ names }) => names.length > 0)
    .map(
      ({ file, names }) =>
        `export { ${names.map(({ kind, name }) => (/interface|type/.test(kind) ? `type ${name}` : name)).join(', ')} } from '../ops/${file}';\n`,
    )
    .join('')}`,
);

const families = readdirSync(kernels, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'generated')
  .map(({ name: family }) => ({
    family,
    modules: readdirSync(new URL(`${family}/`, kernels))
      .filter((file) => file.endsWith('.ts'))
      .map((file) => file.slice(0, -3))
      .sort()
      .map((module) => ({
        module,
        names: exportsOf(new URL(`${family}/${module}.ts`, kernels))
          .filter(({ rest }) => rest.startsWith(': Kernel<'))
          .map(({ name }) => name),
      }))
      .filter(({ names }) => names.length > 0),
  }))
  .filter(({ modules }) => modules.length > 0)
  .sort((a, b) => (a.family < b.family ? -1 : 1));
write(
  new URL('generated/families.ts', kernels),
  'kernels',
  `${families
    .flatMap(({ family, modules }) =>
      modules.map(({ module, names }) => `import { ${names.join(', ')} } from '../${family}/${module}.ts';\n`),
    )
    .join('')}
/** The kernels that are declared in each module of each family. */
export const families = {
${families
  .map(
    ({ family, modules }) =>
      `  ${family}: {\n${modules.map(({ module, names }) => `    '${module}': [${names.join(', ')}],\n`).join('')}  },\n`,
  )
  .join('')}};
`,
);
