import assert from 'node:assert/strict';
import { test } from 'node:test';

import { namesOf } from '../support/entities.js';
import { startFixture } from '../support/fixture.js';
import { assertBadRequest } from '../support/refused.js';

const ALPHA = 'component:default/alpha';
const BETA = 'component:default/beta';

const catalog = await startFixture();
const { client } = catalog;

const found = async (entityRefs, request) =>
  namesOf((await client.getEntitiesByRefs({ entityRefs, ...request })).items);

test('getEntitiesByRefs answers in the order of the request, with gaps and repetitions', async () => {
  assert.deepEqual(await found([ALPHA, 'component:default/nope']), ['alpha', undefined]);
  assert.deepEqual(await found([BETA, ALPHA, BETA, 'not-even-a-ref', '', 'component:other/gamma', BETA]), [
    'beta',
    'alpha',
    'beta',
    undefined,
    undefined,
    'gamma',
    'beta',
  ]);
});

test('getEntitiesByRefs wants full refs in lower case', async () => {
  const refs = ['Component:Default/alpha', 'component:alpha', 'alpha', ' component:default/alpha'];
  assert.deepEqual(
    await found(refs),
    refs.map(() => undefined),
  );
});

test('getEntitiesByRefs gives whole entities, as the others do', async () => {
  const { items } = await client.getEntitiesByRefs({ entityRefs: [ALPHA, 'user:development/guest'] });
  assert.deepEqual(items, [await client.getEntityByRef(ALPHA), await client.getEntityByRef('user:development/guest')]);
});

test('getEntitiesByRefs gives fields and leaves gaps as they are', async () => {
  const { items } = await client.getEntitiesByRefs({
    entityRefs: [BETA, 'component:default/nope', ALPHA, 'user:default/jane'],
    fields: ['metadata.title', 'spec.type', 'spec.profile.displayName'],
  });
  assert.deepEqual(items, [
    { spec: { type: 'Service' } },
    undefined,
    { metadata: { title: 'Alpha Service' }, spec: { type: 'service' } },
    { spec: { profile: { displayName: 'Jane' } } },
  ]);
});

test('getEntitiesByRefs takes each item of the fields as one field', async () => {
  const { items } = await client.getEntitiesByRefs({
    entityRefs: [ALPHA],
    fields: [' kind ', 'kind,metadata.name', ''],
  });
  assert.deepEqual(items, [{ kind: 'Component' }]);
});

test('getEntitiesByRefs leaves out what a filter in the URL does', async () => {
  const { answer, requests } = await catalog.recorded(() => found([ALPHA, BETA], { filter: { 'spec.num': '5' } }));
  assert.deepEqual(answer, [undefined, 'beta']);
  assert.deepEqual(requests[0].search, '?filter=spec.num%3D5');
  assert.deepEqual(requests[0].body, { entityRefs: [ALPHA, BETA] });
  assert.deepEqual(await found([ALPHA, BETA], { filter: [{ kind: 'api' }, { 'metadata.tags': 'go' }] }), [
    'alpha',
    undefined,
  ]);
});

test('getEntitiesByRefs leaves out what a query in the body does', async () => {
  assert.deepEqual(await found([ALPHA, BETA], { query: { 'spec.num': 5 } }), [undefined, 'beta']);
  assert.deepEqual(await found([ALPHA, BETA], { query: {} }), ['alpha', 'beta']);
  const both = { query: { 'spec.num': 5 }, filter: { 'metadata.name': 'alpha' } };
  const { answer, requests } = await catalog.recorded(() => found([ALPHA, BETA], both));
  assert.deepEqual(answer, [undefined, undefined]);
  assert.equal(requests[0].search, '');
  assert.deepEqual(requests[0].body.query, { $all: [{ 'spec.num': 5 }, { 'metadata.name': 'alpha' }] });
});

test('getEntitiesByRefs takes a filter in the URL and a query in the body together', async () => {
  const request = {
    query: { filter: ['metadata.name=alpha'] },
    body: { entityRefs: [ALPHA, BETA], query: { 'spec.num': 5 } },
  };
  const response = await client.apiClient.getEntitiesByRefs(request);
  assert.deepEqual(await response.json(), { items: [null, null] });
});

test('getEntitiesByRefs asks nobody for nothing', async () => {
  const { answer, requests } = await catalog.recorded(() => client.getEntitiesByRefs({ entityRefs: [] }));
  assert.deepEqual(answer, { items: [] });
  assert.deepEqual(requests, []);
  const response = await client.apiClient.getEntitiesByRefs({ query: {}, body: { entityRefs: [] } });
  assert.deepEqual(await response.json(), { items: [] });
});

test('getEntitiesByRefs takes requests as long as the client sends them', async () => {
  const refs = Array.from(
    { length: 1000 },
    (_, number) => `component:${'n'.repeat(63)}/${`${number}`.padStart(63, 'x')}`,
  );
  refs[0] = ALPHA;
  refs[999] = BETA;
  const { answer, requests } = await catalog.recorded(() => found(refs));
  assert.deepEqual(answer, ['alpha', ...Array(998).fill(undefined), 'beta']);
  const lengths = requests.map(({ body }) => JSON.stringify(body).length);
  assert.equal(lengths.length, 2);
  assert.ok(lengths[0] > 90_000, `${lengths}`);
});

test('getEntitiesByRefs refuses requests that make no sense', async () => {
  const prefix =
    'Malformed request body \\(did you remember to specify an application/json content type\\?\\), Validation error: ';
  await assertBadRequest(client.getEntitiesByRefs({ entityRefs: [7] }), 'request/body/entityRefs/0 must be string');
  await assertBadRequest(
    client.getEntitiesByRefs({ entityRefs: [ALPHA], query: { $foo: 1 } }),
    new RegExp(`^${prefix}.*\\$foo`),
  );
  await assertBadRequest(
    client.getEntitiesByRefs({ entityRefs: [ALPHA], filter: { '': 'foo' } }),
    /^Invalid filter, '=foo' is not a valid statement/,
  );
  await assertBadRequest(
    client.getEntitiesByRefs({ entityRefs: [ALPHA], fields: ['spec.arr[0]'] }),
    'Invalid field "spec.arr[0]", array type fields are not supported',
  );
});
