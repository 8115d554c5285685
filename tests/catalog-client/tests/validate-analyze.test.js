import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Catalog } from '../support/catalog.js';
import { resource } from '../support/descriptors.js';
import { assertBadRequest } from '../support/refused.js';

const { client, upstream } = await Catalog.start('', { locations: [] }, forge => ({
  integrations: { github: [{ host: 'github.com', apiBaseUrl: forge.url('/api'), rawBaseUrl: forge.url('/raw') }] },
}));

const PLACE = 'url:https://example.com/catalog-info.yaml';

const component = {
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Component',
  metadata: { name: 'x' },
  spec: { type: 'service', lifecycle: 'production', owner: 'team-a' },
};

test('validateEntity is content with a valid entity, and keeps nothing', async () => {
  assert.deepEqual(await client.validateEntity(component, PLACE), { valid: true });
  assert.deepEqual(await client.validateEntity(resource('a'), PLACE), { valid: true });
  assert.deepEqual(await client.getEntities(), { items: [] });
});

const { lifecycle, ...withoutLifecycle } = component.spec;
const { apiVersion, ...withoutVersion } = component;

const INVALID = [
  [
    'a missing field',
    { ...component, spec: withoutLifecycle },
    'Processor BuiltinKindsEntityProcessor threw an error while validating the entity component:default/x; ' +
      "caused by TypeError: /spec must have required property 'lifecycle' - missingProperty: lifecycle",
  ],
  [
    'a bad name',
    { ...component, metadata: { name: 'x y' } },
    'Policy check failed for component:default/x y; caused by Error: "metadata.name" is not valid; expected a string ' +
      'that is sequences of [a-zA-Z0-9] separated by any of [-_.], at most 63 characters in total but found "x y". To ' +
      'learn more about catalog file format, visit: ' +
      'https://github.com/backstage/backstage/blob/master/docs/architecture-decisions/adr002-default-catalog-file-format.md',
  ],
  [
    'an unknown kind',
    { ...component, kind: 'Nope' },
    'No processor recognized the entity nope:default/x as valid, possibly caused by a foreign kind or apiVersion',
  ],
  ['no apiVersion', withoutVersion, "<root> must have required property 'apiVersion' - missingProperty: apiVersion"],
];

for (const [what, entity, message] of INVALID) {
  test(`validateEntity tells of ${what}`, async () => {
    const { valid, errors } = await client.validateEntity(entity, PLACE);
    assert.equal(valid, false);
    assert.equal(errors.length, 1);
    assert.equal(typeof errors[0].name, 'string');
    assert.equal(errors[0].message, message);
  });
}

test('validateEntity tells of a place that is none', async () => {
  const cases = [
    [
      'nocolon',
      /Unable to parse location ref 'nocolon', expected '<type>:<target>', e\.g\. 'url:https:\/\/host\/path'/,
    ],
    ['file:/a', /Invalid location ref file:\/a, only 'url:<target>' is supported, e\.g\. url:https:\/\/host\/path/],
    [null, /./],
    [undefined, /./],
  ];
  for (const [place, message] of cases) {
    const { valid, errors } = await client.validateEntity(component, place);
    assert.equal(valid, false);
    assert.match(errors[0].message, message);
  }
});

test('validateEntity tells of what is no entity, as its callers look at the first error', async () => {
  for (const entity of [null, undefined, 'x', 7, []]) {
    const { valid, errors } = await client.validateEntity(entity, PLACE);
    assert.equal(valid, false);
    assert.equal(typeof errors[0].message, 'string');
  }
});

const stub = (name, metadata) => ({
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Component',
  metadata: { name, ...metadata },
  spec: { type: 'other', lifecycle: 'unknown' },
});

const analyzed = async target => client.analyzeLocation({ location: { type: 'url', target } });

