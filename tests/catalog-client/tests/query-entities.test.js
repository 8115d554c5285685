import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CATALOG_FILTER_EXISTS } from '@backstage/catalog-client';

import { NAMES, shortNames, sortedNames, startFixture } from '../support/fixture.js';
import { decodeCursor, encodeCursor, neighboursOf, walk } from '../support/paging.js';
import { assertBadRequest } from '../support/refused.js';

const EXISTS = CATALOG_FILTER_EXISTS;
const ALL = NAMES.toSorted();
const BY_NAME = { field: 'metadata.name', order: 'asc' };
const BY_NAME_DOWN = { field: 'metadata.name', order: 'desc' };

const GET = 'GET /entities/by-query';
const POST = 'POST /entities/by-query';

const catalog = await startFixture();
const { client } = catalog;

const uidsOf = items => items.map(entity => entity.metadata.uid);
const namesOfPages = pages => pages.map(({ items }) => shortNames(items));
const orderedNames = async request => shortNames((await client.queryEntities(request)).items);

/** The pages of the calls, and the requests that they led to. */
const recorded = async calls => {
  const { answer, requests } = await catalog.recorded(calls);
  return { answer, calls: requests.map(({ call }) => call) };
};

test('queryEntities begins with the lowest uid', async () => {
  const all = await client.queryEntities();
  assert.deepEqual(sortedNames(all.items), ALL);
  assert.deepEqual(uidsOf(all.items), uidsOf(all.items).toSorted());
  assert.deepEqual([all.totalItems, all.pageInfo], [10, {}]);

  const { answer: page, calls } = await recorded(() => client.queryEntities({ fields: ['metadata.uid'], limit: 3 }));
  assert.deepEqual(calls, [GET]);
  const [first, second, third] = uidsOf(all.items);
  assert.deepEqual(
    page.items,
    [first, second, third].map(uid => ({ metadata: { uid } })),
  );
  assert.deepEqual([page.totalItems, neighboursOf(page)], [10, 'nextCursor']);
  assert.deepEqual(decodeCursor(page.pageInfo.nextCursor), {
    orderFields: [],
    isPrevious: false,
    fullTextFilter: { term: '' },
    orderFieldValues: [third],
    firstSortFieldValues: [first],
    totalItems: 10,
  });
});

test('queryEntities answers three members, whatever it finds', async () => {
  for (const request of [{ filter: { kind: 'nope' } }, { query: { kind: 'nope' } }, { limit: 1 }]) {
    const { answer, requests } = await catalog.recorded(() => client.queryEntities(request));
    assert.deepEqual(Object.keys(answer).toSorted(), ['items', 'pageInfo', 'totalItems'], requests[0].call);
  }
});

test('queryEntities counts without items', async () => {
  for (const request of [{ limit: 0 }, { limit: 0, query: {} }]) {
    assert.deepEqual(await client.queryEntities(request), { items: [], totalItems: 10, pageInfo: {} });
  }
  const filtered = await client.queryEntities({ limit: 0, filter: { kind: ['component', 'user'] } });
  assert.deepEqual(filtered, { items: [], totalItems: 5, pageInfo: {} });
});

test('queryEntities finds by filter', async () => {
  const cases = [
    [{ kind: 'component' }, ['alpha', 'beta', 'gamma']],
    [{ Kind: ['COMPONENT', 'api'], 'spec.lifecycle': 'production' }, ['alpha', 'api-one', 'gamma']],
    [
      [{ kind: 'group' }, { 'metadata.tags': 'GO' }],
      ['alpha', 'team-a'],
    ],
    [{ kind: 'component', 'metadata.tags': EXISTS }, ['alpha', 'beta']],
    [{ 'relations.memberOf': 'group:default/team-a' }, ['jane']],
    [{ 'relations.ownedBy': [] }, ALL],
    [{ spec: EXISTS }, []],
  ];
  for (const [filter, expected] of cases) {
    const { answer, calls } = await recorded(() => client.queryEntities({ filter }));
    assert.deepEqual([sortedNames(answer.items), answer.totalItems], [expected, expected.length]);
    assert.deepEqual(calls, [GET]);
  }
});

