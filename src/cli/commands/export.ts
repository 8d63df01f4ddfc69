import { serializeOnnx } from '../../formats/onnx.ts';
import { retrievalOnnx } from '../../nn/retrieval-onnx.ts';
import { writeFileAtomically } from '../../platform/node/files.ts';
import { packageVersion } from '../../platform/node/package-files.ts';
import { readModelDescription } from '../../models/retrieval-model.ts';
import { defineCommand } from '../command.ts';
import { SHARED_OPTIONS } from '../options/shared.ts';
import { readModelFile } from '../files/model-file.ts';
import { MODEL_OPTION } from '../options/model.ts';
import { choice, text } from '../options/kinds.ts';
import { printText } from '../display/progress.ts';

export const EXPORT_OPTIONS = {
  model: MODEL_OPTION,
  out: text({ placeholder: 'file.onnx', default: 'model.onnx', help: 'The ONNX model that is written' }),
  preprocessing: choice(['inside', 'outside'], {
    default: 'inside',
    help: 'inside: the input is RGB bytes [batch, size, size, 3]; outside: normalized floats [batch, 3, size, size]',
  }),
  domain: choice(['sketch', 'photo'], {
    default: 'photo',
    help: 'The domain of the exported model, if it was trained with --batch-norm-domains separate; other models accept both',
  }),
  debug: SHARED_OPTIONS.debug,
} as const;

export const exportCommand = defineCommand({
  name: 'export',
  summary: 'Export the embedding network as an ONNX model',
  options: EXPORT_OPTIONS,
  async run({ model: path, out, preprocessing, domain }) {
    const file = await readModelFile(path, '--model');
    const { settings, imageSize, pixels, sketches, views } = readModelDescription(file, path);
    const model = retrievalOnnx(settings, file.state, {
      imageSize,
      pixels,
      preprocessing,
      mirrored: views === 'mirrored',
      domain,
      version: packageVersion(),
      metadata: new Map([
        ['model_checksum', file.checksum],
        ...(sketches === 'fitted' ? [['sketches', sketches] as const] : []),
      ]),
    });
    const bytes = serializeOnnx(model);
    await writeFileAtomically(out, bytes);
    printText(
      `${out}: ONNX, operator set ${model.opset}, ${(bytes.length / 1e6).toFixed(1)} MB, of the model ${file.checksum.slice(0, 16)}\n  images: ${model.metadata.get('input')}\n  embeddings: float32 [batch, ${settings.embedding}], of length 1\n`,
    );
  },
});
