// Files that know their digest: every bit of every kind of file that sketchgrad writes.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createHash } from 'node:crypto';
import { parseSafetensors, SafetensorsError } from '../../src/formats/safetensors.ts';
import { serializeSafetensors } from '../../src/formats/safetensors-writer.ts';
import { parseSealed, parseSealedNow, serializeSealed, serializeSealedNow } from '../../src/formats/sealed.ts';
import { sha256 } from '../../src/formats/sha256.ts';
import { IndexFileError, openIndex } from '../../src/retrieval/index-file.ts';
import { CheckpointError, parseModel } from '../../src/models/model-file.ts';
import { KnowledgeError, parseKnowledge, parsePartialKnowledge } from '../../src/training/knowledge-file.ts';
import { sampleFiles } from '../../scripts/trials/sample-files.ts';

test("SHA-256 is the platform's, at every length around a block", () => {
  for (const length of [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000]) {
    const bytes = Uint8Array.from({ length }, (_, index) => (7 * index + length) & 255);
    assert.is(
      Buffer.from(sha256(bytes)).toString('hex'),
      createHash('sha256').update(bytes).digest('hex'),
      `${length} bytes`,
    );
  }
});

const fail = (problem: string): never => {
  throw new Error(problem);
};

test('both writers write the same bytes, both readers take them, also out of the middle of a buffer', async () => {
  const content = [
    [['a', { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) }]],
    [['format', 'x "digest":"' + '0'.repeat(64) + '"']],
  ] as const;
  const written = await serializeSealed(...content);
  assert.equal(serializeSealedNow(...content), written);
  const within = Buffer.concat([Buffer.alloc(5), written, Buffer.alloc(3)]).subarray(5, -3);
  for (const bytes of [written, within]) {
    assert.ok((await parseSealed(bytes, 'file', fail)).sealed);
    assert.ok(parseSealedNow(bytes, 'file', fail).sealed);
  }
  assert.not.ok(parseSealedNow(serializeSafetensors([]), 'file', fail).sealed);
});

const readers = {
  model: [(bytes: Uint8Array) => parseModel(bytes, 'file'), CheckpointError],
  index: [(bytes: Uint8Array) => openIndex(bytes, 'file'), IndexFileError],
  knowledge: [(bytes: Uint8Array) => parseKnowledge(bytes, 'file'), KnowledgeError],
  partial: [(bytes: Uint8Array) => parsePartialKnowledge(bytes, 'file'), KnowledgeError],
} as const;

for (const [kind, [read, Refusal]] of Object.entries(readers)) {
  test(`${kind}: no flipped bit is accepted, in any byte`, async () => {
    const bytes = (await sampleFiles())[kind as keyof typeof readers];
    await read(bytes);
    for (let place = 0; place < bytes.length; place++) {
      const bit = 1 << (place % 8);
      bytes[place] ^= bit;
      let error: unknown;
      try {
        await read(bytes);
      } catch (reason) {
        error = reason;
      }
      assert.ok(
        error instanceof Refusal || error instanceof SafetensorsError,
        `bit ${place % 8} of byte ${place}: ${String(error)}`,
      );
      bytes[place] ^= bit;
    }
    await read(bytes);
  });

  test(`${kind}: a newer version is refused, with the version that is known`, async () => {
    const { tensors, metadata } = parseSafetensors((await sampleFiles())[kind as keyof typeof readers]);
    const key = kind === 'index' ? 'format_version' : 'format';
    metadata.set(key, metadata.get(key)!.replace('2', '3'));
    const newer = await serializeSealed(
      [...tensors].map(([name, { dtype, shape, bytes }]) => [name, { dtype, shape, data: bytes }]),
      metadata,
    );
    let message = '';
    try {
      await read(newer);
    } catch (error) {
      assert.instance(error, Refusal);
      ({ message } = error as Error);
    }
    assert.match(message, /version "?3"?.*versions up to 2/);
  });
}

test('a model of version 1 is verified by its checksum, as before', async () => {
  const { tensors, metadata } = parseSafetensors((await sampleFiles()).model);
  metadata.delete('digest');
  const rewritten = (change: (name: string, bytes: Uint8Array) => void): Uint8Array => {
    const changed = [...tensors].map(([name, tensor]) => {
      const data = new Uint8Array(tensor.bytes);
      change(name, data);
      return [name, { dtype: tensor.dtype, shape: tensor.shape, data }] as const;
    });
    return serializeSafetensors(changed, metadata);
  };
  await parseModel(
    rewritten(() => undefined),
    'file',
  ).then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /digest is missing/),
  );
  metadata.set('format', 'sketchgrad 1');
  assert.is(
    (
      await parseModel(
        rewritten(() => undefined),
        'file',
      )
    ).step,
    7,
  );
  const flipped = rewritten((name, bytes) => void (name === 'embedding.weight' && (bytes[0] ^= 1)));
  await parseModel(flipped, 'file').then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /the weights have checksum/),
  );
});

test.run();
