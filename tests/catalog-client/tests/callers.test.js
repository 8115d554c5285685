// What the plugins of Backstage ask for, in the order in which they do.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { location, resource } from '../support/descriptors.js';
import { generatedRef, namesOf, refOf, refsOf } from '../support/entities.js';
import { NAMES, sortedNames, startFixture } from '../support/fixture.js';
import { collect } from '../support/paging.js';

const ALPHA = 'component:default/alpha';
const TEAM = 'group:default/team-a';
const JANE = 'user:default/jane';
const BY_NAME = { field: 'metadata.name', order: 'asc' };

const catalog = await startFixture();
const { client, upstream, file } = catalog;

const valuesOf = (facets, name) => facets[name].map(({ value }) => value);

test('catalog table: everything of a kind, by name', async () => {
  const { items } = await client.getEntities({ filter: { kind: 'component' }, order: BY_NAME });
  assert.deepEqual(namesOf(items), ['alpha', 'beta', 'gamma']);
  for (const entity of items) {
    assert.ok(
      entity.relations.some(({ type }) => type === 'ownedBy'),
      'the table has a column for owners',
    );
  }
  const services = await client.getEntities({
    filter: { kind: 'component', 'spec.type': ['service'] },
    order: BY_NAME,
  });
  assert.deepEqual(namesOf(services.items), ['alpha', 'beta']);
});

test('catalog table with pages: a page, the count, the next page and back', async () => {
  const text = ['metadata.name', 'metadata.title', 'spec.profile.displayName', 'spec.target', 'spec.targets'];
  const selection = {
    filter: { kind: 'component', 'metadata.namespace': ['default', 'other'] },
    fullTextFilter: { term: 'a', fields: text },
  };
  const first = await client.queryEntities({ ...selection, orderFields: BY_NAME, limit: 2, totalItems: 'exclude' });
  assert.deepEqual([namesOf(first.items), first.totalItems], [['alpha', 'beta'], 0]);
  const count = await client.queryEntities({ ...selection, limit: 0 });
  assert.deepEqual(count, { items: [], totalItems: 3, pageInfo: {} });
  const second = await client.queryEntities({ cursor: first.pageInfo.nextCursor, limit: 2 });
  assert.deepEqual([namesOf(second.items), second.pageInfo.nextCursor], [['gamma'], undefined]);
  const back = await client.queryEntities({ cursor: second.pageInfo.prevCursor, limit: 2 });
  assert.deepEqual([namesOf(back.items), back.pageInfo.prevCursor], [['alpha', 'beta'], undefined]);
  const jump = await client.queryEntities({
    ...selection,
    orderFields: BY_NAME,
    limit: 2,
    offset: 2,
    totalItems: 'exclude',
  });
  assert.deepEqual(namesOf(jump.items), ['gamma']);
});

test('pickers: kinds, types, tags, life cycles and namespaces', async () => {
  const kinds = await client.getEntityFacets({ facets: ['kind'] });
  assert.deepEqual(valuesOf(kinds.facets, 'kind'), [
    'API',
    'Component',
    'Group',
    'Location',
    'Resource',
    'System',
    'User',
  ]);
  const filter = { kind: 'component' };
  const types = await client.getEntityFacets({ facets: ['spec.type'], filter });
  assert.deepEqual(valuesOf(types.facets, 'spec.type'), ['Service', 'library', 'service']);
  const fields = ['metadata.tags', 'spec.lifecycle', 'metadata.namespace'];
  const { facets } = await client.getEntityFacets({ facets: fields, filter });
  assert.deepEqual(facets, {
    'metadata.tags': [
      { value: 'go', count: 1 },
      { value: 'java', count: 2 },
    ],
    'spec.lifecycle': [
      { value: 'experimental', count: 1 },
      { value: 'production', count: 2 },
    ],
    'metadata.namespace': [
      { value: 'default', count: 2 },
      { value: 'other', count: 1 },
    ],
  });
});

test('owner picker: owners, or all users and groups', async () => {
  const { facets } = await client.getEntityFacets({ facets: ['relations.ownedBy'], filter: { kind: 'component' } });
  assert.deepEqual(valuesOf(facets, 'relations.ownedBy'), [TEAM, JANE]);
  const owners = await client.getEntitiesByRefs({ entityRefs: valuesOf(facets, 'relations.ownedBy') });
  assert.deepEqual(refsOf(owners.items), [TEAM, JANE]);

  const fields = ['metadata.name', 'kind', 'spec.profile.displayname', 'metadata.title'];
  const found = term =>
    client.queryEntities({
      filter: { kind: ['User', 'Group'] },
      fullTextFilter: { term, fields },
      orderFields: BY_NAME,
      limit: 20,
    });
  assert.deepEqual(namesOf((await found('')).items), ['guest', 'jane', 'team-a']);
  assert.deepEqual(namesOf((await found('JAN')).items), ['jane']);
  assert.deepEqual(namesOf((await found('user')).items), ['guest', 'jane']);
});