const FORWARD = [['alpha', 'api-one', 'beta'], ['db', 'gamma', 'loc'], ['guest', 'jane', 'sys'], ['team-a']];

/** Walks to the end, back to the beginning, and one step forth again. */
async function assertWalksThereAndBack(first, follow, expected, total) {
  const forth = await walk(first, follow);
  assert.deepEqual(namesOfPages(forth), expected);
  const inner = expected.slice(1, -1).map(() => 'nextCursor,prevCursor');
  assert.deepEqual(forth.map(neighboursOf), ['nextCursor', ...inner, 'prevCursor']);

  const back = await walk(forth.at(-1), follow, 'prevCursor');
  assert.deepEqual(namesOfPages(back), expected.toReversed());
  // A page that was reached backwards always has a next one.
  assert.deepEqual(back.map(neighboursOf), ['prevCursor', ...inner, 'nextCursor']);

  const again = await follow({ cursor: back.at(-1).pageInfo.nextCursor });
  assert.deepEqual(shortNames(again.items), expected[1]);
  assert.deepEqual(new Set([...forth, ...back, again].map(page => page.totalItems)), new Set([total]));
}

test('queryEntities without a filter walks there and back by GET', async () => {
  const follow = request => client.queryEntities({ ...request, limit: 3 });
  for (const [orderFields, expected] of [
    [BY_NAME, FORWARD],
    [[BY_NAME], FORWARD],
    [BY_NAME_DOWN, [['team-a', 'sys', 'jane'], ['guest', 'loc', 'gamma'], ['db', 'beta', 'api-one'], ['alpha']]],
  ]) {
    const { calls } = await recorded(async () => {
      const first = await follow({ orderFields });
      await assertWalksThereAndBack(first, follow, expected, 10);
    });
    assert.deepEqual(new Set(calls), new Set([GET]));
  }
});

test('queryEntities without an order walks there and back', async () => {
  const { items } = await client.queryEntities();
  const names = shortNames(items);
  const expected = [names.slice(0, 4), names.slice(4, 8), names.slice(8)];
  const follow = request => client.queryEntities({ ...request, limit: 4 });
  await assertWalksThereAndBack(await follow({}), follow, expected, 10);
});

test('queryEntities with a filter begins by GET and goes on by POST', async () => {
  const follow = request => client.queryEntities({ ...request, limit: 2 });
  const { calls } = await recorded(async () => {
    const first = await follow({ filter: { kind: ['component', 'api', 'user'] }, orderFields: BY_NAME });
    const cursor = decodeCursor(first.pageInfo.nextCursor);
    assert.deepEqual(cursor.query, { kind: { $in: ['component', 'api', 'user'] } });
    await assertWalksThereAndBack(
      first,
      follow,
      [
        ['alpha', 'api-one'],
        ['beta', 'gamma'],
        ['guest', 'jane'],
      ],
      6,
    );
  });
  assert.deepEqual(calls, [GET, POST, POST, POST, POST, POST]);
});

test('queryEntities with a query begins by POST and goes on by POST', async () => {
  const follow = request => client.queryEntities({ ...request, limit: 2 });
  const query = { $not: { kind: { $in: ['component', 'location'] } } };
  const { calls } = await recorded(async () => {
    const first = await follow({ query, orderFields: BY_NAME_DOWN });
    assert.deepEqual(decodeCursor(first.pageInfo.nextCursor).query, query);
    await assertWalksThereAndBack(
      first,
      follow,
      [
        ['team-a', 'sys'],
        ['jane', 'guest'],
        ['db', 'api-one'],
      ],
      6,
    );
  });
  assert.deepEqual(new Set(calls), new Set([POST]));
});

