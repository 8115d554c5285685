// Waiting for something that another process does.

import { setTimeout } from 'node:timers/promises';

// Far beyond what anything here takes, also on a machine that compiles meanwhile.
const LIMIT_MS = 100_000;

const PAUSE_MS = 20;

/**
 * Looks until `probe` answers something other than `undefined` and `false`. An error of the probe counts as "not yet";
 * one of `assertHope` ends the waiting.
 */
export async function waitFor(what, probe, assertHope = () => {}) {
  const deadline = performance.now() + LIMIT_MS;
  for (;;) {
    assertHope();
    let cause;
    try {
      const found = await probe();
      if (found !== undefined && found !== false) {
        return found;
      }
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${LIMIT_MS / 1000} s in vain for ${what}; last: ${cause?.message ?? 'nothing'}`);
    }
    await setTimeout(PAUSE_MS);
  }
}
