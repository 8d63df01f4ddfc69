// PostgreSQL with pgvector in this process (PGlite), which speaks PostgreSQL's protocol on a port. Statements run one after
// the other. A store uses one connection (max=1); others are for one that opens before the last has ended.
import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';

export interface PostgresServer {
  readonly url: string;
  /** Runs a statement in the session that all clients share. */
  execute<Row>(statement: string): Promise<Row[]>;
  close(): Promise<void>;
}

/** @param folder of the database; default: in memory */
export async function startPostgres(folder?: string, port = 0): Promise<PostgresServer> {
  const db = await PGlite.create({ dataDir: folder, extensions: { vector } });
  const server = new PGLiteSocketServer({ db, port, host: '127.0.0.1', maxConnections: 4 });
  await server.start();
  return {
    url: `postgres://postgres@${server.getServerConn()}/postgres?max=1`,
    execute: async <Row>(statement: string) => (await db.query<Row>(statement)).rows,
    async close() {
      await server.stop();
      await db.close();
    },
  };
}
