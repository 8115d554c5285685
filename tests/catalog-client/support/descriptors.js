// Descriptors of entities that the tests make up.

export function resource(name, spec) {
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Resource',
    metadata: { name },
    spec: { type: 'bucket', owner: 'team-a', ...spec },
  };
}

export function location(name, ...targets) {
  return { apiVersion: 'backstage.io/v1alpha1', kind: 'Location', metadata: { name }, spec: { targets } };
}
