// Short forms of entities, for comparing.

import { createHash } from 'node:crypto';

/** The name of the entity of a location that is configured or registered. */
export function generatedName(type, target) {
  return `generated-${createHash('sha1').update(`${type}:${target}`).digest('hex')}`;
}

export function generatedRef(type, target) {
  return `location:default/${generatedName(type, target)}`;
}

export function refOf({ kind, metadata }) {
  return `${kind}:${metadata.namespace ?? 'default'}/${metadata.name}`.toLowerCase();
}

export function refsOf(entities) {
  return entities.map(refOf);
}

export function namesOf(entities) {
  return entities.map(entity => entity?.metadata.name);
}

/** The relations as pairs, in the order in which they came. */
export function relationsOf(entity) {
  return entity.relations.map(({ type, targetRef, ...others }) => {
    const unknown = Object.keys(others);
    return unknown.length === 0 ? [type, targetRef] : [type, targetRef, unknown];
  });
}
