// The real binary, in a folder of its own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { waitFor } from './wait.js';

const BUILT_BINARY = fileURLToPath(new URL('../../../target/debug/callboard', import.meta.url));

const LOG_LINES_SHOWN = 40;

const NOBODY = 'http://127.0.0.1:1';
const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'];

// The daemon reaches the loopback interface and nothing else, in whatever network the tests are run.
const NO_NETWORK = {
  ...Object.fromEntries(PROXIES.map(name => [name, NOBODY])),
  NO_PROXY: '127.0.0.1',
  no_proxy: '127.0.0.1',
};

export class Daemon {
  #process;
  #home;
  #logFile;
  #end;

  /** Starts a daemon in the folder, and waits until it is ready. */
  static async start(home, config) {
    const binary = resolve(process.env.CALLBOARD_BINARY ?? BUILT_BINARY);
    if (!existsSync(binary)) {
      throw new Error(`there is no ${binary}: build it, or name another one in CALLBOARD_BINARY`);
    }
    // JSON is YAML.
    writeFileSync(join(home, 'app-config.yaml'), JSON.stringify(config, undefined, 2));
    const daemon = new Daemon(binary, home);
    await daemon.waitFor('the daemon to be ready', async () => {
      const url = daemon.url;
      return url && (await fetch(`${url}/.backstage/health/v1/readiness`)).ok;
    });
    return daemon;
  }

  constructor(binary, home) {
    this.#home = home;
    this.#logFile = join(home, 'daemon.log');
    const log = openSync(this.#logFile, 'w');
    this.#process = spawn(binary, ['serve', '--config', 'app-config.yaml', '--log-format', 'json'], {
      cwd: home,
      env: { ...process.env, ...NO_NETWORK },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#end = once(this.#process, 'exit');
    // Tests that end by an exception must not leave it behind.
    process.once('exit', () => this.#process.kill('SIGKILL'));
  }

  /** Where it listens, without a path; `undefined` until it does. */
  get url() {
    return /listening on (http:\/\/127\.0\.0\.1:\d+)\//.exec(this.#log())?.[1];
  }

  /** Waits, fails at once when the daemon ends, and shows the end of its log when it was in vain. */
  async waitFor(what, probe) {
    try {
      return await waitFor(what, probe, () => this.#assertRunning());
    } catch (error) {
      const shown = this.#log().trimEnd().split('\n').slice(-LOG_LINES_SHOWN);
      throw new Error([error.message, 'the end of the log:', ...shown].join('\n'));
    }
  }

  #assertRunning() {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) {
      throw new Error(`the daemon ended by itself: ${exitCode ?? signalCode}`);
    }
  }

  #log() {
    return readFileSync(this.#logFile, 'utf8');
  }

  /** Ends it as service managers do, and removes its folder. */
  async stop() {
    this.#process.kill('SIGTERM');
    await this.#end;
    rmSync(this.#home, { recursive: true });
  }
}
