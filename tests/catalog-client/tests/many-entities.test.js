import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Catalog } from '../support/catalog.js';
import { resource } from '../support/descriptors.js';
import { namesOf } from '../support/entities.js';
import { collect } from '../support/paging.js';

// More than the pages and chunks that the client takes by itself.
const COUNT = 1201;

const NAMES = Array.from({ length: COUNT }, (_, number) => `r${`${number}`.padStart(4, '0')}`);
const REFS = NAMES.map(name => `resource:default/${name}`);
const FILTER = { kind: 'resource' };
const BY_NAME = { field: 'metadata.name', order: 'asc' };

const catalog = await Catalog.start(NAMES.map(name => JSON.stringify(resource(name))).join('\n---\n'));
const { client } = catalog;
await catalog.waitFor('all entities', async () => (await client.getEntities()).items.length === COUNT + 1);

test('getEntities gives all of them', async () => {
  assert.deepEqual(namesOf((await client.getEntities({ filter: FILTER, order: BY_NAME })).items), NAMES);
  const { items } = await client.getEntities({ fields: ['metadata.name'] });
  assert.equal(new Set(namesOf(items)).size, COUNT + 1);
});

test('queryEntities gives 200 unless it is told how many', async () => {
  for (const request of [{ filter: FILTER }, { query: FILTER }]) {
    const first = await client.queryEntities({ ...request, orderFields: BY_NAME });
    assert.deepEqual([namesOf(first.items), first.totalItems], [NAMES.slice(0, 200), COUNT]);
    const second = await client.queryEntities({ cursor: first.pageInfo.nextCursor });
    assert.deepEqual(namesOf(second.items), NAMES.slice(200, 400));
  }
  const all = await client.queryEntities({ filter: FILTER, orderFields: BY_NAME, limit: 5000 });
  assert.deepEqual([namesOf(all.items), all.pageInfo], [NAMES, {}]);
});

test('getEntitiesByRefs asks for a thousand at a time', async () => {
  const entityRefs = REFS.toSpliced(1100, 0, 'resource:default/nope').toReversed();
  const { answer, requests } = await catalog.recorded(() => client.getEntitiesByRefs({ entityRefs }));
  assert.deepEqual(
    requests.map(({ body }) => body.entityRefs.length),
    [1000, 202],
  );
  assert.deepEqual(namesOf(answer.items), NAMES.toSpliced(1100, 0, undefined).toReversed());
});

test('streamEntities gives pages of 500', async () => {
  const { answer, requests } = await catalog.recorded(() => collect(client.streamEntities()));
  assert.deepEqual(
    answer.map(page => page.length),
    [500, 500, 202],
  );
  assert.deepEqual(
    requests.map(({ call }) => call),
    Array(3).fill('GET /entities/by-query'),
  );
  assert.deepEqual(
    namesOf(answer.flat())
      .filter(name => NAMES.includes(name))
      .toSorted(),
    NAMES,
  );
  const ordered = await collect(client.streamEntities({ filter: FILTER, orderFields: BY_NAME }));
  assert.deepEqual(
    ordered.map(page => page.length),
    [500, 500, 201],
  );
  assert.deepEqual(namesOf(ordered.flat()), NAMES);
});

test('facets count all of them', async () => {
  const { facets } = await client.getEntityFacets({ facets: ['kind', 'metadata.name'], filter: FILTER });
  assert.deepEqual(facets.kind, [{ value: 'Resource', count: COUNT }]);
  assert.deepEqual(
    facets['metadata.name'],
    NAMES.map(value => ({ value, count: 1 })),
  );
});