test('user list picker: counts of all, owned and starred', async () => {
  const kind = 'component';
  const count = async filter => (await client.queryEntities({ filter, limit: 0 })).totalItems;
  assert.equal(await count({ kind }), 3);
  assert.equal(await count({ kind, 'relations.ownedBy': [JANE, TEAM] }), 3);
  assert.equal(await count({ kind, 'relations.ownedBy': [JANE] }), 1);
  const starred = await client.queryEntities({
    filter: { kind, 'metadata.name': ['alpha', 'gamma', 'nope'] },
    limit: 1000,
  });
  assert.deepEqual([sortedNames(starred.items), starred.totalItems], [['alpha', 'gamma'], 2]);
});

test('entity page: the entity, what it refers to, its errors, a refresh', async () => {
  const alpha = await client.getEntityByRef({ kind: 'component', namespace: 'default', name: 'alpha' });
  const targets = alpha.relations.map(({ targetRef }) => targetRef);
  const fields = ['kind', 'metadata.name', 'metadata.namespace'];
  const { items } = await client.getEntitiesByRefs({ entityRefs: [...targets, 'group:default/nope'], fields });
  assert.deepEqual(items.slice(0, -1).map(refOf), targets);
  assert.equal(items.at(-1), undefined, 'what is warned of');
  for (const item of items.slice(0, -1)) {
    assert.deepEqual(
      [Object.keys(item), Object.keys(item.metadata)],
      [
        ['kind', 'metadata'],
        ['name', 'namespace'],
      ],
    );
  }
  const ancestry = await client.getEntityAncestors({ entityRef: ALPHA });
  assert.deepEqual(
    ancestry.items.map(({ entity }) => entity.status),
    [undefined, undefined],
  );
  await client.refreshEntity(ALPHA);
});

test('links to entities: a batch of what stands in a link', async () => {
  const { items } = await client.getEntitiesByRefs({
    entityRefs: [ALPHA, JANE],
    fields: [
      'kind',
      'metadata.name',
      'metadata.namespace',
      'metadata.title',
      'metadata.description',
      'spec.profile.displayName',
      'spec.type',
    ],
  });
  assert.deepEqual(items, [
    {
      kind: 'Component',
      metadata: { name: 'alpha', namespace: 'default', title: 'Alpha Service', description: 'first component' },
      spec: { type: 'service' },
    },
    { kind: 'User', metadata: { name: 'jane', namespace: 'default' }, spec: { profile: { displayName: 'Jane' } } },
  ]);
});

test('inspect dialog: what comes from the same file', async () => {
  const annotations = 'metadata.annotations.backstage.io';
  const { items } = await client.getEntities({
    filter: [
      { [`${annotations}/managed-by-location`]: `file:${file}` },
      { [`${annotations}/managed-by-origin-location`]: `file:${file}` },
    ],
  });
  assert.deepEqual(sortedNames(items), NAMES.toSorted());
});

test('export: everything, page by page', async () => {
  const pages = await collect(client.streamEntities({ filter: { kind: 'user' }, orderFields: BY_NAME }));
  assert.deepEqual(pages.map(namesOf), [['guest', 'jane']]);
});

test('graph: from entity to entity along their relations', async () => {
  const seen = new Map();
  let wave = ['component:default/beta'];
  while (wave.length > 0) {
    const { items } = await client.getEntitiesByRefs({ entityRefs: wave });
    items.forEach(entity => seen.set(refOf(entity), entity));
    wave = [...new Set(items.flatMap(entity => entity.relations.map(({ targetRef }) => targetRef)))].filter(
      ref => !seen.has(ref),
    );
  }
  assert.deepEqual([...seen.keys()].toSorted(), [
    'api:default/api-one',
    ALPHA,
    'component:default/beta',
    'component:other/gamma',
    TEAM,
    'resource:default/db',
    'system:default/sys',
    JANE,
  ]);
});

