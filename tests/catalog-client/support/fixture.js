// The catalog of ten entities that most tests look at.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { Catalog } from './catalog.js';
import { namesOf, refOf, relationsOf } from './entities.js';

const FILE = new URL('../fixture/all.yaml', import.meta.url);

const TEAM = 'group:default/team-a';
const ALPHA = 'component:default/alpha';

// Sorted by type and target, as they are served.
const RELATIONS = {
  'api:default/api-one': [
    ['apiProvidedBy', ALPHA],
    ['ownedBy', TEAM],
  ],
  [ALPHA]: [
    ['dependsOn', 'resource:default/db'],
    ['ownedBy', TEAM],
    ['partOf', 'system:default/sys'],
    ['providesApi', 'api:default/api-one'],
  ],
  'component:default/beta': [['ownedBy', 'user:default/jane']],
  'component:other/gamma': [['ownedBy', TEAM]],
  [TEAM]: [
    ['hasMember', 'user:default/jane'],
    ['ownerOf', 'api:default/api-one'],
    ['ownerOf', ALPHA],
    ['ownerOf', 'component:other/gamma'],
    ['ownerOf', 'resource:default/db'],
    ['ownerOf', 'system:default/sys'],
  ],
  'resource:default/db': [
    ['dependencyOf', ALPHA],
    ['ownedBy', TEAM],
  ],
  'system:default/sys': [
    ['hasPart', ALPHA],
    ['ownedBy', TEAM],
  ],
  'user:default/jane': [
    ['memberOf', TEAM],
    ['ownerOf', 'component:default/beta'],
  ],
  'user:development/guest': [],
};

/** A daemon with the fixture in it, all of its relations included. */
export async function startFixture(settings) {
  const catalog = await Catalog.start(readFileSync(FILE, 'utf8'), settings);
  const expected = { ...RELATIONS, [catalog.locationRef]: [] };
  await catalog.waitFor('the fixture with its relations', async () => {
    const { items } = await catalog.client.getEntities();
    assert.deepEqual(Object.fromEntries(items.map(entity => [refOf(entity), relationsOf(entity)])), expected);
    return true;
  });
  return catalog;
}

/** All names in the order of names, where `loc` stands for the entity of the file's location. */
export const NAMES = ['alpha', 'api-one', 'beta', 'db', 'gamma', 'loc', 'guest', 'jane', 'sys', 'team-a'];

/** All names in the order of refs. */
export const NAMES_BY_REF = ['api-one', 'alpha', 'beta', 'gamma', 'team-a', 'loc', 'db', 'sys', 'jane', 'guest'];

/** The names of the entities, with `loc` for the one whose name is generated. */
export function shortNames(entities) {
  return namesOf(entities).map(name => (name?.startsWith('generated-') ? 'loc' : name));
}

/** For answers whose order is not fixed. */
export function sortedNames(entities) {
  return shortNames(entities).toSorted();
}
