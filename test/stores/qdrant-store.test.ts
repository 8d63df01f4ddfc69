// No Qdrant server runs here: a stub answers (test/support/qdrant-stub.ts). What is tested is that the requests are those
// that the API describes, that answers are understood, and that re-scoring makes up for one-byte values; the stub has no
// graph, so the recall of the engine is not.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openStore } from '../../src/stores/open-store.ts';
import { StoreError } from '../../src/stores/store.ts';
import { startQdrantStub } from '../support/qdrant-stub.ts';
import { checkStore } from '../support/store-contract.ts';

const stub = await startQdrantStub();
test.after(() => stub.close());
const CHECKSUM = 'c0ffee'.repeat(10);

test("a Qdrant store sends the API's requests and understands its answers", async () => {
  process.env.QDRANT_API_KEY = 'secret';
  const address = `qdrant:${stub.url}?shards=4&replicas=2#album`;
  const store = await openStore(address, { modelChecksum: CHECKSUM, dimension: 16 });
  await checkStore(store, { count: 400, queries: 4, scoreError: 1e-6 });
  await store.close();
  assert.equal([...stub.keys], ['secret']);
  const [[name, { created, indexes }]] = stub.collections;
  assert.is(name, 'album_c0ffeec0ffeec0ff');
  assert.is(created.shard_number, 4);
  assert.is(created.replication_factor, 2);
  assert.equal(created.quantization_config, { scalar: { type: 'int8', quantile: 0.99, always_ram: true } });
  assert.equal([...indexes.keys()], ['folders', 'label', 'size', 'time']);
  delete process.env.QDRANT_API_KEY;
});

test('errors name the server, and never the key', async () => {
  const open = async (address: string, dimension?: number): Promise<string> => {
    const error = await openStore(address, { modelChecksum: CHECKSUM, dimension }).catch((error: unknown) => error);
    assert.instance(error, StoreError);
    return (error as Error).message;
  };
  assert.match(await open(`qdrant:${stub.url}#album`, 8), /vectors of 16 components, and 8 are needed/);
  assert.match(await open(`qdrant:${stub.url}#other`), /has no pictures of the model c0ffeec0ffeec0ff/);
  assert.match(await open(`qdrant:${stub.url}#Other`), /#Other: a name has at most 40/);
  assert.match(await open(`qdrant:${stub.url}?shards=0#more`, 8), /shards=0: a whole number above 0/);
  const unreachable = await open('qdrant:http://me:secret@127.0.0.1:1#x', 8);
  assert.match(unreachable, /^qdrant:http:\/\/127\.0\.0\.1:1#x: /);
  assert.not.match(unreachable, /secret/);
});

test.run();
