//! The metadata of generated entities, except for names and descriptions.

use super::population::{Identity, Kind};
use super::words;
use super::yaml::Yaml;
use crate::random::Random;

/// With more of these an API would outgrow the size that entities are meant to have.
const OPTIONAL_ANNOTATIONS_MAX: usize = 4;
const LINKS_MAX: usize = 3;

/// Labels, annotations, tags and links.
pub(super) fn write(yaml: &mut Yaml, identity: &Identity, random: &mut Random) {
    labels(yaml, random);
    annotations(yaml, identity, random);
    if !matches!(identity.kind, Kind::User | Kind::Group) {
        tags(yaml, random);
        links(yaml, identity, random);
    }
}

fn labels(yaml: &mut Yaml, random: &mut Random) {
    yaml.key(1, "labels");
    yaml.quoted(2, "example.com/tier", random.pick(&["1", "2", "3"]));
    yaml.field(2, "example.com/region", random.pick(words::REGIONS));
    if random.percent(50) {
        yaml.field(2, "cost-centre", &format!("cc-{:04}", random.below(10_000)));
    }
}

fn annotations(yaml: &mut Yaml, identity: &Identity, random: &mut Random) {
    let name = &identity.name;
    yaml.key(1, "annotations");
    if matches!(identity.kind, Kind::User | Kind::Group) {
        yaml.field(2, "directory.example.com/dn", &format!("cn={name},ou=people,dc=example,dc=com"));
        yaml.field(2, "directory.example.com/uuid", &format!("'{:016x}'", random.next_u64()));
        return;
    }
    yaml.field(2, "github.com/project-slug", &format!("example/{name}"));
    yaml.field(2, "backstage.io/techdocs-ref", "dir:.");
    let optional = [
        ("jenkins.io/job-full-name", format!("example/{name}/main")),
        ("sonarqube.org/project-key", format!("example_{name}")),
        ("pagerduty.com/integration-key", format!("'{:016x}'", random.next_u64())),
        ("grafana/dashboard-selector", format!("\"tags @> '{name}'\"")),
        ("backstage.io/kubernetes-id", name.clone()),
        ("example.com/last-audit", format!("'20{}-0{}-11'", random.between(20, 29), random.between(1, 9))),
    ];
    for (key, value) in optional.iter().filter(|_| random.percent(50)).take(OPTIONAL_ANNOTATIONS_MAX) {
        yaml.field(2, key, value);
    }
}

fn tags(yaml: &mut Yaml, random: &mut Random) {
    let count = random.between(1, 5);
    let tags = random.pick_some(words::TAGS, count);
    if random.percent(50) {
        yaml.flow_list(1, "tags", &tags);
    } else {
        yaml.list(1, "tags", &tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>());
    }
}

fn links(yaml: &mut Yaml, identity: &Identity, random: &mut Random) {
    let chosen: Vec<_> = words::LINKS.iter().filter(|_| random.percent(30)).take(LINKS_MAX).collect();
    if chosen.is_empty() {
        return;
    }
    yaml.key(1, "links");
    for (title, icon, base) in chosen {
        yaml.field(2, "- url", &format!("{base}{}", identity.name));
        yaml.field(3, "title", title);
        yaml.field(3, "icon", icon);
    }
}
