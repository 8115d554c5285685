import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CATALOG_FILTER_EXISTS } from '@backstage/catalog-client';

import { refsOf } from '../support/entities.js';
import { NAMES, NAMES_BY_REF, shortNames, sortedNames, startFixture } from '../support/fixture.js';
import { assertBadRequest } from '../support/refused.js';

const EXISTS = CATALOG_FILTER_EXISTS;
const ALL = NAMES.toSorted();
const COMPONENTS = ['alpha', 'beta', 'gamma'];
const TEAM_OWNS = ['alpha', 'api-one', 'db', 'gamma', 'sys'];

const catalog = await startFixture();
const { client } = catalog;

const ordered = async request => shortNames((await client.getEntities(request)).items);
const fieldsOf = async (fields, request) => (await client.getEntities({ fields, ...request })).items;

const FILTERS = [
  ['one value', { kind: 'component' }, COMPONENTS],
  ['keys and values in any letter case', { KIND: 'COMPONENT' }, COMPONENTS],
  ['any of several values', { kind: ['component', 'api'] }, ['alpha', 'api-one', 'beta', 'gamma']],
  ['all of several keys', { kind: 'component', 'spec.type': 'service' }, ['alpha', 'beta']],
  ['any of several sets', [{ kind: 'component' }, { kind: 'api' }], ['alpha', 'api-one', 'beta', 'gamma']],
  ['sets that say nothing together', [{ a: ['1', '2'], b: '3' }, { c: '4' }], []],
  ['no set', [], ALL],
  ['an empty set', {}, ALL],
  ['an item of a list', { 'metadata.tags': 'java' }, ['alpha', 'beta']],
  ['an item as a key', { 'metadata.tags.java': EXISTS }, ['alpha', 'beta']],
  ['an item as a key that is true', { 'metadata.tags.java': 'true' }, ['alpha', 'beta']],
  ['an item as a key that is not false', { 'metadata.tags.java': 'false' }, []],
  ['an item with a colon', { 'spec.dependsOn.resource:db': EXISTS }, ['alpha']],
  ['a number is no key', { 'spec.arr.2': EXISTS }, []],
  ['a number', { 'spec.num': '5' }, ['beta']],
  ['a boolean', { 'spec.flag': 'TRUE' }, ['beta']],
  ['a number in a list', { 'spec.arr': '2' }, ['beta']],
  ['a member of an object in a list', { 'spec.arr.d': '1' }, ['beta']],
  ['a member of the objects in a list', { 'metadata.links.url': EXISTS }, ['alpha']],
  ['a list with items', { 'metadata.tags': EXISTS }, ['alpha', 'beta']],
  ['an object does not exist itself: annotations', { 'metadata.annotations': EXISTS }, []],
  ['an object does not exist itself: spec', { spec: EXISTS }, []],
  ['an object does not exist itself: metadata', { metadata: EXISTS }, []],
  ['relations need a type', { relations: EXISTS }, []],
  ['the status cannot be asked for', { status: EXISTS }, []],
  ['the etag cannot be asked for', { 'metadata.etag': EXISTS }, []],
  ['any relation of a type', { 'relations.ownedby': EXISTS }, ['beta', ...TEAM_OWNS].toSorted()],
  ['a relation in any letter case', { 'relations.ownedBy': 'Group:Default/Team-A' }, TEAM_OWNS],
  ['a key with dots and a slash', { 'metadata.annotations.example.com/mixed-case': 'helloworld' }, ['alpha']],
  ['a label with a dot', { 'metadata.labels.team.name': 'core' }, ['alpha']],
  ['spaces around keys and values', { ' kind ': ' component ', ' spec.type ': ' library ' }, ['gamma']],
  ['a value with a space', { 'metadata.description': 'first component' }, ['alpha']],
  ['a value with a colon', { 'spec.definition': 'openapi: 3.0.0' }, ['api-one']],
  ['an empty value', { 'metadata.name': '' }, []],
  ['existence beside a value: the value counts', { kind: [EXISTS, 'component'] }, COMPONENTS],
  ['an empty list of values disappears', { 'relations.ownedBy': [] }, ALL],
  ['a set with nothing but an empty list disappears', [{ kind: 'api' }, { 'relations.ownedBy': [] }], ['api-one']],
  ['a comma ends a value', { 'metadata.name': 'alpha,kind' }, ['alpha']],
  ['what follows a comma is a key', { 'metadata.name': 'alpha,beta' }, []],
  ['one key in two spellings has to have both values', { kind: 'component', Kind: 'api' }, []],
  ['an unknown value', { kind: 'nope' }, []],
  ['an unknown key', { nope: EXISTS }, []],
];

