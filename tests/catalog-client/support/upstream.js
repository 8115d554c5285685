// A web server that url locations are read from.

import { once } from 'node:events';
import { createServer } from 'node:http';

export class Upstream {
  #server;
  #files = new Map();

  static async start() {
    const upstream = new Upstream();
    upstream.#server.listen(0, '127.0.0.1');
    await once(upstream.#server, 'listening');
    return upstream;
  }

  constructor() {
    this.#server = createServer((request, response) => {
      const text = this.#files.get(request.url.split('?')[0]);
      response.writeHead(text === undefined ? 404 : 200, { 'content-type': 'text/yaml' });
      response.end(text);
    });
  }

  /** Host and port, as `backend.reading.allow` wants them. */
  get host() {
    return `127.0.0.1:${this.#server.address().port}`;
  }

  url(path) {
    return `http://${this.host}${path}`;
  }

  /** Serves these documents at the path from now on. Answers the URL. */
  put(path, ...documents) {
    // JSON is YAML.
    this.#files.set(path, documents.map(document => JSON.stringify(document)).join('\n---\n'));
    return this.url(path);
  }

  async stop() {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
