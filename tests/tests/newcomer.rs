//! The first minute with Callboard: a fresh checkout, one command, and a catalog.
#![cfg(test)]

use std::fs;
use std::path::Path;

use callboard_tests::{Daemon, Home, settled_snapshot, workspace_root};

#[test]
fn the_configuration_of_the_repository_serves_the_example_catalog() {
    // A copy, so that the database is not left in the repository.
    let home = Home::new();
    fs::copy(workspace_root().join("app-config.yaml"), home.path().join("app-config.yaml")).unwrap();
    copy_folder(&workspace_root().join("examples"), &home.path().join("examples"));

    // Without arguments, as a newcomer starts it.
    let mut command = home.command(&[]);
    command.env("APP_CONFIG_backend_listen", "127.0.0.1:0");
    // So that the test need not wait for the intervals of production.
    command.env("APP_CONFIG_catalog_processingInterval", r#"{"seconds":1}"#);
    let daemon = Daemon::spawn(&mut command, &home.next_log());
    daemon.wait_until_ready();

    let service = daemon.wait_for("an entity of the example catalog", |api| {
        let entity = api.entity("component:default/hire-service")?;
        (!entity["relations"].as_array()?.is_empty()).then_some(entity)
    });
    let relations = service["relations"].as_array().unwrap();
    assert!(relations.iter().any(|relation| {
        relation["type"] == "ownedBy" && relation["targetRef"] == "group:default/team-hire"
    }));

    let catalog = settled_snapshot(&daemon);
    let errors = daemon.api().errors();
    assert!(errors.is_empty(), "{errors:#?}");
    for kind in ["component", "api", "resource", "system", "domain", "group", "user", "location"] {
        assert!(catalog.keys().any(|entity_ref| entity_ref.starts_with(&format!("{kind}:"))), "no {kind}");
    }
    // Every reference of the example leads to an entity.
    for (entity_ref, entity) in &catalog {
        for relation in entity["relations"].as_array().into_iter().flatten() {
            let target = relation["targetRef"].as_str().unwrap();
            assert!(catalog.contains_key(target), "{entity_ref} refers to {target}, which is not there");
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target);
        } else {
            fs::copy(&source, &target).unwrap();
        }
    }
}
