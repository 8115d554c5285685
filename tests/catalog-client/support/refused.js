// Requests that the server refuses, as the client reports them.

import assert from 'node:assert/strict';
import { STATUS_CODES } from 'node:http';

/** Fails unless the call ends with the client's error for this status, with this error of the server as its cause. */
export async function assertRefused(call, status, name, message) {
  await assert.rejects(call, error => {
    assert.equal(error.name, 'ResponseError', error.stack);
    assert.equal(error.message, `Request failed with ${status} ${STATUS_CODES[status]}`);
    assert.equal(error.statusCode, status);
    assert.equal(error.cause.name, name);
    if (message instanceof RegExp) {
      assert.match(error.cause.message, message);
    } else {
      assert.equal(error.cause.message, message);
    }
    return true;
  });
}

/** For requests that make no sense. */
export function assertBadRequest(call, message) {
  return assertRefused(call, 400, 'InputError', message);
}