test('both verbs take every cursor', async () => {
  const first = await client.queryEntities({ filter: { kind: 'component' }, orderFields: BY_NAME, limit: 2 });
  const cursor = first.pageInfo.nextCursor;
  const byPost = await client.queryEntities({ cursor, limit: 2 });
  // Older clients never send POST.
  const byGet = await (await client.apiClient.getEntitiesByQuery({ query: { cursor, limit: 2 } })).json();
  assert.deepEqual(byGet, byPost);
  assert.deepEqual([shortNames(byGet.items), byGet.totalItems], [['gamma'], 3]);

  const unfiltered = await client.queryEntities({ orderFields: BY_NAME, limit: 8 });
  const body = { cursor: unfiltered.pageInfo.nextCursor, limit: 8 };
  const answer = await (await client.apiClient.queryEntitiesByPredicate({ body })).json();
  assert.deepEqual(shortNames(answer.items), ['sys', 'team-a']);
});

test('the size and the fields may change from page to page, and nothing else', async () => {
  for (const selection of [{}, { filter: { 'metadata.name': EXISTS } }, { query: { kind: { $exists: true } } }]) {
    const first = await client.queryEntities({ ...selection, orderFields: BY_NAME, limit: 2, fields: ['kind'] });
    assert.deepEqual(first.items, [{ kind: 'Component' }, { kind: 'API' }]);
    const { nextCursor: cursor } = first.pageInfo;
    const second = await client.queryEntities({ cursor, limit: 3, fields: ['metadata.name'] });
    assert.deepEqual(second.items.slice(0, 2), [{ metadata: { name: 'beta' } }, { metadata: { name: 'db' } }]);
    assert.equal(second.items.length, 3);
    const rest = await client.queryEntities({ cursor: second.pageInfo.nextCursor });
    assert.deepEqual(shortNames(rest.items), NAMES.slice(5));
    assert.equal(rest.items[0].apiVersion, 'backstage.io/v1alpha1');
    assert.equal(neighboursOf(rest), 'prevCursor');
  }
  const { pageInfo } = await client.queryEntities({ orderFields: BY_NAME, limit: 8 });
  const others = {
    cursor: pageInfo.nextCursor,
    filter: ['kind=api'],
    orderField: ['kind,desc'],
    totalItems: 'exclude',
    offset: 1,
  };
  const page = await (await client.apiClient.getEntitiesByQuery({ query: others })).json();
  assert.deepEqual([shortNames(page.items), page.totalItems], [['sys', 'team-a'], 10]);
});

test('fields may be listed in one text', async () => {
  for (const selection of [{}, { query: {} }]) {
    const fields = ['kind,metadata.name', ' spec.type '];
    const { items } = await client.queryEntities({ ...selection, fields, orderFields: BY_NAME, limit: 1 });
    assert.equal(JSON.stringify(items), '[{"kind":"Component","metadata":{"name":"alpha"},"spec":{"type":"service"}}]');
  }
});

test('a size in a body may be a fraction, whose integer counts', async () => {
  const page = await client.queryEntities({ query: {}, limit: 2.5, orderFields: BY_NAME });
  assert.deepEqual([shortNames(page.items), neighboursOf(page)], [['alpha', 'api-one'], 'nextCursor']);
});

test('entities without the field that is ordered by are neither found nor counted', async () => {
  const page = await client.queryEntities({ orderFields: { field: 'spec.lifecycle', order: 'desc' } });
  assert.deepEqual([page.items.length, page.totalItems], [4, 4]);
  assert.deepEqual(sortedNames(page.items.slice(0, 3)), ['alpha', 'api-one', 'gamma']);
  assert.equal(page.items[3].metadata.name, 'beta');
  const uids = uidsOf(page.items.slice(0, 3));
  assert.deepEqual(uids, uids.toSorted().toReversed(), 'equal values by uid, in the same direction');
  const none = await client.queryEntities({ orderFields: { field: 'nope', order: 'asc' } });
  assert.deepEqual(none, { items: [], totalItems: 0, pageInfo: {} });
});

