//! The spec of each kind, with references to entities of the same population.
//!
//! References are written in all their valid forms: the kind is left out where the field has a default, the namespace
//! where it is the entity's own.

use super::definition::definition;
use super::population::{Identity, Kind, Population};
use super::words;
use super::yaml::Yaml;
use crate::random::Random;

/// Each team has up to this many teams below it.
const TEAM_FAN_OUT: usize = 6;

pub(super) fn write(yaml: &mut Yaml, population: &Population, subject: &Subject<'_>, random: &mut Random) {
    let mut spec = Spec { yaml, population, subject, random };
    spec.yaml.key(0, "spec");
    match subject.identity.kind {
        Kind::Component => spec.component(),
        Kind::Api => spec.api(),
        Kind::Resource => spec.resource(),
        Kind::System => spec.system(),
        Kind::Domain => spec.domain(),
        Kind::User => spec.user(),
        Kind::Group => spec.group(),
    }
}

/// The entity whose spec is written.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) identity: &'a Identity,
    pub(super) index: usize,
}

struct Spec<'a> {
    yaml: &'a mut Yaml,
    population: &'a Population,
    subject: &'a Subject<'a>,
    random: &'a mut Random,
}

impl Spec<'_> {
    fn component(&mut self) {
        self.one_of("type", words::COMPONENT_TYPES);
        self.one_of("lifecycle", words::LIFECYCLES);
        self.owner();
        self.sometimes(94, "system", Kind::System);
        self.sometimes(4, "subcomponentOf", Kind::Component);
        self.some("providesApis", Kind::Api, 0, 1);
        self.some("consumesApis", Kind::Api, 0, 2);
        self.depends_on(0, 3);
    }

    fn api(&mut self) {
        let definition = definition(&self.subject.identity.name, self.random);
        self.yaml.field(1, "type", definition.api_type);
        self.one_of("lifecycle", words::LIFECYCLES);
        self.owner();
        self.sometimes(90, "system", Kind::System);
        self.yaml.literal(1, "definition", &definition.text);
    }

    fn resource(&mut self) {
        self.one_of("type", words::RESOURCE_TYPES);
        self.owner();
        self.sometimes(80, "system", Kind::System);
        self.depends_on(0, 1);
    }

    fn system(&mut self) {
        self.owner();
        self.sometimes(95, "domain", Kind::Domain);
    }

    fn domain(&mut self) {
        self.owner();
        // The parent has a lower index, so that the tree of domains has no cycle.
        if self.subject.index > 0 && self.random.percent(40) {
            let parent = self.random.below(self.subject.index);
            self.reference_field("subdomainOf", Kind::Domain, parent);
        }
    }

    fn user(&mut self) {
        self.profile();
        self.some("memberOf", Kind::Group, 1, 2);
    }

    fn group(&mut self) {
        self.yaml.field(1, "type", if self.subject.index == 0 { "organization" } else { "team" });
        self.profile();
        if let Some(above) = self.subject.index.checked_sub(1) {
            self.reference_field("parent", Kind::Group, above / TEAM_FAN_OUT);
        }
        self.yaml.field(1, "children", "[]");
    }

    fn profile(&mut self) {
        let name = &self.subject.identity.name;
        self.yaml.key(1, "profile");
        self.yaml.field(2, "displayName", &super::prose::title(name));
        self.yaml.field(2, "email", &format!("{name}@example.com"));
        self.yaml.field(2, "picture", &format!("https://people.example.com/{name}/portrait.png"));
    }

    fn one_of(&mut self, key: &str, words: &[&str]) {
        let word = self.random.pick(words);
        self.yaml.field(1, key, word);
    }

    fn owner(&mut self) {
        let kind = if self.random.percent(4) { Kind::User } else { Kind::Group };
        let owner = self.random.below(self.population.count(kind));
        let reference = self.reference(kind, owner, Some(Kind::Group));
        self.yaml.field(1, "owner", &reference);
    }

    fn sometimes(&mut self, percent: usize, key: &str, kind: Kind) {
        if !self.random.percent(percent) {
            return;
        }
        if let Some(index) = self.distinct(kind, 1).first() {
            self.reference_field(key, kind, *index);
        }
    }

    fn reference_field(&mut self, key: &str, kind: Kind, index: usize) {
        let reference = self.reference(kind, index, Some(kind));
        self.yaml.field(1, key, &reference);
    }

    fn some(&mut self, key: &str, kind: Kind, low: usize, high: usize) {
        let count = self.random.between(low, high);
        let chosen = self.distinct(kind, count);
        let items: Vec<_> = chosen.iter().map(|index| self.reference(kind, *index, Some(kind))).collect();
        self.yaml.list(1, key, &items);
    }

    /// What an entity depends on has no default kind: it is always written.
    fn depends_on(&mut self, low: usize, high: usize) {
        let count = self.random.between(low, high);
        let resources = self.random.between(0, count);
        let mut items = Vec::with_capacity(count);
        for (kind, count) in [(Kind::Resource, resources), (Kind::Component, count - resources)] {
            for index in self.distinct(kind, count) {
                items.push(self.reference(kind, index, None));
            }
        }
        self.yaml.list(1, "dependsOn", &items);
    }

    /// Up to `count` different entities of a kind, never the subject itself.
    fn distinct(&mut self, kind: Kind, count: usize) -> Vec<usize> {
        let mut chosen: Vec<usize> = Vec::with_capacity(count);
        for _ in 0..count {
            let index = self.random.below(self.population.count(kind));
            let is_self = kind == self.subject.identity.kind && index == self.subject.index;
            if !is_self && !chosen.contains(&index) {
                chosen.push(index);
            }
        }
        chosen
    }

    fn reference(&mut self, kind: Kind, index: usize, default_kind: Option<Kind>) -> String {
        let target = self.population.identity(kind, index);
        let is_near = target.namespace == self.subject.identity.namespace;
        let leaves_kind_out = default_kind == Some(kind) && self.random.percent(60);
        let leaves_namespace_out = is_near && self.random.percent(80);
        match (leaves_kind_out, leaves_namespace_out) {
            (true, true) => target.name,
            (true, false) => format!("{}/{}", target.namespace, target.name),
            (false, true) => format!("{}:{}", kind.slug(), target.name),
            (false, false) => target.to_string(),
        }
    }
}
