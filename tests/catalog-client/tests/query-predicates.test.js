import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CATALOG_FILTER_EXISTS } from '@backstage/catalog-client';

import { NAMES, sortedNames, startFixture } from '../support/fixture.js';
import { assertBadRequest } from '../support/refused.js';

const EXISTS = CATALOG_FILTER_EXISTS;
const ALL = NAMES.toSorted();

const catalog = await startFixture();
const { client } = catalog;

const relation = inner => ({ relations: { $contains: inner } });

const PREDICATES = [
  ['nothing said', {}, ALL],
  ['all of nothing', { $all: [] }, ALL],
  ['any of nothing', { $any: [] }, []],
  ['not everything', { $not: {} }, []],
  ['a value', { Kind: 'COMPONENT' }, ['alpha', 'beta', 'gamma']],
  ['several fields', { kind: 'component', 'spec.type': 'service' }, ['alpha', 'beta']],
  ['a number', { 'spec.num': 5 }, ['beta']],
  ['a boolean', { 'spec.flag': true }, ['beta']],
  ['a number in a list', { 'spec.arr': 2 }, ['beta']],
  ['one of several', { kind: { $in: ['Component', 'API'] }, 'metadata.namespace': 'other' }, ['gamma']],
  ['one of none', { 'metadata.name': { $in: [] } }, []],
  ['a prefix', { 'metadata.name': { $hasPrefix: 'AL' } }, ['alpha']],
  ['a prefix with a wildcard is no wildcard', { 'metadata.name': { $hasPrefix: 'al%' } }, []],
  ['an empty prefix', { 'metadata.tags': { $hasPrefix: '' } }, ['alpha', 'beta']],
  ['an item', { 'metadata.tags': { $contains: 'JAVA' } }, ['alpha', 'beta']],
  ['existence', { 'metadata.tags': { $exists: true } }, ['alpha', 'beta']],
  ['absence', { 'metadata.tags': { $exists: false }, kind: 'component' }, ['gamma']],
  ['an object does not exist itself', { spec: { $exists: true } }, []],
  ['an object in an object does not exist itself', { 'spec.profile': { $exists: true } }, []],
  ['the opposite', { $not: { kind: 'component' } }, ALL.filter(name => !['alpha', 'beta', 'gamma'].includes(name))],
  [
    'operators in operators',
    { $not: { $any: [{ kind: 'component' }, { kind: 'user' }] } },
    ['api-one', 'db', 'loc', 'sys', 'team-a'],
  ],
  [
    'a relation',
    relation({ type: 'ownedBy', targetRef: 'group:default/team-a' }),
    ['alpha', 'api-one', 'db', 'gamma', 'sys'],
  ],
  ['a relation in any letter case', relation({ Type: 'OWNEDBY', TARGETREF: 'User:default/Jane' }), ['beta']],
  ['a relation to one of several', relation({ type: 'ownedBy', targetRef: { $in: ['user:default/jane'] } }), ['beta']],
  ['a relation to anything', relation({ type: 'ownedBy' }), ['alpha', 'api-one', 'beta', 'db', 'gamma', 'sys']],
  ['a primitive is no relation', relation('x'), []],
  ['an unknown field', { nope: 'x' }, []],
];

for (const [what, query, expected] of PREDICATES) {
  test(`queryEntities finds by query: ${what}`, async () => {
    const { answer, requests } = await catalog.recorded(() =>
      client.queryEntities({ query, fields: ['metadata.name'] }),
    );
    assert.deepEqual(sortedNames(answer.items), expected);
    assert.equal(answer.totalItems, expected.length);
    assert.deepEqual(requests[0].body, { query, fields: ['metadata.name'] });
  });
}

test('a filter beside a query counts as well', async () => {
  const query = { 'spec.lifecycle': 'production' };
  const found = async filter => sortedNames((await client.queryEntities({ filter, query })).items);
  assert.deepEqual(await found({ kind: 'component' }), ['alpha', 'gamma']);
  assert.deepEqual(await found([{ kind: 'api' }, { 'metadata.tags': ['go', 'java'] }]), ['alpha', 'api-one']);
  // In a query, and only there, existence goes before values.
  assert.deepEqual(await found({ kind: [EXISTS, 'api'] }), ['alpha', 'api-one', 'gamma']);
  assert.deepEqual(await found({ 'relations.ownedBy': [] }), ['alpha', 'api-one', 'gamma']);
});

test('queryEntities refuses queries that make no sense', async () => {
  const cases = [
    [{ $foo: 1 }, 'Invalid query: Validation error: Invalid at "$foo"'],
    [{ $all: [{ kind: 'api' }], x: 1 }, "Invalid query: Validation error: Unrecognized key(s) in object: 'x'"],
    [{ kind: { $bad: 1 } }, /^Invalid query: Validation error: /],
    [{ kind: null }, /^Invalid query: Validation error: /],
    [{ kind: ['a'] }, /^Invalid query: Validation error: /],
    [{ spec: { type: 'x' } }, /^Invalid query: Validation error: /],
    [
      { $not: 'component' },
      'Invalid filter predicate: top-level primitive values are not supported. ' +
        'Wrap the value in a field expression, e.g. { "kind": "component" }',
    ],
    [relation({ targetRef: 'x' }), 'The $contains operator for "relations" requires a "type" string property'],
    [
      relation({ type: 'ownedBy', foo: 'x' }),
      'Unsupported key "foo" in $contains for "relations". Only "type" and "targetRef" are supported',
    ],
    [
      relation({ type: 'ownedBy', targetRef: { $in: [] } }),
      'Empty "$in" array for $contains on "relations" is not allowed',
    ],
    [
      { 'metadata.links': { $contains: { url: 'x' } } },
      'Object form of $contains is not supported for field "metadata.links"',
    ],
  ];
  for (const [query, message] of cases) {
    await assertBadRequest(client.queryEntities({ query }), message);
  }
});