test('org: members, groups of a member, what a group owns', async () => {
  const members = await client.getEntities({ filter: { kind: 'User', 'relations.memberof': [TEAM] } });
  assert.deepEqual(refsOf(members.items), [JANE]);
  const groups = await client.getEntities({ filter: { kind: 'group', 'relations.hasMember': [JANE] } });
  assert.deepEqual(refsOf(groups.items), [TEAM]);
  const owned = await client.getEntities({
    filter: [{ kind: ['Component', 'API', 'System'], 'relations.ownedBy': [TEAM, JANE] }],
    fields: ['kind', 'metadata.name', 'metadata.namespace', 'spec.type', 'relations'],
  });
  assert.deepEqual(sortedNames(owned.items), ['alpha', 'api-one', 'beta', 'gamma', 'sys']);
  assert.deepEqual(
    owned.items.find(({ metadata }) => metadata.name === 'beta'),
    {
      kind: 'Component',
      metadata: { name: 'beta', namespace: 'default' },
      spec: { type: 'Service' },
      relations: [{ type: 'ownedBy', targetRef: JANE }],
    },
  );
});

test('search: everything in batches, with and without a filter', async () => {
  const collated = async filter => {
    const batches = [];
    let cursor;
    do {
      const page = await client.queryEntities(
        cursor ? { cursor, limit: 4 } : { filter, limit: 4, totalItems: 'exclude' },
      );
      batches.push(page.items);
      cursor = page.pageInfo.nextCursor;
    } while (cursor);
    return batches;
  };
  const all = await catalog.recorded(() => collated());
  assert.deepEqual(
    all.answer.map(batch => batch.length),
    [4, 4, 2],
  );
  assert.deepEqual(sortedNames(all.answer.flat()), NAMES.toSorted());
  const some = await catalog.recorded(() => collated({ kind: ['component', 'user'] }));
  assert.deepEqual(sortedNames(some.answer.flat()), ['alpha', 'beta', 'gamma', 'guest', 'jane']);
  assert.deepEqual(
    some.requests.map(({ call }) => call),
    ['GET /entities/by-query', 'POST /entities/by-query'],
  );
});

test('sign-in: the user, by name or annotation, and their groups', async () => {
  assert.equal(refOf(await client.getEntityByRef('user:jane')), JANE);
  const annotation = 'metadata.annotations.github.com/project-slug';
  const nobody = await client.getEntities({ filter: { kind: 'user', [annotation]: 'org/alpha' } });
  assert.deepEqual(nobody.items, []);
  const { items } = await client.getEntities({ filter: { kind: 'component', [annotation]: 'ORG/Alpha' } });
  assert.deepEqual(namesOf(items), ['alpha']);
  const members = await client.getEntities({
    filter: [
      { kind: 'group', 'metadata.namespace': 'default', 'metadata.name': 'team-a' },
      { kind: 'group', 'metadata.namespace': 'default', 'metadata.name': 'nope' },
      { kind: 'user', 'metadata.namespace': 'development', 'metadata.name': 'guest' },
    ],
  });
  assert.deepEqual(sortedNames(members.items), ['guest', 'team-a']);
});

test('import and unregister: from a URL into the catalog and out of it', async () => {
  upstream.put('/shop/bucket.yaml', resource('bucket'));
  const target = upstream.put('/shop/catalog-info.yaml', location('shop', './bucket.yaml'));

  const { existingEntityFiles, generateEntities } = await client.analyzeLocation({ location: { type: 'url', target } });
  assert.deepEqual([existingEntityFiles, generateEntities.length], [[], 1]);
  const preview = await client.addLocation({ target, dryRun: true });
  const imported = [generatedRef('url', target), 'location:default/shop', 'resource:default/bucket'];
  assert.equal(preview.exists, false);
  assert.deepEqual(refsOf(preview.entities).toSorted(), imported.toSorted());
  const groups = await client.getEntities({ filter: { kind: 'group' } });
  assert.deepEqual(refsOf(groups.items), [TEAM]);
  const draft = { ...resource('draft'), spec: { type: 'bucket' } };
  const { valid, errors } = await client.validateEntity(draft, `url:${target}`);
  assert.deepEqual([valid, errors.length], [false, 1]);

  const { location: registered } = await client.addLocation({ target });
  const origin = { 'metadata.annotations.backstage.io/managed-by-origin-location': `url:${target}` };
  const fields = ['kind', 'metadata.uid', 'metadata.name', 'metadata.namespace'];
  const there = async () => (await client.getEntities({ filter: origin, fields })).items;
  const items = await catalog.waitFor('the imported entities', async () => {
    const found = await there();
    return found.length === imported.length && found;
  });
  assert.deepEqual(refsOf(items).toSorted(), imported.toSorted());
  assert.ok(items.every(({ metadata }) => metadata.uid));

  const { items: locations } = await client.getLocations();
  assert.equal(locations.find(({ type, target: its }) => `${type}:${its}` === `url:${target}`).id, registered.id);
  await client.removeLocationById(registered.id);
  await catalog.waitFor('the end of the imported entities', async () => (await there()).length === 0);
  assert.deepEqual((await client.getEntities({ filter: { kind: 'location' } })).items.map(refOf), [
    catalog.locationRef,
  ]);
});
