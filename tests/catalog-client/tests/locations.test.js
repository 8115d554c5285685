import assert from 'node:assert/strict';
import { test } from 'node:test';

import { location, resource } from '../support/descriptors.js';
import { generatedName, generatedRef, refOf, refsOf } from '../support/entities.js';
import { startFixture } from '../support/fixture.js';
import { encodeCursor } from '../support/paging.js';
import { assertBadRequest, assertRefused } from '../support/refused.js';

const catalog = await startFixture();
const { client, upstream } = catalog;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const isThere = ref => catalog.waitFor(ref, () => client.getEntityByRef(ref));
const isGone = ref => catalog.waitFor(`the end of ${ref}`, async () => !(await client.getEntityByRef(ref)));

test('nothing is registered at first, as configured locations do not count', async () => {
  assert.deepEqual(await client.getLocations(), { items: [] });
  assert.deepEqual(await client.queryLocations(), { items: [], totalItems: 0, pageInfo: {} });
});

test('addLocation registers, and its entities appear', async () => {
  const target = upstream.put('/one.yaml', resource('one'));
  const added = await client.addLocation({ target });
  const { id } = added.location;
  assert.match(id, UUID);
  const expected = { id, type: 'url', target, entityRef: generatedRef('url', target) };
  assert.deepEqual(added, { location: expected, entities: [], exists: undefined });

  const one = await isThere('resource:default/one');
  assert.equal(one.metadata.annotations['backstage.io/managed-by-location'], `url:${target}`);
  assert.equal(one.metadata.annotations['backstage.io/managed-by-origin-location'], `url:${target}`);
  const { kind, metadata, spec } = await isThere(expected.entityRef);
  assert.deepEqual([kind, metadata.name, spec.target], ['Location', generatedName('url', target), target]);

  assert.deepEqual(await client.getLocations(), { items: [expected] });
  assert.deepEqual(await client.queryLocations(), { items: [expected], totalItems: 1, pageInfo: {} });
  assert.deepEqual(await client.getLocationById(id), expected);
  assert.deepEqual(await client.getLocationByRef(`url:${target}`), expected);
  assert.deepEqual(await client.getLocationByEntity('resource:default/one'), expected);
  assert.deepEqual(await client.getLocationByEntity(expected.entityRef), expected);
});

test('a location that is registered already is refused or refreshed', async () => {
  const target = upstream.put('/twice.yaml', resource('twice'));
  const { location: first } = await client.addLocation({ target });
  await isThere('resource:default/twice');
  const message = `Location url:${target} already exists`;
  await assertRefused(client.addLocation({ target }), 409, 'ConflictError', message);
  await assertRefused(client.addLocation({ target, onConflict: 'reject' }), 409, 'ConflictError', message);
  await assertBadRequest(
    client.addLocation({ target, onConflict: 'bogus' }),
    'request/query/onConflict must be equal to one of the allowed values: refresh, reject',
  );

  upstream.put('/twice.yaml', resource('twice'), resource('thrice'));
  const again = await client.addLocation({ target, onConflict: 'refresh' });
  assert.deepEqual(again, { location: first, entities: [], exists: undefined });
  await isThere('resource:default/thrice');
  const fresh = upstream.put('/fresh.yaml', resource('fresh'));
  assert.equal((await client.addLocation({ target: fresh, onConflict: 'refresh' })).location.target, fresh);
  await client.removeLocationById((await client.getLocationByRef(`url:${fresh}`)).id);
});

test('a dry run answers what would come, and keeps nothing', async () => {
  const leaf = upstream.put('/leaf.yaml', resource('leaf'), resource('other-leaf'));
  const target = upstream.put('/root.yaml', location('root', './leaf.yaml'), resource('beside'));
  const before = await client.getLocations();

  const { location: found, entities, exists } = await client.addLocation({ target, dryRun: true });
  assert.deepEqual(found, { type: 'url', target, id: `url:${target}`, entityRef: generatedRef('url', target) });
  assert.equal(exists, false);
  assert.equal(refOf(entities[0]), generatedRef('url', target));
  assert.deepEqual(refsOf(entities.slice(1)).toSorted(), [
    'location:default/root',
    'resource:default/beside',
    'resource:default/leaf',
    'resource:default/other-leaf',
  ]);
  for (const { metadata, relations } of entities) {
    assert.deepEqual([metadata.uid, metadata.etag, relations], [undefined, undefined, undefined]);
  }
  const leafEntity = entities.find(entity => entity.metadata.name === 'leaf');
  assert.equal(leafEntity.metadata.annotations['backstage.io/managed-by-location'], `url:${leaf}`);
  assert.equal(leafEntity.metadata.annotations['backstage.io/managed-by-origin-location'], `url:${target}`);

  assert.deepEqual(await client.getLocations(), before);
  assert.equal(await client.getEntityByRef('resource:default/beside'), undefined);
  await client.addLocation({ target });
  assert.equal((await client.addLocation({ target, dryRun: true })).exists, true);
});

test('a dry run tells what is wrong', async () => {
  const missing = upstream.url('/missing.yaml');
  await assertBadRequest(
    client.addLocation({ target: missing, dryRun: true }),
    `NotFoundError: Unable to read url, no matching files found for ${missing}`,
  );
  await assertBadRequest(
    client.addLocation({ target: 'http://127.0.0.1:1/a.yaml', dryRun: true }),
    "Error: Unable to read url, Reading from 'http://127.0.0.1:1/a.yaml' is not allowed. You may need to configure " +
      'an integration for the target host, or add it to the configured list of allowed hosts at ' +
      "'backend.reading.allow'",
  );
  await assertBadRequest(
    client.addLocation({ target: upstream.put('/bad.yaml', resource('bad name')), dryRun: true }),
    /^InputError: Policy check failed for resource:default\/bad name; caused by /,
  );
  await assertBadRequest(
    client.addLocation({ target: upstream.put('/twins.yaml', resource('twin'), resource('twin')), dryRun: true }),
    /Duplicate nested entity: resource:default\/twin/,
  );
});

