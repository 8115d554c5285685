import assert from 'node:assert/strict';
import { test } from 'node:test';

import { resource } from '../support/descriptors.js';
import { generatedRef } from '../support/entities.js';
import { startFixture } from '../support/fixture.js';
import { assertRefused } from '../support/refused.js';

const { client, upstream } = await startFixture({ readonly: true });

test('locations cannot be changed', async () => {
  const target = upstream.put('/new.yaml', resource('new'));
  const changes = [
    () => client.addLocation({ target }),
    () => client.addLocation({ target, onConflict: 'refresh' }),
    () => client.updateLocation('nope', { target }),
    () => client.removeLocationById('nope'),
  ];
  for (const change of changes) {
    await assertRefused(change(), 403, 'NotAllowedError', /not allowed in readonly/);
  }
});

test('what changes no location is allowed', async () => {
  const target = upstream.put('/new.yaml', resource('new'));
  const { entities } = await client.addLocation({ target, dryRun: true });
  assert.equal(entities[0].metadata.name, generatedRef('url', target).split('/')[1]);
  assert.equal(entities[1].metadata.name, 'new');

  assert.deepEqual(await client.validateEntity(resource('a'), 'url:https://example.com/a.yaml'), { valid: true });
  await client.refreshEntity('component:default/alpha');
  const { metadata } = await client.getEntityByRef('component:default/beta');
  await client.removeEntityByUid(metadata.uid);
  assert.deepEqual(await client.getEntities({ filter: { 'metadata.uid': metadata.uid } }), { items: [] });
});