for (const [what, filter, expected] of FILTERS) {
  test(`getEntities finds by filter: ${what}`, async () => {
    assert.deepEqual(sortedNames((await client.getEntities({ filter })).items), expected);
  });
}

test('getEntities takes hundreds of filter sets', async () => {
  const nobody = Array.from({ length: 500 }, (_, number) => ({ 'metadata.name': `nobody-${number}` }));
  assert.deepEqual(await ordered({ filter: [...nobody, { 'metadata.name': 'alpha' }] }), ['alpha']);
});

test('getEntities refuses a filter without a key', async () => {
  await assertBadRequest(
    client.getEntities({ filter: { '': 'foo' } }),
    "Invalid filter, '=foo' is not a valid statement (expected a string on the form a=b or a= or a)",
  );
});

test('getEntities without a request gives whole entities', async () => {
  const { items } = await client.getEntities();
  assert.deepEqual(sortedNames(items), ALL);
  for (const entity of items) {
    assert.deepEqual(Object.keys(entity).toSorted(), ['apiVersion', 'kind', 'metadata', 'relations', 'spec']);
    assert.match(entity.metadata.uid, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.match(entity.metadata.etag, /^[0-9a-f]{40}$/);
    assert.equal(typeof entity.metadata.namespace, 'string');
  }
});

test('getEntities gives the fields that are asked for, in the order in which they are', async () => {
  const filter = { 'metadata.name': 'alpha' };
  const cases = [
    [['kind', 'metadata.name'], '{"kind":"Component","metadata":{"name":"alpha"}}'],
    [['metadata.name', 'kind'], '{"metadata":{"name":"alpha"},"kind":"Component"}'],
    [
      ['metadata.title', 'kind', 'metadata.name'],
      '{"metadata":{"title":"Alpha Service","name":"alpha"},"kind":"Component"}',
    ],
    [
      ['metadata.annotations.github.com/project-slug'],
      '{"metadata":{"annotations":{"github.com/project-slug":"org/alpha"}}}',
    ],
    [['metadata.tags', 'nope.x'], '{"metadata":{"tags":["java","go"]}}'],
    [[' kind ', '', 'kind'], '{"kind":"Component"}'],
    [['kind,metadata.name'], '{"kind":"Component","metadata":{"name":"alpha"}}'],
  ];
  for (const [fields, expected] of cases) {
    assert.equal(JSON.stringify((await fieldsOf(fields, { filter }))[0]), expected, fields.join());
  }
  assert.equal((await fieldsOf([], { filter }))[0].spec.type, 'service');
});

test('getEntities counts entities that have none of the fields', async () => {
  for (const fields of [['nope'], ['KIND'], ['relations.type']]) {
    assert.deepEqual(await fieldsOf(fields, { limit: 1 }), [{}], fields.join());
  }
  const slugs = await fieldsOf(['metadata.annotations.github.com/project-slug'], { limit: 3 });
  assert.deepEqual(slugs, [{}, { metadata: { annotations: { 'github.com/project-slug': 'org/alpha' } } }, {}]);
});

test('getEntities refuses fields with an index', async () => {
  await assertBadRequest(
    client.getEntities({ fields: ['spec.arr[0]'] }),
    'Invalid field "spec.arr[0]", array type fields are not supported',
  );
});

test('getEntities orders the whole list, without those that have no value', async () => {
  assert.deepEqual(await ordered({ order: { field: 'metadata.name', order: 'asc' } }), NAMES);
  assert.deepEqual(await ordered({ order: { field: 'metadata.name', order: 'desc' } }), NAMES.toReversed());
  const byType = await ordered({ order: { field: 'spec.type', order: 'asc' } });
  assert.deepEqual(byType.toSpliced(4, 2), ['db', 'loc', 'gamma', 'api-one', 'team-a']);
  assert.deepEqual(byType.slice(4, 6).toSorted(), ['alpha', 'beta']);
  assert.deepEqual(await ordered({ order: { field: 'Spec.Type', order: 'asc' } }), byType);
  assert.deepEqual(await ordered({ order: { field: 'nope', order: 'asc' } }), []);
});

test('getEntities orders parts of the list by several fields, with those that have no value at the end', async () => {
  const type = { field: 'spec.type', order: 'desc' };
  const name = { field: 'metadata.name', order: 'asc' };
  const expected = ['team-a', 'alpha', 'beta', 'api-one', 'gamma', 'loc', 'db', 'guest', 'jane', 'sys'];
  assert.deepEqual(await ordered({ order: [type, name], limit: 20 }), expected);
  assert.deepEqual(await ordered({ order: [type, name], limit: 3, offset: 6 }), ['db', 'guest', 'jane']);
  const byType = await ordered({ order: [type], limit: 20 });
  assert.deepEqual(byType.toSpliced(1, 2).slice(0, 5), ['team-a', 'api-one', 'gamma', 'loc', 'db']);
  assert.deepEqual(byType.slice(1, 3).toSorted(), ['alpha', 'beta']);
  assert.deepEqual(byType.slice(7).toSorted(), ['guest', 'jane', 'sys']);
  const upwards = await ordered({ order: [{ ...type, order: 'asc' }], limit: 20 });
  assert.deepEqual(upwards.slice(7), byType.slice(7), 'without a value, by uid in both directions');
});

test('getEntities orders parts of the list by uid if the field is spelled in another letter case', async () => {
  const uids = async order => (await client.getEntities({ order, limit: 20 })).items.map(item => item.metadata.uid);
  const all = await uids([{ field: 'metadata.Name', order: 'asc' }]);
  assert.deepEqual(all, all.toSorted());
  assert.equal(all.length, NAMES.length);
});

test('getEntities gives parts of the list by ref', async () => {
  assert.deepEqual(await ordered({ limit: 20 }), NAMES_BY_REF);
  assert.deepEqual(await ordered({ limit: 2 }), ['api-one', 'alpha']);
  assert.deepEqual(await ordered({ limit: 2, offset: 3 }), ['gamma', 'team-a']);
  assert.deepEqual(await ordered({ offset: 2 }), NAMES_BY_REF.slice(2));
  assert.deepEqual(await ordered({ limit: 2, offset: 9 }), ['guest']);
  assert.deepEqual(await ordered({ offset: 100 }), []);
  assert.deepEqual(await ordered({ limit: 99999999999 }), NAMES_BY_REF);
  assert.deepEqual(await ordered({ filter: { kind: 'component' }, limit: 2, offset: 1 }), ['beta', 'gamma']);
});

test('getEntities goes on after a cursor, which a header gives', async () => {
  const page = async request => {
    const { answer, requests } = await catalog.recorded(() => client.getEntities(request));
    const link = requests[0].link && /^<\/entities\?(.*)>; rel="next"$/.exec(requests[0].link);
    return { refs: refsOf(answer.items), next: link && new URLSearchParams(link[1]) };
  };
  const cursor = next => JSON.parse(atob(next.get('after')));
  const { items } = await client.getEntities({ limit: 20 });
  const refs = refsOf(items);

  const fields = ['kind', 'metadata.name', 'metadata.namespace'];
  const first = await page({ limit: 4, offset: 1, fields });
  assert.deepEqual(first.refs, refs.slice(1, 5));
  assert.deepEqual([...first.next.keys()].toSorted(), ['after', 'fields', 'limit']);
  assert.deepEqual(cursor(first.next), { limit: 4, offset: 5 });
  // The cursor overrides limit and offset.
  const second = await page({ limit: 1, offset: 7, after: first.next.get('after'), fields });
  assert.deepEqual(second.refs, refs.slice(5, 9));
  assert.deepEqual(cursor(second.next), { limit: 4, offset: 9 });
  const third = await page({ after: second.next.get('after') });
  assert.deepEqual(third.refs, refs.slice(9));
  assert.equal(third.next, undefined);
});

test('getEntities refuses limits, offsets and cursors that make no sense', async () => {
  const cases = [
    [{ limit: 0 }, 'Invalid limit, must be greater than zero'],
    [{ limit: -1 }, 'request/query/limit must be >= 0'],
    [{ limit: 1.5 }, 'request/query/limit must be integer'],
    [{ offset: -1 }, 'request/query/offset must be >= 0'],
    [{ after: 'zzz' }, 'Malformed after cursor, could not be parsed'],
    [{ after: btoa('{"limit":"2"}') }, 'Malformed after cursor, limit was not an number'],
    [{ after: btoa('{"limit":2,"offset":"1"}') }, 'Malformed after cursor, offset was not a number'],
    [
      { order: { field: 'metadata.name', order: 'up' } },
      'Invalid order parameter "up:metadata.name", expected "<asc or desc>:<field name>"',
    ],
  ];
  for (const [request, message] of cases) {
    await assertBadRequest(client.getEntities(request), message);
  }
});