test('the first order counts, in any letter case', async () => {
  assert.deepEqual(await orderedNames({ orderFields: [BY_NAME, { field: 'kind', order: 'desc' }] }), NAMES);
  assert.deepEqual(await orderedNames({ orderFields: { field: 'METADATA.NAME', order: 'asc' } }), NAMES);
  const query = {};
  assert.deepEqual(await orderedNames({ query, orderFields: [BY_NAME_DOWN, BY_NAME] }), NAMES.toReversed());
});

test('a field with several values orders each entity once', async () => {
  const page = await client.queryEntities({ orderFields: { field: 'metadata.tags', order: 'asc' } });
  assert.deepEqual([shortNames(page.items), page.totalItems], [['alpha', 'beta'], 2]);
});

test('a field without a direction gives cursors that can be followed', async () => {
  const query = { orderField: ['metadata.name'], limit: 4 };
  const first = await (await client.apiClient.getEntitiesByQuery({ query })).json();
  const pages = await walk(first, request => client.queryEntities({ ...request, limit: 4 }));
  assert.deepEqual(namesOfPages(pages).flat(), NAMES);
});

test('a total that is not wanted is zero on all pages', async () => {
  for (const selection of [{}, { filter: { 'metadata.name': EXISTS } }, { query: {} }]) {
    const first = await client.queryEntities({ ...selection, totalItems: 'exclude', orderFields: BY_NAME, limit: 6 });
    const pages = await walk(first, request => client.queryEntities(request));
    assert.deepEqual(namesOfPages(pages), [NAMES.slice(0, 6), NAMES.slice(6)]);
    assert.deepEqual(
      pages.map(page => page.totalItems),
      [0, 0],
    );
  }
});

test('an offset counts for the first page, which then is the beginning', async () => {
  for (const selection of [{}, { query: {} }]) {
    const first = await client.queryEntities({ ...selection, offset: 3, limit: 2, orderFields: BY_NAME });
    assert.deepEqual([shortNames(first.items), first.totalItems], [['db', 'gamma'], 10]);
    assert.equal(neighboursOf(first), 'nextCursor');
    const second = await client.queryEntities({ cursor: first.pageInfo.nextCursor, limit: 2 });
    assert.deepEqual(shortNames(second.items), ['loc', 'guest']);
    const back = await client.queryEntities({ cursor: second.pageInfo.prevCursor, limit: 2 });
    assert.deepEqual([shortNames(back.items), neighboursOf(back)], [['db', 'gamma'], 'nextCursor']);
    const beyond = await client.queryEntities({ ...selection, offset: 100 });
    assert.deepEqual(beyond, { items: [], totalItems: 10, pageInfo: {} });
  }
});

test('full text finds a part of a value in any of the fields', async () => {
  const cases = [
    [{ term: 'alp', fields: ['metadata.name'] }, {}, ['alpha']],
    [{ term: ' LPh ', fields: ['METADATA.NAME'] }, {}, ['alpha']],
    [{ term: 'serv', fields: ['metadata.title', 'spec.type'] }, {}, ['alpha', 'beta']],
    [{ term: 'ALP' }, { orderFields: BY_NAME }, ['alpha']],
    [{ term: 'a' }, { orderFields: BY_NAME_DOWN }, ['alpha', 'api-one', 'beta', 'gamma', 'jane', 'loc', 'team-a']],
    [{ term: 'alp' }, {}, []],
    [{ term: 'java', fields: ['metadata.tags'] }, { filter: { 'spec.lifecycle': 'experimental' } }, ['beta']],
    [{ term: 'e', fields: ['kind'] }, { filter: { kind: ['api', 'resource', 'user'] } }, ['db', 'guest', 'jane']],
    [{ term: 'a%a', fields: ['metadata.name'] }, {}, []],
    [{ term: 'team_a', fields: ['metadata.name'] }, {}, []],
    [{ term: '  ', fields: ['metadata.name'] }, {}, ALL],
    [{ fields: ['metadata.name'] }, {}, ALL],
  ];
  for (const [fullTextFilter, request, expected] of cases) {
    for (const selection of [request, { ...request, query: {} }]) {
      const page = await client.queryEntities({ ...selection, fullTextFilter });
      const what = JSON.stringify({ ...selection, fullTextFilter });
      assert.deepEqual(sortedNames(page.items).toSorted(), expected, what);
      assert.equal(page.totalItems, expected.length, what);
    }
  }
});