test('analyzeLocation suggests a component for a repository, with the slug that its forge knows', async () => {
  const cases = [
    ['https://github.com/acme/shop/blob/main/catalog-info.yaml', 'github.com/project-slug', 'acme/shop'],
    ['https://github.com/acme/shop', 'github.com/project-slug', 'acme/shop'],
    ['https://gitlab.com/acme/shop', 'gitlab.com/project-slug', 'acme/shop'],
    ['https://bitbucket.org/acme/shop', 'bitbucket.org/project-slug', 'acme/shop'],
  ];
  for (const [target, annotation, slug] of cases) {
    assert.deepEqual(await analyzed(target), {
      existingEntityFiles: [],
      generateEntities: [{ entity: stub('shop', { annotations: { [annotation]: slug } }), fields: [] }],
    });
  }
});

test('analyzeLocation suggests a component without a slug for an unknown forge', async () => {
  assert.deepEqual(await analyzed('https://git.example.com/acme/shop'), {
    existingEntityFiles: [],
    generateEntities: [{ entity: stub('shop'), fields: [] }],
  });
});

/** A repository on a GitHub that knows nothing else. */
function putRepository(name, files) {
  const api = `/api/repos/${name}`;
  upstream.put(api, { full_name: name, default_branch: 'main' });
  upstream.put(`${api}/commits/main/status`, { sha: 'abc' });
  upstream.put(`${api}/git/trees/abc`, {
    truncated: false,
    tree: Object.keys(files).map((path, number) => ({ path, type: 'blob', sha: `${number}` })),
  });
  Object.entries(files).forEach(([path, entity]) => upstream.put(`/raw/${name}/main/${path}`, entity));
}

test('analyzeLocation finds descriptor files that are there', async () => {
  putRepository('acme/has', {
    'catalog-info.yaml': resource('top'),
    'README.md': 'none',
    'sub/catalog-info.yaml': resource('sub'),
    'sub/backstage.yaml': resource('other'),
  });
  const summary = ({ existingEntityFiles, generateEntities }) => ({
    files: existingEntityFiles.map(({ location, isRegistered, entity }) => [
      location,
      isRegistered,
      entity.metadata.name,
    ]),
    generated: generateEntities,
  });
  const location = { type: 'url', target: 'https://github.com/acme/has' };
  const file = path => ({ type: 'url', target: `https://github.com/acme/has/blob/main/${path}` });

  const { files, generated } = summary(await client.analyzeLocation({ location }));
  const isDescribed = ([, , name]) => !name.startsWith('generated-');
  assert.deepEqual(files.filter(isDescribed), [
    [file('catalog-info.yaml'), false, 'top'],
    [file('sub/catalog-info.yaml'), false, 'sub'],
  ]);
  assert.deepEqual(generated, []);

  const { target } = file('sub/backstage.yaml');
  await client.addLocation({ target });
  const named = summary(await client.analyzeLocation({ location, catalogFilename: 'backstage.yaml' }));
  assert.deepEqual(named.files.filter(isDescribed), [[{ type: 'url', target }, true, 'other']]);
});

test('analyzeLocation suggests a component where there is no descriptor file', async () => {
  putRepository('acme/empty', { 'README.md': 'none' });
  assert.deepEqual(await analyzed('https://github.com/acme/empty'), {
    existingEntityFiles: [],
    generateEntities: [
      { entity: stub('empty', { annotations: { 'github.com/project-slug': 'acme/empty' } }), fields: [] },
    ],
  });
});

test('analyzeLocation refuses requests that make no sense', async () => {
  await assertBadRequest(analyzed('nope'), 'The given location.target is not a URL');
  await assertBadRequest(analyzed(undefined), "request/body/location must have required property 'target'");
  await assertBadRequest(
    client.analyzeLocation({ location: { type: 'url', target: 'https://github.com/a/b', extra: 1 } }),
    'request/body/location must NOT have additional properties',
  );
  await assertBadRequest(client.analyzeLocation({}), "request/body must have required property 'location'");
});