test('a target is not looked at when it is registered', async () => {
  const { location: nowhere } = await client.addLocation({ target: 'not-a-url' });
  assert.equal(nowhere.entityRef, generatedRef('url', 'not-a-url'));
  assert.deepEqual(await client.getLocationByRef('url:not-a-url'), nowhere);
  await client.removeLocationById(nowhere.id);
});

test('only allowed types can be registered', async () => {
  const message = 'Registered locations must be of an allowed type ["url"]';
  await assertBadRequest(client.addLocation({ type: 'file', target: '/etc/passwd' }), message);
  await assertBadRequest(client.addLocation({ type: 'file', target: '/etc/passwd', dryRun: true }), message);
  await assertBadRequest(client.addLocation({}), "request/body must have required property 'target'");
});

test('what is not registered is not found', async () => {
  for (const id of ['nope', '00000000-0000-4000-8000-000000000000']) {
    assert.equal(await client.getLocationById(id), undefined);
    const message = `Found no location with ID ${id}`;
    await assertRefused(client.removeLocationById(id), 404, 'NotFoundError', message);
    await assertRefused(client.updateLocation(id, { target: upstream.url('/x') }), 404, 'NotFoundError', message);
  }
  assert.equal(await client.getLocationByRef(`file:${catalog.file}`), undefined);
  assert.equal(await client.getLocationByRef('url:https://example.com/nope.yaml'), undefined);
  assert.equal(await client.getLocationByEntity('component:default/alpha'), undefined);
  assert.equal(await client.getLocationByEntity('component:default/nope'), undefined);
});

test('getLocationByEntity looks for the origin', async () => {
  upstream.put('/inner.yaml', resource('inner'));
  const target = upstream.put('/outer.yaml', location('outer', './inner.yaml'));
  const { location: outer } = await client.addLocation({ target });
  await isThere('resource:default/inner');
  assert.deepEqual(await client.getLocationByEntity('resource:default/inner'), outer);
  assert.deepEqual(await client.getLocationByEntity('Resource:inner'), outer);
  assert.deepEqual(await client.getLocationByEntity('location:default/outer'), outer);
});

test('updateLocation leads elsewhere under the same id', async () => {
  const target = upstream.put('/old.yaml', resource('old'));
  const taken = upstream.put('/taken.yaml', resource('taken'));
  const { location: old } = await client.addLocation({ target });
  await client.addLocation({ target: taken });
  await isThere('resource:default/old');

  const moved = { ...old, target: upstream.put('/new.yaml', resource('new')) };
  assert.deepEqual(await client.updateLocation(old.id, { target: moved.target }), moved);
  assert.deepEqual(await client.getLocationById(old.id), moved);
  await isThere('resource:default/new');
  await isGone('resource:default/old');
  assert.deepEqual(await client.getLocationByEntity('resource:default/new'), moved);

  await assertRefused(
    client.updateLocation(old.id, { target: taken }),
    409,
    'ConflictError',
    `Location url:${taken} already exists`,
  );
  await assertBadRequest(
    client.updateLocation(old.id, { type: 'file', target: '/a' }),
    'Registered locations must be of an allowed type ["url"]',
  );
  assert.deepEqual(await client.getLocationById(old.id), moved);
});

test('removeLocationById takes away what only the location brought', async () => {
  upstream.put('/shared.yaml', resource('shared'));
  const target = upstream.put('/gone.yaml', resource('gone'), location('to-shared', './shared.yaml'));
  const { location: gone } = await client.addLocation({ target });
  await client.addLocation({ target: upstream.put('/stays.yaml', location('also-to-shared', './shared.yaml')) });
  await isThere('resource:default/gone');
  await catalog.waitFor('both ways to the shared file', async () => {
    const { items } = await client.getEntityAncestors({ entityRef: 'resource:default/shared' });
    return items[0].parentEntityRefs.length === 2;
  });

  assert.equal(await client.removeLocationById(gone.id), undefined);
  assert.equal(await client.getLocationById(gone.id), undefined);
  await assertRefused(client.removeLocationById(gone.id), 404, 'NotFoundError', `Found no location with ID ${gone.id}`);
  for (const ref of ['resource:default/gone', 'location:default/to-shared', gone.entityRef]) {
    await isGone(ref);
  }
  const { items } = await client.getEntityAncestors({ entityRef: 'resource:default/shared' });
  assert.deepEqual(items[0].parentEntityRefs, ['location:default/also-to-shared']);
});

test('queryLocations refuses requests that make no sense', async () => {
  const cases = [
    [
      { query: { kind: 'x' } },
      "Invalid filter predicate, expected key to be 'id', 'type', 'target', or 'entityRef', got 'kind'",
    ],
    [{ limit: 0 }, 'Limit must be a positive integer >= 1'],
    [{ limit: 1.5 }, 'Limit must be a positive integer >= 1'],
    [{ cursor: '' }, 'Cursor cannot be empty'],
    [{ cursor: 'bad' }, 'Malformed cursor, unknown encoding'],
    [{ cursor: encodeCursor({ afterId: 'x' }) }, 'Malformed cursor: Validation error: Required at "limit"'],
  ];
  for (const [request, message] of cases) {
    await assertBadRequest(client.queryLocations(request), message);
  }
});