test('full text holds on all pages, there and back', async () => {
  const request = { fullTextFilter: { term: 'team', fields: ['metadata.name', 'spec.owner'] }, orderFields: BY_NAME };
  const expected = [
    ['alpha', 'api-one'],
    ['db', 'gamma'],
    ['sys', 'team-a'],
  ];
  for (const selection of [{}, { filter: { kind: EXISTS } }, { query: { kind: { $exists: true } } }]) {
    const follow = page => client.queryEntities({ ...page, limit: 2 });
    const first = await follow({ ...request, ...selection });
    await assertWalksThereAndBack(first, follow, expected, 6);
  }
});

test('queryEntities refuses parameters that make no sense', async () => {
  const direction = { field: 'metadata.name', order: 'sideways' };
  const cases = [
    [{ orderFields: direction }, 'Invalid order field order, must be asc or desc'],
    [
      { query: {}, orderFields: direction },
      'request/body/orderBy/0/order must be equal to one of the allowed values: asc, desc',
    ],
    [{ limit: 'asdf' }, 'request/query/limit must be integer'],
    [{ limit: -1 }, 'request/query/limit must be >= 0'],
    [{ query: {}, limit: '1' }, 'request/body/limit must be number'],
    [{ totalItems: 'maybe' }, 'request/query/totalItems must be equal to one of the allowed values: include, exclude'],
    [{ filter: { '': 'foo' } }, /^Invalid filter, '=foo' is not a valid statement/],
    [{ fields: ['spec.arr[0]'] }, 'Invalid field "spec.arr[0]", array type fields are not supported'],
    [{ query: {}, fields: ['spec.arr[0]'] }, 'Invalid field "spec.arr[0]", array type fields are not supported'],
  ];
  for (const [request, message] of cases) {
    await assertBadRequest(client.queryEntities(request), message);
  }
  // Backstage answers this one with an internal error.
  await assertBadRequest(client.queryEntities({ query: {}, limit: -1 }), /./);
});

test('queryEntities refuses cursors that it did not give', async () => {
  const place = { orderFields: [], orderFieldValues: [], isPrevious: false };
  const cursors = [
    'bad',
    'e30=',
    encodeCursor({ bad: 'cursor' }),
    encodeCursor([]),
    encodeCursor({ ...place, isPrevious: 'no' }),
    encodeCursor({ ...place, orderFields: [{ field: 'kind', order: 'up' }] }),
    encodeCursor({ ...place, query: 'kind' }),
    encodeCursor({ query: {} }),
  ];
  for (const cursor of cursors) {
    await assertBadRequest(client.queryEntities({ cursor }), /^Malformed cursor/);
  }
});

test('queryEntities follows cursors of older versions', async () => {
  const place = { orderFields: [BY_NAME], orderFieldValues: [], isPrevious: false };
  const older = encodeCursor({
    ...place,
    orderFields: [],
    orderFieldValues: [''],
    filter: {
      allOf: [{ key: 'kind', values: ['component'] }, { not: { key: 'metadata.name', values: ['beta'] } }],
    },
  });
  const { answer, calls } = await recorded(() => client.queryEntities({ cursor: older }));
  assert.deepEqual([sortedNames(answer.items), answer.totalItems, calls], [['alpha', 'gamma'], 0, [GET]]);

  const total = await client.queryEntities({ cursor: encodeCursor({ ...place, totalItems: 77, extra: {} }) });
  assert.deepEqual([shortNames(total.items), total.totalItems], [NAMES, 77]);
});
