//! One entity as a YAML document. The description fills the document up to a size drawn for it, which keeps sizes
//! within their bounds however much the other fields take.

use std::ops::RangeInclusive;

use super::population::{Kind, Population};
use super::spec::Subject;
use super::yaml::{TextStyle, Yaml};
use super::{metadata, prose, spec};
use crate::random::Random;

/// Sizes aimed at, in bytes. With 15 % APIs the average of a catalog is 1.3 KB.
const API_BYTES: RangeInclusive<usize> = 1_450..=1_850;
const OTHER_BYTES: RangeInclusive<usize> = 940..=1_400;

/// The YAML of the entity of that kind and index, without a document marker.
pub fn document(population: &Population, kind: Kind, index: usize) -> String {
    let mut random = population.content_stream(kind, index);
    let identity = population.identity(kind, index);
    let subject = Subject { identity: &identity, index };

    let mut head = Yaml::default();
    if random.percent(15) {
        head.raw(0, "# Maintained by hand; ask the owner before you change it.");
    }
    head.field(0, "apiVersion", random.pick(&["backstage.io/v1alpha1", "backstage.io/v1beta1"]));
    head.field(0, "kind", kind.as_str());
    head.key(0, "metadata");
    head.field(1, "name", &identity.name);
    if !identity.is_in_default_namespace() {
        head.field(1, "namespace", identity.namespace);
    }
    head.field(1, "title", &prose::title(&identity.name));

    let mut tail = Yaml::default();
    metadata::write(&mut tail, &identity, &mut random);
    spec::write(&mut tail, population, &subject, &mut random);

    let sizes = if kind == Kind::Api { API_BYTES } else { OTHER_BYTES };
    let bytes = random.between(*sizes.start(), *sizes.end());
    let room = bytes.saturating_sub(head.text.len() + tail.text.len());
    let description = prose::description(&mut random, room);
    head.prose(1, "description", &description, text_style(&mut random));
    head.text + &tail.text
}

fn text_style(random: &mut Random) -> TextStyle {
    match random.below(10) {
        0..=5 => TextStyle::Folded,
        6..=7 => TextStyle::Literal,
        _ => TextStyle::Quoted,
    }
}
