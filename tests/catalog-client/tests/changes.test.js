import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Catalog } from '../support/catalog.js';
import { location, resource } from '../support/descriptors.js';
import { refOf } from '../support/entities.js';

const catalog = await Catalog.start('', { locations: [] });
const { client, upstream } = catalog;

const isThere = ref => catalog.waitFor(ref, () => client.getEntityByRef(ref));

const titled = (name, title, spec) => {
  const { metadata, ...others } = resource(name, spec);
  return { ...others, metadata: { ...metadata, title } };
};

test('refreshEntity has the file of the entity read again', async () => {
  const target = upstream.put('/refreshed.yaml', titled('refreshed', 'before'));
  await client.addLocation({ target });
  const before = await isThere('resource:default/refreshed');
  assert.equal(before.metadata.title, 'before');

  upstream.put('/refreshed.yaml', titled('refreshed', 'after'), resource('added'));
  await client.refreshEntity('resource:default/refreshed');
  const after = await catalog.waitFor('the new title', async () => {
    const entity = await client.getEntityByRef('resource:default/refreshed');
    return entity.metadata.title === 'after' && entity;
  });
  assert.equal(after.metadata.uid, before.metadata.uid);
  assert.notEqual(after.metadata.etag, before.metadata.etag);
  await isThere('resource:default/added');
  const { facets } = await client.getEntityFacets({ facets: ['metadata.title'] });
  assert.deepEqual(facets, { 'metadata.title': [{ value: 'after', count: 1 }] });
});

/** Registers a file with an entity and a peer that it has a relation to. */
async function addRelated(name) {
  const peer = resource(`peer-of-${name}`);
  const file = `/${name}.yaml`;
  const target = upstream.put(file, resource(name, { dependsOn: [`resource:${peer.metadata.name}`] }), peer);
  const { location: registered } = await client.addLocation({ target });
  const isRelated = async () => {
    const { relations } = await client.getEntityByRef(`resource:default/${peer.metadata.name}`);
    return relations.some(relation => relation.targetRef === `resource:default/${name}`);
  };
  await catalog.waitFor('the relation', isRelated);
  const { uid } = (await client.getEntityByRef(`resource:default/${name}`)).metadata;
  return { uid, registered, isRelated, putPeerAlone: () => upstream.put(file, peer) };
}

async function assertGone(uid) {
  const filter = { 'metadata.uid': uid };
  assert.deepEqual(await client.getEntities({ filter }), { items: [] });
  assert.equal((await client.queryEntities({ filter })).totalItems, 0);
  assert.deepEqual(await client.getEntityFacets({ facets: ['kind'], filter }), { facets: { kind: [] } });
}

test('removeEntityByUid takes the entity away at once, and its source brings it back under another uid', async () => {
  const { uid, registered, isRelated } = await addRelated('removed');
  assert.equal(await client.removeEntityByUid(uid), undefined);
  await assertGone(uid);
  await client.refreshEntity(registered.entityRef);
  const back = await isThere('resource:default/removed');
  assert.notEqual(back.metadata.uid, uid);
  await catalog.waitFor('the relation again', isRelated);
});

test('an entity that its source no longer has stays away, and so do the relations that it gave', async () => {
  const { uid, registered, isRelated, putPeerAlone } = await addRelated('forgotten');
  putPeerAlone();
  await client.removeEntityByUid(uid);
  await assertGone(uid);
  await client.refreshEntity(registered.entityRef);
  await catalog.waitFor('the end of the relation', async () => !(await isRelated()));
  assert.equal(await client.getEntityByRef('resource:default/forgotten'), undefined);
});

test('getEntityAncestors has each ancestor once', async () => {
  upstream.put('/child.yaml', resource('child'));
  upstream.put('/root.yaml', location('left', './child.yaml'), location('right', './child.yaml'));
  const { location: root } = await client.addLocation({ target: upstream.url('/root.yaml') });
  const ancestry = await catalog.waitFor('both parents', async () => {
    const found = await client.getEntityAncestors({ entityRef: 'resource:default/child' });
    return found.items[0].parentEntityRefs.length === 2 && found;
  });
  assert.equal(ancestry.rootEntityRef, 'resource:default/child');
  const [first, ...others] = ancestry.items.map(({ entity, parentEntityRefs }) => [
    refOf(entity),
    parentEntityRefs.toSorted(),
  ]);
  assert.deepEqual(first, ['resource:default/child', ['location:default/left', 'location:default/right']]);
  assert.deepEqual(
    new Map(others),
    new Map([
      ['location:default/left', [root.entityRef]],
      ['location:default/right', [root.entityRef]],
      [root.entityRef, []],
    ]),
  );
  assert.equal(others.length, 3);
});

test('an error of a location is told by the ancestry of what it brought', async () => {
  const target = upstream.put('/broken.yaml', resource('whole'));
  const { location: registered } = await client.addLocation({ target });
  const before = await isThere('resource:default/whole');
  upstream.put('/broken.yaml', resource('whole', { type: 7 }));
  await client.refreshEntity('resource:default/whole');
  const { items } = await catalog.waitFor('the error', async () => {
    const ancestry = await client.getEntityAncestors({ entityRef: 'resource:default/whole' });
    return ancestry.items.some(({ entity }) => entity.status) && ancestry;
  });
  const [{ entity }, parent] = items;
  assert.deepEqual(entity.spec, before.spec, 'the last good content stays');
  assert.equal(refOf(parent.entity), registered.entityRef);
  const [{ type, level, message, error }] = entity.status.items;
  assert.deepEqual([type, level, error.name], ['backstage.io/catalog-processing', 'error', 'InputError']);
  assert.match(message, /^InputError: Processor BuiltinKindsEntityProcessor threw an error while validating /);
  assert.equal(message, `${error.name}: ${error.message}`);
});
