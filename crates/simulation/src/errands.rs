//! What users and providers ask for, each of one replica.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use callboard_engine::Catalog;
use callboard_sdk::{EntityProviderMutation, LocationSpec};
use callboard_store::LocationConflict;
use tokio::task::JoinSet;

use crate::dice::Dice;
use crate::replica::{Face, delta, full};
use crate::trace::Trace;
use crate::world::World;

/// Users do not wait for ever.
const PATIENCE: Duration = Duration::from_secs(20);

/// Errands that are under way, and what was promised.
#[derive(Debug)]
pub(crate) struct Errands {
    tasks: JoinSet<()>,
    registered: Registered,
    world: World,
    dice: Dice,
    trace: Trace,
}

/// Ids of locations that somebody was told are registered, and those that somebody asked to take away.
type Registered = Arc<Mutex<(BTreeSet<String>, BTreeSet<String>)>>;

impl Errands {
    pub(crate) fn new(world: &World, dice: &Dice, trace: &Trace) -> Self {
        Self {
            tasks: JoinSet::new(),
            registered: Arc::default(),
            world: world.clone(),
            dice: dice.clone(),
            trace: trace.clone(),
        }
    }

    /// The locations that must be there.
    pub(crate) fn registered(&self) -> Vec<String> {
        let registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        registered.0.difference(&registered.1).cloned().collect()
    }

    /// Waits for all that are under way.
    pub(crate) async fn finish(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// A provider has something else, and says so; or says all that it has.
    pub(crate) fn provide(&mut self, face: &Face, provider: &'static str) {
        let (added, removed) = self.world.change_bucket(provider);
        self.trace.say(format_args!("{provider} has {added:?}, and {removed:?} no longer"));
        let Some(connection) = face.connection(provider) else { return };
        let (world, is_full) = (self.world.clone(), self.dice.per_mille(300));
        self.tasks.spawn(async move {
            for _ in 0..3 {
                let mutation =
                    if is_full { full(&world, provider) } else { delta(&world, provider, &added, &removed) };
                if connection.apply_mutation(mutation).await.is_ok() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
    }

    /// A provider says all that it has, until it is heard.
    pub(crate) async fn say_all(&self, face: &Face, provider: &'static str) {
        let Some(connection) = face.connection(provider) else { return };
        let mutation: EntityProviderMutation = full(&self.world, provider);
        drop(connection.apply_mutation(mutation).await);
    }

    /// Somebody asks for something.
    pub(crate) fn ask(&mut self, catalog: Catalog) {
        let (dice, trace) = (self.dice.clone(), self.trace.clone());
        let target = self.world.target();
        let registered = Arc::clone(&self.registered);
        let choice = dice.below(8);
        self.tasks.spawn(async move {
            let asked = async {
                match choice {
                    0..=2 => register(&catalog, &dice, target, &registered).await,
                    3 => unregister(&catalog, &dice, &registered).await,
                    4 => point_elsewhere(&catalog, &dice, &target).await,
                    5 => delete_entity(&catalog, &dice).await,
                    _ => refresh(&catalog, &dice).await,
                }
            };
            let answer = tokio::time::timeout(PATIENCE, asked).await;
            trace.say(format_args!("asked: {}", answer.unwrap_or_else(|_| "no answer".to_owned())));
        });
    }
}

async fn register(catalog: &Catalog, dice: &Dice, target: String, registered: &Registered) -> String {
    let on_conflict = dice.one_of([LocationConflict::Reject, LocationConflict::Refresh]);
    match catalog.location_register(&LocationSpec::new("url", target.as_str()), on_conflict).await {
        Ok(location) => {
            registered.lock().unwrap_or_else(PoisonError::into_inner).0.insert(location.id.clone());
            format!("registered {target} as {}", location.id)
        }
        Err(error) => format!("cannot register {target}: {error}"),
    }
}

/// One of the registered locations: id and target.
async fn any_location(catalog: &Catalog, dice: &Dice) -> Option<(String, String)> {
    let locations = catalog.store().locations_list(None, 100).await.ok()?;
    dice.pick(&locations).map(|location| (location.id.clone(), location.spec.target.clone()))
}

async fn unregister(catalog: &Catalog, dice: &Dice, registered: &Registered) -> String {
    let Some((id, target)) = any_location(catalog, dice).await else {
        return "nothing to unregister".to_owned();
    };
    // Whatever the answer is, it may be gone from now on.
    registered.lock().unwrap_or_else(PoisonError::into_inner).1.insert(id.clone());
    format!("unregistering {target} gave {:?}", catalog.location_delete(&id).await)
}

async fn point_elsewhere(catalog: &Catalog, dice: &Dice, target: &str) -> String {
    let Some((id, _)) = any_location(catalog, dice).await else { return "nothing to update".to_owned() };
    let answer = catalog.location_update(&id, &LocationSpec::new("url", target)).await;
    format!("pointing {id} to {target} gave {:?}", answer.map(drop))
}

/// Nobody would bring back the entity of a registered location before the next start.
async fn delete_entity(catalog: &Catalog, dice: &Dice) -> String {
    let Ok(page) = catalog.store().entities_page(None, 100).await else { return String::new() };
    let found = page.entities.iter().filter(|it| !it.entity_ref.contains("/generated-")).collect::<Vec<_>>();
    let Some(found) = dice.pick(&found) else { return String::new() };
    format!("deleting {} gave {:?}", found.entity_ref, catalog.delete_entity(found.uid).await)
}

async fn refresh(catalog: &Catalog, dice: &Dice) -> String {
    let Ok(page) = catalog.store().entities_page(None, 100).await else { return String::new() };
    let Some(found) = dice.pick(&page.entities) else { return String::new() };
    format!("refreshing {} gave {:?}", found.entity_ref, catalog.refresh(&found.entity_ref).await)
}
