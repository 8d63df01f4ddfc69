import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { SafetensorsError, parseSafetensors } from '../../src/formats/safetensors.ts';
import { serializeSafetensors } from '../../src/formats/safetensors-writer.ts';
import { serializeSealedNow } from '../../src/formats/sealed.ts';
import {
  assertSameModel,
  IndexFileError,
  IndexModelMismatchError,
  openIndex,
  serializeIndex,
  type RetrievalIndex,
} from '../../src/retrieval/index-file.ts';

const index: RetrievalIndex = {
  embeddings: new Float32Array([1, 0, 0, 0.6, 0, -0.8]),
  dimension: 3,
  paths: ['photo/swan/1.png', 'photo/a "swan"\n/ü.png'],
  modelChecksum: 'abc123',
};

/** The index's file with some metadata changed, and the digest that belongs to them; undefined takes a key away. */
function withMetadata(changes: Record<string, string | undefined>): Uint8Array {
  const { tensors, metadata } = parseSafetensors(serializeIndex(index));
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) metadata.delete(key);
    else metadata.set(key, value);
  }
  return serializeSealedNow(
    [...tensors].map(([name, { dtype, shape, bytes }]) => [name, { dtype, shape, data: bytes }]),
    metadata,
  );
}

const refused = (bytes: Uint8Array, message: RegExp): void =>
  assert.throws(
    () => openIndex(bytes, 'swans.index'),
    (error: Error) =>
      error instanceof IndexFileError && message.test(error.message) && error.message.startsWith('swans.index'),
  );

test('an index comes back as it was', () => {
  assert.equal(openIndex(serializeIndex(index)), index);
  assert.equal(serializeIndex(openIndex(serializeIndex(index))), serializeIndex(index));
  const empty = { ...index, embeddings: new Float32Array(0), paths: [] };
  assert.equal(openIndex(serializeIndex(empty)), empty);
});

test('another model is refused, with both checksums and what to do', () => {
  assertSameModel(index, 'abc123');
  assert.throws(
    () => assertSameModel(index, 'def456'),
    (error: Error) =>
      error instanceof IndexModelMismatchError && /abc123.*def456.*sketchgrad embed/.test(error.message),
  );
});

test('a file that is no sound index is refused', () => {
  assert.throws(
    () => openIndex(new Uint8Array(3), 'swans.index'),
    (error: Error) => error instanceof SafetensorsError,
  );
  refused(
    serializeSafetensors([['fc.weight', { dtype: 'F32', shape: [1], data: new Float32Array(1) }]]),
    /is a safetensors file but no index/,
  );
  refused(withMetadata({ format: 'something else' }), /no index/);
  refused(withMetadata({ format_version: '3' }), /version "3", this program reads versions up to 2/);
  refused(withMetadata({ format_version: undefined }), /version nothing/);
  refused(withMetadata({ model_checksum: undefined }), /which model/);
  refused(withMetadata({ dimension: '2' }), /F32 \[2, 3\], its metadata tell of F32 \[2, 2\]/);
  refused(withMetadata({ dimension: 'three' }), /F32 \[2, NaN\]/);
  refused(withMetadata({ paths: '["one"]' }), /its metadata tell of F32 \[1, 3\]/);
  for (const paths of [undefined, '', '{', '{"length":2}', '[1,2]', 'null'])
    refused(withMetadata({ paths }), /does not list the paths/);
});

test('rows that are not of length 1 are neither written nor read', () => {
  const rows = (embeddings: number[]): RetrievalIndex => ({ ...index, embeddings: new Float32Array(embeddings) });
  assert.throws(() => serializeIndex(rows([1, 0, 0, 2, 0, 0])), /\(row 1\) has length 2 instead of 1/);
  assert.throws(() => serializeIndex(rows([1, 0, 0, NaN, 0, 0])), /has length NaN/);
  assert.throws(() => serializeIndex(rows([1, 0, 0])), /2 paths with 3 values each do not make 3 values/);
  const bytes = serializeIndex(index);
  new DataView(bytes.buffer).setFloat32(bytes.length - 4, 9, true);
  refused(bytes, /its digest is of other bytes; the file is damaged, .*make the index again/);
  const { tensors, metadata } = parseSafetensors(serializeIndex(index));
  refused(
    serializeSealedNow(
      [...tensors].map(([name, { dtype, shape }]) => [
        name,
        { dtype, shape, data: Float32Array.of(1, 0, 0, 0.6, 0, 9) },
      ]),
      metadata,
    ),
    /has length/,
  );
});

const coded: RetrievalIndex = {
  ...index,
  codes: {
    coder: {
      bits: 33,
      dimension: 3,
      mean: new Float32Array([0.1, 0.2, 0.3]),
      projection: Float32Array.from({ length: 99 }, (_, i) => i),
    },
    rows: new Uint32Array([7, 1, 0xffffffff, 0]),
    fittedOn: 'seen.safetensors',
  },
};

test('binary codes come back as they were, from bytes that begin anywhere', () => {
  const bytes = serializeIndex(coded);
  assert.equal(openIndex(bytes), coded);
  for (const shift of [1, 4]) {
    const shifted = Buffer.alloc(bytes.length + shift);
    shifted.set(bytes, shift);
    assert.equal(openIndex(shifted.subarray(shift)), coded);
  }
});

test('codes that do not belong to their embeddings, or a part of them, are refused', () => {
  const { tensors, metadata } = parseSafetensors(serializeIndex(coded));
  const without = (name: string): Uint8Array =>
    serializeSealedNow(
      [...tensors]
        .filter(([key]) => key !== name)
        .map(([key, { dtype, shape, bytes }]) => [key, { dtype, shape, data: bytes }]),
      metadata,
    );
  for (const name of ['codes', 'codes.mean', 'codes.projection']) refused(without(name), /only a part of binary codes/);
  const reshaped = (name: string, shape: number[]): Uint8Array =>
    serializeSealedNow(
      [...tensors].map(([key, tensor]) => [
        key,
        { dtype: tensor.dtype, shape: key === name ? shape : tensor.shape, data: tensor.bytes },
      ]),
      metadata,
    );
  refused(
    reshaped('codes', [4]),
    /codes, codes.mean and codes.projection are \[4\], \[3\], \[3, 33\], where \[2, 2\], \[3\], \[3, 33\] are needed/,
  );
  const { codes } = coded;
  const changed = (changes: Partial<NonNullable<typeof codes>>): RetrievalIndex => ({
    ...coded,
    codes: { ...codes!, ...changes },
  });
  assert.throws(
    () => serializeIndex(changed({ rows: new Uint32Array(3) })),
    /codes of 33 bits \(3 words, .*\) do not belong to 2 embeddings of 3 values/,
  );
  assert.throws(
    () => serializeIndex(changed({ coder: { ...codes!.coder, mean: new Float32Array([0, NaN, 0]) } })),
    /not finite/,
  );
});

test('an index of version 1, which had no digest, is read; one of version 2 without its digest is not', () => {
  const { tensors, metadata } = parseSafetensors(serializeIndex(coded));
  metadata.delete('digest');
  const written = (): Uint8Array =>
    serializeSafetensors(
      [...tensors].map(([name, { dtype, shape, bytes }]) => [name, { dtype, shape, data: bytes }]),
      metadata,
    );
  refused(written(), /its digest is missing/);
  metadata.set('format_version', '1');
  assert.equal(openIndex(written()), coded);
});

test.run();
