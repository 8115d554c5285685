//! Generated entities of realistic size, for tests and benchmarks of whole batches.

use std::sync::Arc;

use callboard_model::{Body, Digest, Entity};
use serde_json::{Value, json};

use crate::{CacheWrite, Lane, Outcome, OutcomeKind, PackedBody};
use crate::{Claim, NewEntity, Processed, RelationKey, Timestamp};

/// How many groups own the components, and how many systems they are part of, per 1,000 components.
const GROUPS: usize = 40;
const SYSTEMS: usize = 60;

fn component_value(index: usize) -> Value {
    let repository = format!("https://github.example.com/stagehands/{}-service-{index}", word(index));
    let file = format!("url:{repository}/blob/main/catalog-info.yaml");
    json!({
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {
            "name": format!("{}-service-{index}", word(index)),
            "title": format!("The {} service number {index}", word(index)),
            "description": format!(
                "Looks after the {} of the house: takes requests from {} and {}, keeps the {} records in order, \
                 and tells everybody who listens when one of them changes. Build {:x}.",
                word(index), word(index / 3), word(index / 7), word(index / 11), index.wrapping_mul(0x9e37_79b9)
            ),
            "annotations": {
                "backstage.io/managed-by-location": file,
                "backstage.io/managed-by-origin-location": file,
                "backstage.io/view-url": format!("{repository}/tree/main/catalog-info.yaml"),
                "backstage.io/edit-url": format!("{repository}/edit/main/catalog-info.yaml"),
                "backstage.io/source-location": format!("url:{repository}/tree/main/"),
                "github.com/project-slug": format!("stagehands/{}-service-{index}", word(index)),
                "pagerduty.com/integration-key": format!("{:032x}", index.wrapping_mul(0x5851_f42d_4c95_7f2d)),
            },
            "labels": { "tier": format!("tier-{}", index % 4) },
            "tags": ["java", word(index), word(index / 5)],
            "links": [{ "url": format!("https://dash.example.com/d/{index:x}"), "title": "Dashboard" }],
        },
        "spec": {
            "type": "service",
            "lifecycle": "production",
            "owner": format!("team-{}", index % GROUPS),
            "system": format!("system-{}", index % SYSTEMS),
            "providesApis": [format!("{}-api-{index}", word(index))],
            "dependsOn": [format!("component:{}-service-{}", word(index / 2), index / 2)],
        },
    })
}

fn word(index: usize) -> &'static str {
    const WORDS: [&str; 16] = [
        "curtain",
        "spotlight",
        "prompter",
        "costume",
        "orchestra",
        "rigging",
        "scenery",
        "boxoffice",
        "backdrop",
        "greenroom",
        "callsheet",
        "rehearsal",
        "catwalk",
        "dimmer",
        "trapdoor",
        "matinee",
    ];
    WORDS.get(index % WORDS.len()).copied().unwrap_or_default()
}

/// A component as a parent emits it: some 1.3 KB of JSON.
pub fn component(index: usize) -> NewEntity {
    let json: Arc<str> = Arc::from(component_value(index).to_string());
    NewEntity {
        entity_ref: Arc::from(component_ref(index)),
        digest: Digest::of(json.as_bytes()),
        json,
        location_key: Some(Arc::from(format!(
            "url:https://github.example.com/stagehands/{}-service-{index}/blob/main/catalog-info.yaml",
            word(index)
        ))),
        position: Some((0, 1)),
        group: i64::try_from(index % 7).unwrap_or_default(),
    }
}

/// The canonical ref of a component.
pub fn component_ref(index: usize) -> String {
    format!("component:default/{}-service-{index}", word(index))
}

/// What a good run of a component gives: its body, and seven relations, half of which start elsewhere.
///
/// # Panics
///
/// Never: the entity is well formed.
pub fn processed_component(index: usize) -> Processed {
    let body = Entity::from_value(component_value(index)).map(Body::from_processed).map(PackedBody::new);
    let own: Arc<str> = Arc::from(component_ref(index));
    let relation = |source: &Arc<str>, kind: &str, target: &Arc<str>| RelationKey {
        source: Arc::clone(source),
        kind: Arc::from(kind),
        target: Arc::clone(target),
    };
    let owner = Arc::from(format!("group:default/team-{}", index % GROUPS));
    let system = Arc::from(format!("system:default/system-{}", index % SYSTEMS));
    let api = Arc::from(format!("api:default/{}-api-{index}", word(index)));
    let other = Arc::from(component_ref(index / 2));
    Processed {
        body: body.unwrap_or_else(|error| panic!("{error}")),
        relations: vec![
            relation(&own, "ownedBy", &owner),
            relation(&owner, "ownerOf", &own),
            relation(&own, "partOf", &system),
            relation(&system, "hasPart", &own),
            relation(&own, "providesApi", &api),
            relation(&api, "apiProvidedBy", &own),
            relation(&own, "dependsOn", &other),
        ],
        children: Vec::new(),
        kept_groups: Vec::new(),
        warnings: Vec::new(),
        refresh_keys: vec![format!(
            "url:https://github.example.com/stagehands/{}-service-{index}/blob/main/catalog-info.yaml",
            word(index)
        )],
    }
}

/// The good outcome of a claim.
pub fn outcome(claim: &Claim, processed: Processed, next_update_at: Timestamp) -> Outcome {
    Outcome {
        id: claim.id,
        token: claim.token,
        location_key: claim.location_key.clone(),
        lane: Lane::New,
        next_update_at: Some(next_update_at),
        cache: CacheWrite::Keep,
        result_digest: processed.body.digest,
        fingerprint: Digest::of("processors"),
        kind: OutcomeKind::Processed(Box::new(processed)),
    }
}
