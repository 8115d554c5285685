import assert from 'node:assert/strict';
import { test } from 'node:test';

import { refOf } from '../support/entities.js';
import { startFixture } from '../support/fixture.js';
import { assertRefused } from '../support/refused.js';

const ALPHA = 'component:default/alpha';

const catalog = await startFixture();
const { client, file, locationName, locationRef } = catalog;

const LOCATION_ANNOTATIONS = {
  'backstage.io/managed-by-location': `file:${file}`,
  'backstage.io/managed-by-origin-location': `file:${file}`,
};

/** The entity without what differs between two daemons. */
function comparable({ metadata: { uid, etag, ...metadata }, ...entity }) {
  assert.ok(uid && etag);
  return { ...entity, metadata };
}

test('getEntityByRef gives the whole entity', async () => {
  assert.deepEqual(comparable(await client.getEntityByRef(ALPHA)), {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata: {
      namespace: 'default',
      name: 'alpha',
      title: 'Alpha Service',
      description: 'first component',
      tags: ['java', 'go'],
      annotations: {
        ...LOCATION_ANNOTATIONS,
        'example.com/Mixed-Case': 'HelloWorld',
        'github.com/project-slug': 'org/alpha',
      },
      labels: { tier: '1', 'Team.Name': 'Core' },
      links: [{ url: 'https://example.com/alpha', title: 'Site' }],
    },
    spec: {
      type: 'service',
      lifecycle: 'production',
      owner: 'team-a',
      system: 'sys',
      providesApis: ['api-one'],
      dependsOn: ['resource:db'],
    },
    relations: [
      { type: 'dependsOn', targetRef: 'resource:default/db' },
      { type: 'ownedBy', targetRef: 'group:default/team-a' },
      { type: 'partOf', targetRef: 'system:default/sys' },
      { type: 'providesApi', targetRef: 'api:default/api-one' },
    ],
  });
});

test('getEntityByRef gives the entity of a location', async () => {
  assert.deepEqual(comparable(await client.getEntityByRef(locationRef)), {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Location',
    metadata: { namespace: 'default', name: locationName, annotations: LOCATION_ANNOTATIONS },
    spec: { type: 'file', target: file },
    relations: [],
  });
});

test('getEntityByRef takes refs in any letter case, short or in parts', async () => {
  const alpha = await client.getEntityByRef(ALPHA);
  for (const ref of [
    'Component:Default/ALPHA',
    'component:alpha',
    { kind: 'COMPONENT', namespace: 'default', name: 'Alpha' },
  ]) {
    assert.deepEqual(await client.getEntityByRef(ref), alpha);
  }
  assert.deepEqual(await client.getEntityByName({ kind: 'component', name: 'alpha' }), alpha);
  assert.equal(
    (await client.getEntityByName({ kind: 'component', namespace: 'other', name: 'gamma' })).spec.type,
    'library',
  );
});

test('getEntityByRef gives nothing for what is not there', async () => {
  for (const ref of [
    'component:default/nope',
    'component:other/alpha',
    'api:default/alpha',
    { kind: 'component', namespace: 'default', name: 'alpha ' },
  ]) {
    assert.equal(await client.getEntityByRef(ref), undefined, JSON.stringify(ref));
  }
  assert.equal(await client.getEntityByName({ kind: 'component', name: 'nope' }), undefined);
  const strange = { kind: 'a/b', namespace: '%', name: '..é' };
  assert.equal(await client.getEntityByRef(strange), undefined);
});

test('the entity is the same, wherever it is asked for', async () => {
  const alpha = await client.getEntityByRef(ALPHA);
  const filter = { 'metadata.name': 'alpha' };
  const byUid = await client.queryEntities({ filter: { 'metadata.uid': alpha.metadata.uid.toUpperCase() } });
  const others = [
    (await client.getEntities({ filter })).items,
    (await client.getEntities({ filter, limit: 1 })).items,
    (await client.queryEntities({ filter })).items,
    (await client.queryEntities({ query: filter })).items,
    (await client.getEntitiesByRefs({ entityRefs: [ALPHA] })).items,
    byUid.items,
  ];
  for (const items of others) {
    assert.deepEqual(items, [alpha]);
    assert.equal(JSON.stringify(items[0]), JSON.stringify(alpha), 'the order of members is the same as well');
  }
});

test('getEntityAncestors leads to the location', async () => {
  const ancestry = await client.getEntityAncestors({ entityRef: 'Component:alpha' });
  assert.deepEqual(ancestry, {
    rootEntityRef: ALPHA,
    items: [
      { entity: await client.getEntityByRef(ALPHA), parentEntityRefs: [locationRef] },
      { entity: await client.getEntityByRef(locationRef), parentEntityRefs: [] },
    ],
  });
  const top = await client.getEntityAncestors({ entityRef: locationRef });
  assert.deepEqual(
    top.items.map(({ entity, parentEntityRefs }) => [refOf(entity), parentEntityRefs]),
    [[locationRef, []]],
  );
});

test('getEntityAncestors fails for what is not there', async () => {
  await assertRefused(
    client.getEntityAncestors({ entityRef: 'component:default/nope' }),
    404,
    'NotFoundError',
    'No such entity component:default/nope',
  );
});

test('refreshEntity takes refs in any letter case, and fails for what is not there', async () => {
  assert.equal(await client.refreshEntity(ALPHA), undefined);
  assert.equal(await client.refreshEntity('COMPONENT:default/Alpha'), undefined);
  for (const ref of ['component:default/nope', 'component:alpha']) {
    await assertRefused(client.refreshEntity(ref), 404, 'NotFoundError', `Entity ${ref} not found`);
  }
});

test('removeEntityByUid is content with what is not there', async () => {
  assert.equal(await client.removeEntityByUid('00000000-0000-4000-8000-000000000000'), undefined);
  assert.equal(await client.removeEntityByUid('nope'), undefined);
});
