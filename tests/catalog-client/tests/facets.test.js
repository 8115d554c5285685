import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CATALOG_FILTER_EXISTS } from '@backstage/catalog-client';

import { startFixture } from '../support/fixture.js';
import { assertBadRequest } from '../support/refused.js';

const catalog = await startFixture();
const { client } = catalog;

const KINDS = [
  ['API', 1],
  ['Component', 3],
  ['Group', 1],
  ['Location', 1],
  ['Resource', 1],
  ['System', 1],
  ['User', 2],
];

/** One facet as pairs of value and count, in the order in which they came. */
const facetOf = async (facet, request) => {
  const { facets } = await client.getEntityFacets({ facets: [facet], ...request });
  assert.deepEqual(Object.keys(facets), [facet]);
  return facets[facet].map(({ value, count }) => [value, count]);
};

test('getEntityFacets counts the values of a field, by value', async () => {
  const { answer, requests } = await catalog.recorded(() => client.getEntityFacets({ facets: ['kind'] }));
  assert.deepEqual(answer, { facets: { kind: KINDS.map(([value, count]) => ({ value, count })) } });
  assert.deepEqual(
    requests.map(({ call, search }) => [call, search]),
    [['GET /entity-facets', '?facet=kind']],
  );
});

const FACETS = [
  [
    'metadata.tags',
    [
      ['go', 1],
      ['java', 2],
    ],
  ],
  ['metadata.tags.java', [['true', 2]]],
  [
    'relations.ownedBy',
    [
      ['group:default/team-a', 5],
      ['user:default/jane', 1],
    ],
  ],
  [
    'relations.OWNEDBY',
    [
      ['group:default/team-a', 5],
      ['user:default/jane', 1],
    ],
  ],
  [
    'metadata.namespace',
    [
      ['default', 8],
      ['development', 1],
      ['other', 1],
    ],
  ],
  ['metadata.annotations.github.com/project-slug', [['org/alpha', 1]]],
  ['metadata.annotations.example.com/mixed-case', [['HelloWorld', 1]]],
  ['metadata.labels.tier', [['1', 1]]],
  [
    'spec.lifecycle',
    [
      ['experimental', 1],
      ['production', 3],
    ],
  ],
  ['spec.num', [['5', 1]]],
  ['spec.flag', [['true', 1]]],
  [
    'spec.arr',
    [
      ['1', 1],
      ['2', 1],
      ['true', 1],
    ],
  ],
  ['spec.profile.displayName', [['Jane', 1]]],
  ['spec', []],
  ['nope', []],
  ['kind,spec.type', []],
];

for (const [facet, expected] of FACETS) {
  test(`getEntityFacets counts ${facet}, by GET and by POST`, async () => {
    assert.deepEqual(await facetOf(facet), expected);
    assert.deepEqual(await facetOf(facet, { query: {} }), expected);
  });
}

test('getEntityFacets tells values of different letter case apart', async () => {
  assert.deepEqual(await facetOf('Spec.Type'), [
    ['Service', 1],
    ['database', 1],
    ['file', 1],
    ['library', 1],
    ['openapi', 1],
    ['service', 1],
    ['team', 1],
  ]);
});

test('getEntityFacets answers each facet as it is spelled', async () => {
  const { facets } = await client.getEntityFacets({ facets: ['kind', 'nope', 'Kind', 'kind'] });
  assert.deepEqual(Object.keys(facets).toSorted(), ['Kind', 'kind', 'nope']);
  assert.deepEqual(facets.Kind, facets.kind);
  assert.deepEqual(facets.nope, []);
});

test('getEntityFacets counts what a filter or a query finds', async () => {
  assert.deepEqual(await facetOf('kind', { filter: { kind: 'component' } }), [['Component', 3]]);
  assert.deepEqual(await facetOf('kind', { filter: [{ kind: 'api' }, { 'spec.type': 'team' }] }), [
    ['API', 1],
    ['Group', 1],
  ]);
  assert.deepEqual(await facetOf('kind', { filter: { 'relations.ownedBy': [] } }), KINDS);
  assert.deepEqual(await facetOf('spec.type', { filter: { kind: 'nope' } }), []);

  const query = { 'spec.lifecycle': 'production' };
  const { answer, requests } = await catalog.recorded(() => facetOf('kind', { query }));
  assert.deepEqual(answer, [
    ['API', 1],
    ['Component', 2],
  ]);
  assert.deepEqual(
    requests.map(({ call, body }) => [call, body]),
    [['POST /entity-facets', { facets: ['kind'], query }]],
  );
  assert.deepEqual(await facetOf('kind', { query, filter: { 'metadata.tags': CATALOG_FILTER_EXISTS } }), [
    ['Component', 1],
  ]);
  assert.deepEqual(await facetOf('kind', { query: { $not: { kind: 'user' } } }), KINDS.slice(0, 6));
  assert.deepEqual(await facetOf('kind', { query: { $any: [] } }), []);
});

test('getEntityFacets refuses requests that make no sense', async () => {
  const cases = [
    [{ facets: [] }, "request/query must have required property 'facet'"],
    [{ facets: [''] }, "Empty value found for query parameter 'facet'"],
    [{ facets: [], query: {} }, 'Missing or empty facets parameter'],
    [{ facets: [''], query: {} }, 'Missing or empty facets parameter'],
    [{ query: {} }, "request/body must have required property 'facets'"],
    [{ facets: ['kind'], query: { $foo: 1 } }, /^Invalid query: Validation error: /],
    [{ facets: ['kind'], filter: { '': 'foo' } }, /^Invalid filter, '=foo' is not a valid statement/],
  ];
  for (const [request, message] of cases) {
    await assertBadRequest(client.getEntityFacets(request), message);
  }
});
