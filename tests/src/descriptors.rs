//! Descriptor files for tests.

use std::fmt::Write;

use sha1::{Digest, Sha1};

/// A component that nothing is wrong with.
pub fn component(name: &str) -> String {
    described_component(name, "made for a test")
}

/// A component with that description.
pub fn described_component(name: &str, description: &str) -> String {
    format!(
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}\n  description: {description}\n\
         spec:\n  type: service\n  lifecycle: production\n  owner: team-a\n"
    )
}

/// A Location that leads to `targets`.
pub fn location(name: &str, targets: &[&str]) -> String {
    let mut text = format!(
        "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata:\n  name: {name}\nspec:\n  targets:\n"
    );
    for target in targets {
        writeln!(text, "    - {target}").expect("a text grows");
    }
    text
}

/// Several documents in one file.
pub fn documents(documents: impl IntoIterator<Item = String>) -> String {
    documents.into_iter().collect::<Vec<_>>().join("---\n")
}

/// Ref of the Location entity that stands for a configured or registered location.
pub fn generated_ref(kind: &str, target: &str) -> String {
    let name = hex::encode(Sha1::digest(format!("{kind}:{target}")));
    format!("location:default/generated-{name}")
}
