// A running daemon with a catalog in it, and the client that is under test.

import { mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

import { CatalogClient } from '@backstage/catalog-client';

import { Daemon } from './daemon.js';
import { generatedName } from './entities.js';
import { Recorder } from './recorder.js';
import { Upstream } from './upstream.js';

let databases = 0;

/** `backend.database` of a daemon in this folder: a database of its own where the variable names a server. */
function database(home) {
  const server = process.env.CALLBOARD_TEST_DATABASE;
  if (!server) {
    return { client: 'sqlite', connection: join(home, 'callboard.sqlite') };
  }
  const url = new URL(server);
  url.pathname += `_${process.pid}_${++databases}`;
  return { client: 'pg', connection: { connectionString: url.href } };
}

const KINDS = ['API', 'Component', 'Domain', 'Group', 'Location', 'Resource', 'System', 'User'];

export class Catalog {
  /** With nothing between it and the daemon but a recorder. */
  client;
  /** Where url locations are read from. */
  upstream;
  /** The path of the file. */
  file;
  #daemon;
  #recorder;

  /**
   * Starts a daemon on a file with this text, until the tests of the calling file are over. `settings` are those of the
   * section `catalog`; `sections` answers further sections, given the upstream.
   */
  static async start(text, settings = {}, sections = () => ({})) {
    const upstream = await Upstream.start();
    // The path is a part of refs and annotations, so it must be the one that the daemon sees.
    const home = realpathSync(mkdtempSync(join(tmpdir(), 'callboard-catalog-client-')));
    const file = join(home, 'all.yaml');
    writeFileSync(file, text);
    const daemon = await Daemon.start(home, {
      backend: {
        baseUrl: 'http://127.0.0.1:7007',
        listen: { host: '127.0.0.1', port: 0 },
        database: database(home),
        auth: { dangerouslyDisableDefaultAuthPolicy: true },
        reading: { allow: [{ host: upstream.host }] },
      },
      catalog: {
        // What is looked at again in a test is so because the test asked for it.
        processingInterval: { hours: 1 },
        rules: [{ allow: KINDS }],
        locations: [{ type: 'file', target: file }],
        ...settings,
      },
      callboard: { engine: { janitorInterval: { seconds: 1 } } },
      ...sections(upstream),
    });
    const catalog = new Catalog(daemon, upstream, file);
    after(() => catalog.stop());
    return catalog;
  }

  constructor(daemon, upstream, file) {
    this.#daemon = daemon;
    this.upstream = upstream;
    this.file = file;
    const base = `${daemon.url}/api/catalog`;
    this.#recorder = new Recorder(base);
    this.client = new CatalogClient({
      discoveryApi: { getBaseUrl: async () => base },
      fetchApi: { fetch: this.#recorder.fetch },
    });
  }

  /** The name of the entity of the file's location. */
  get locationName() {
    return generatedName('file', this.file);
  }

  get locationRef() {
    return `location:default/${this.locationName}`;
  }

  waitFor(what, probe) {
    return this.#daemon.waitFor(what, probe);
  }

  /** What the calls answered, and the requests that they led to. */
  async recorded(calls) {
    this.#recorder.take();
    const answer = await calls();
    return { answer, requests: this.#recorder.take() };
  }

  async stop() {
    await this.#daemon.stop();
    await this.upstream.stop();
  }
}
