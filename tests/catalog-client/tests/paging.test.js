import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Catalog } from '../support/catalog.js';
import { resource } from '../support/descriptors.js';
import { namesOf, refsOf } from '../support/entities.js';
import { walk } from '../support/paging.js';

const named = (namespace, name, spec) => {
  const { metadata, ...others } = resource(name, spec);
  return { ...others, metadata: { ...metadata, namespace } };
};

// Each namespace is the stage of its own tests.
const ENTITIES = [
  ...['C', 'a', 'E', 'B', 'g', 'd', 'F'].map(name => named('letters', name)),
  ...['w', 'x', 'y', 'z'].map(namespace => named(`equal-${namespace}`, 'AA', { stage: 'equal' })),
  ...['CC', 'DD'].map(name => named('equal-w', name, { stage: 'equal' })),
  ...['lion', 'cat', 'atcatss', 'dog', 'dogcat', 'aa', 's'].map(name => named('words', name)),
  named('long', 'short', { note: 'x'.repeat(200) }),
  named('long', 'long', { note: 'x'.repeat(201) }),
  named('fields', 'n1', { a: 'foo' }),
  named('fields', 'n2', { a: 'bar' }),
  named('fields', 'n3', { a: 'bar', b: 'lonely' }),
  named('fields', 'n4', { a: 'baz', b: 'only' }),
];

const catalog = await Catalog.start(ENTITIES.map(entity => JSON.stringify(entity)).join('\n---\n'));
const { client } = catalog;
await catalog.waitFor('all entities', async () => (await client.getEntities()).items.length === ENTITIES.length + 1);

const BY_NAME = { field: 'metadata.name', order: 'asc' };
const BY_NAME_DOWN = { field: 'metadata.name', order: 'desc' };
const inNamespace = namespace => ({ filter: { 'metadata.namespace': namespace } });
const lettersOf = ({ items }) => namesOf(items).join('');

test('a walk goes there and back, without regard to letter case', async () => {
  const follow = request => client.queryEntities({ ...request, limit: 2 });
  for (const [orderFields, expected] of [
    [BY_NAME, ['aB', 'Cd', 'EF', 'g']],
    [BY_NAME_DOWN, ['gF', 'Ed', 'CB', 'a']],
  ]) {
    const forth = await walk(await follow({ ...inNamespace('letters'), orderFields }), follow);
    assert.deepEqual(forth.map(lettersOf), expected);
    const back = await walk(forth.at(-1), follow, 'prevCursor');
    assert.deepEqual(back.map(lettersOf), expected.toReversed());
    assert.ok(back.at(-1).pageInfo.nextCursor);
    assert.equal(lettersOf(await follow({ cursor: back.at(-1).pageInfo.nextCursor })), expected[1]);
    assert.deepEqual(new Set([...forth, ...back].map(page => page.totalItems)), new Set([7]));
  }
});

test('equal values are neither lost nor repeated', async () => {
  const follow = request => client.queryEntities({ ...request, limit: 2 });
  for (const [orderFields, expected] of [
    [BY_NAME, ['AAAA', 'AAAA', 'CCDD']],
    [BY_NAME_DOWN, ['DDCC', 'AAAA', 'AAAA']],
  ]) {
    const first = await follow({ filter: { 'spec.stage': 'equal' }, orderFields });
    const pages = await walk(first, follow);
    assert.deepEqual(pages.map(lettersOf), expected);
    const refs = refsOf(pages.flatMap(page => page.items));
    assert.equal(new Set(refs).size, 6);
    assert.deepEqual(
      pages.map(page => page.totalItems),
      [6, 6, 6],
    );
    const back = await walk(pages.at(-1), follow, 'prevCursor');
    assert.deepEqual(refsOf(back.toReversed().flatMap(page => page.items)), refs);
  }
});

test('a walk sees the entities that were there, whatever the size of its pages', async () => {
  const { items } = await client.getEntities({ order: BY_NAME });
  for (const limit of [1, 3, 7, ENTITIES.length, ENTITIES.length + 1, 1000]) {
    const follow = request => client.queryEntities({ ...request, limit });
    const pages = await walk(await follow({ orderFields: BY_NAME }), follow);
    assert.deepEqual(refsOf(pages.flatMap(page => page.items)), refsOf(items), `${limit}`);
    assert.equal(pages.length, Math.ceil(items.length / limit), `${limit}`);
  }
});

test('full text finds parts of words, in order', async () => {
  const page = await client.queryEntities({
    ...inNamespace('words'),
    fullTextFilter: { term: 'cAt ' },
    orderFields: BY_NAME,
  });
  assert.deepEqual([namesOf(page.items), page.totalItems], [['atcatss', 'cat', 'dogcat'], 3]);
});

test('getEntities orders by several fields, one after the other', async () => {
  const ordered = async (...order) =>
    namesOf((await client.getEntities({ ...inNamespace('fields'), order, limit: 9 })).items);
  assert.deepEqual(await ordered({ field: 'spec.a', order: 'asc' }, BY_NAME_DOWN), ['n3', 'n2', 'n4', 'n1']);
  assert.deepEqual(await ordered({ field: 'spec.b', order: 'desc' }, BY_NAME), ['n4', 'n3', 'n1', 'n2']);
});

test('a value of more than 200 characters is there, and nothing else is known of it', async () => {
  const note = 'spec.note';
  const found = async query => namesOf((await client.queryEntities({ query, orderFields: BY_NAME })).items);
  assert.deepEqual(await found({ [note]: { $exists: true } }), ['long', 'short']);
  assert.deepEqual(await found({ [note]: { $in: ['x'.repeat(200), 'x'.repeat(201)] } }), ['short']);
  assert.deepEqual(await found({ [note]: { $hasPrefix: 'x' } }), ['short']);
  const ordered = await client.queryEntities({ orderFields: { field: note, order: 'asc' } });
  assert.deepEqual([namesOf(ordered.items), ordered.totalItems], [['short'], 1]);
  const { facets } = await client.getEntityFacets({ facets: [note] });
  assert.deepEqual(facets[note], [{ value: 'x'.repeat(200), count: 1 }]);
});
