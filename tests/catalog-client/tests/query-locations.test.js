import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Catalog } from '../support/catalog.js';
import { collect, decodeCursor, walk } from '../support/paging.js';

const catalog = await Catalog.start('', { locations: [] });
const { client } = catalog;

// Nothing is ever found there, which is of no interest to the list of locations.
const TARGETS = ['a', 'b', 'c', 'd', 'e'].map(name => catalog.upstream.url(`/${name}.yaml`));

const registered = [];
for (const target of TARGETS) {
  registered.push((await client.addLocation({ target })).location);
}
const sorted = registered.toSorted((one, other) => (one.id < other.id ? -1 : 1));

test('getLocations lists all', async () => {
  const { items } = await client.getLocations();
  assert.deepEqual(new Set(items.map(item => item.target)), new Set(TARGETS));
});

test('queryLocations orders by id', async () => {
  assert.deepEqual(await client.queryLocations({}), { items: sorted, totalItems: 5, pageInfo: {} });
});

test('queryLocations goes on with the size of the first page', async () => {
  const first = await client.queryLocations({ limit: 2, query: { type: 'url' } });
  assert.deepEqual([first.items, first.totalItems], [sorted.slice(0, 2), 5]);
  const { limit, afterId } = decodeCursor(first.pageInfo.nextCursor);
  assert.deepEqual([limit, afterId], [2, sorted[1].id]);
  const pages = await walk(first, ({ cursor }) => client.queryLocations({ cursor, limit: 1 }));
  assert.deepEqual(
    pages.map(page => page.items),
    [sorted.slice(0, 2), sorted.slice(2, 4), sorted.slice(4)],
  );
  assert.deepEqual(
    pages.map(page => page.totalItems),
    [5, 5, 5],
  );
});

const [first, second, third] = sorted;

const QUERIES = [
  ['a type', { type: 'URL' }, sorted],
  ['another type', { type: 'file' }, []],
  ['a target in any letter case', { Target: first.target.toUpperCase() }, [first]],
  ['a ref', { entityRef: second.entityRef }, [second]],
  ['one of several ids', { id: { $in: [third.id, first.id, 'nope'] } }, [first, third]],
  ['a prefix in any letter case', { target: { $hasPrefix: 'HTTP://127.0.0.1:' } }, sorted],
  ['a prefix with a percent sign', { target: { $hasPrefix: 'http://%' } }, []],
  ['a prefix with an underscore', { target: { $hasPrefix: 'http_//' } }, []],
  ['existence', { type: { $exists: true } }, sorted],
  ['absence', { type: { $exists: false } }, []],
  ['one of none', { id: { $in: [] } }, []],
  ['an item', { type: { $contains: 'url' } }, []],
  ['nothing said', {}, sorted],
  ['all of nothing', { $all: [] }, []],
  ['any of nothing', { $any: [] }, []],
  ['not an empty clause', { $not: {} }, sorted],
  [
    'the opposite',
    { $not: { id: { $in: [first.id, third.id] } } },
    sorted.filter(({ id }) => ![first.id, third.id].includes(id)),
  ],
  ['several fields', { type: 'url', id: second.id }, [second]],
  ['any of several clauses', { $any: [{ id: third.id }, { target: second.target }] }, [second, third]],
  ['all of several clauses', { $all: [{ id: third.id }, { target: second.target }] }, []],
];

for (const [what, query, expected] of QUERIES) {
  test(`queryLocations finds by query: ${what}`, async () => {
    const page = await client.queryLocations({ query });
    assert.deepEqual(page, { items: expected, totalItems: expected.length, pageInfo: {} });
  });
}

test('streamLocations follows the cursors', async () => {
  const { answer, requests } = await catalog.recorded(() => collect(client.streamLocations({ limit: 3 })));
  assert.deepEqual(answer, [sorted.slice(0, 3), sorted.slice(3)]);
  assert.deepEqual(
    requests.map(({ call }) => call),
    ['POST /locations/by-query', 'POST /locations/by-query'],
  );
  assert.deepEqual(requests[0].body, { limit: 3 });
  assert.deepEqual(Object.keys(requests[1].body), ['cursor']);
});

test('streamLocations keeps the query, and gives no empty page', async () => {
  const query = { $not: { id: first.id } };
  assert.deepEqual(await collect(client.streamLocations({ limit: 3, query })), [sorted.slice(1, 4), sorted.slice(4)]);
  const { answer, requests } = await catalog.recorded(() => collect(client.streamLocations()));
  assert.deepEqual(answer, [sorted]);
  assert.deepEqual(
    requests.map(({ body }) => body),
    [{ limit: 500 }],
  );
  assert.deepEqual(await collect(client.streamLocations({ query: { type: 'file' } })), []);
});
