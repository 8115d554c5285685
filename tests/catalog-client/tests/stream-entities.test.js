import assert from 'node:assert/strict';
import { test } from 'node:test';

import { refsOf } from '../support/entities.js';
import { shortNames, startFixture } from '../support/fixture.js';
import { collect } from '../support/paging.js';

const GET = 'GET /entities/by-query';
const POST = 'POST /entities/by-query';

const catalog = await startFixture();
const { client } = catalog;

async function streamed(request) {
  const { answer, requests } = await catalog.recorded(() => collect(client.streamEntities(request)));
  return { pages: answer, calls: requests.map(({ call }) => call) };
}

test('streamEntities with a filter begins by GET and goes on by POST', async () => {
  const { pages, calls } = await streamed({ filter: { kind: ['component', 'api'] }, pageSize: 2 });
  assert.deepEqual(
    pages.map(page => page.length),
    [2, 2],
  );
  assert.deepEqual(shortNames(pages.flat()).toSorted(), ['alpha', 'api-one', 'beta', 'gamma']);
  assert.deepEqual(calls, [GET, POST]);
});

test('streamEntities without a filter stays with GET', async () => {
  const { pages, calls } = await streamed({ pageSize: 4 });
  assert.deepEqual(
    pages.map(page => page.length),
    [4, 4, 2],
  );
  assert.deepEqual(calls, [GET, GET, GET]);
  assert.deepEqual(refsOf(pages.flat()).toSorted(), refsOf((await client.getEntities()).items).toSorted());
});

test('streamEntities with a query stays with POST, and keeps order and fields', async () => {
  const { pages, calls } = await streamed({
    query: { 'spec.lifecycle': { $exists: true } },
    orderFields: { field: 'metadata.name', order: 'desc' },
    fields: ['metadata.name'],
    pageSize: 3,
  });
  const names = [['gamma', 'beta', 'api-one'], ['alpha']];
  assert.deepEqual(
    pages,
    names.map(page => page.map(name => ({ metadata: { name } }))),
  );
  assert.deepEqual(calls, [POST, POST]);
});

test('streamEntities gives one page where all fit', async () => {
  const { pages, calls } = await streamed();
  assert.deepEqual([pages.map(page => page.length), calls], [[10], [GET]]);
  const exact = await streamed({ pageSize: 10 });
  assert.deepEqual([exact.pages.map(page => page.length), exact.calls], [[10], [GET]]);
});

test('streamEntities gives an empty page where there is nothing', async () => {
  const { pages, calls } = await streamed({ filter: { kind: 'nope' } });
  assert.deepEqual([pages, calls], [[[]], [GET]]);
});
