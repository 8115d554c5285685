//! Entities like those of a company with some hundred teams: 45 rows each, the keys of items included.

use std::fmt::Write as _;

use callboard_index::Prepared;

const TAGS: [&str; 24] = [
    "java", "go", "rust", "python", "kotlin", "web", "mobile", "batch", "kafka", "grpc", "rest", "graphql",
    "aws", "gcp", "azure", "payments", "orders", "search", "identity", "data", "ml", "internal", "legacy",
    "beta",
];
const TYPES: [&str; 6] = ["service", "library", "website", "job", "Service", "documentation"];
const LIFECYCLES: [&str; 3] = ["production", "experimental", "deprecated"];
const KINDS: [(&str, u64); 4] = [("Component", 60), ("API", 20), ("Resource", 15), ("System", 5)];

/// A small generator of repeatable numbers (SplitMix64).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[usize::try_from(self.below(words.len() as u64)).unwrap()]
    }
}

/// One entity on its way into the index.
pub(crate) struct Source {
    pub(crate) number: u64,
    pub(crate) entity_ref: String,
    pub(crate) uid: String,
    pub(crate) json: String,
}

impl Source {
    pub(crate) fn prepare(&self) -> Prepared {
        let id = i64::try_from(self.number).unwrap();
        Prepared::new(id, &self.entity_ref, &self.uid, &self.json).unwrap()
    }
}

/// The `number`th of a catalog of `count`; another `version` differs in description, tags and lifecycle.
pub(crate) fn entity(number: u64, version: u64, count: u64) -> Source {
    let numbers = &mut Numbers::new(number);
    let mut kind = "Component";
    let mut share = numbers.below(100);
    for (name, percent) in KINDS {
        if share < percent {
            kind = name;
            break;
        }
        share -= percent;
    }
    let teams = (count / 50).max(1);
    let (team, system, repository) = (numbers.below(teams), numbers.below((count / 20).max(1)), number / 4);
    let uid =
        format!("0190{:04x}-{:04x}-7000-8000-{number:012x}", numbers.below(65536), numbers.below(65536));
    let name = format!("{}-{}-{number}", numbers.of(&TAGS), numbers.of(&["api", "worker", "ui", "store"]));
    let relations = relations(numbers, team, system, count);
    let changing = &mut Numbers::new(number ^ version << 40);
    let tags: Vec<String> = (0..3).map(|_| format!("\"{}\"", changing.of(&TAGS))).collect();
    let json = format!(
        r#"{{"apiVersion":"backstage.io/v1alpha1","kind":"{kind}","metadata":{{"namespace":"default","name":"{name}","title":"{} of team {team}, number {number}","description":"Takes what comes in at {number} and hands it on, version {version}","labels":{{"example.com/tier":"{}","example.com/cost-centre":"cc-{}"}},"annotations":{{"backstage.io/managed-by-location":"url:https://git.example.com/org/repo-{repository}/blob/main/catalog-info.yaml","backstage.io/managed-by-origin-location":"url:https://git.example.com/org/repo-{repository}/blob/main/catalog-info.yaml","backstage.io/view-url":"https://git.example.com/org/repo-{repository}/blob/main/catalog-info.yaml","backstage.io/edit-url":"https://git.example.com/org/repo-{repository}/edit/main/catalog-info.yaml","backstage.io/source-location":"url:https://git.example.com/org/repo-{repository}/tree/main/","github.com/project-slug":"org/repo-{repository}","example.com/dashboard-selector":"team={team}","example.com/on-call":"rota-{team}"}},"tags":[{}],"links":[{{"url":"https://dashboards.example.com/d/{number}","title":"Dashboard","icon":"dashboard"}},{{"url":"https://wiki.example.com/{name}","title":"Handbook"}}],"uid":"{uid}","etag":"0123456789abcdef0123456789abcdef01234567"}},"spec":{{"type":"{}","lifecycle":"{}","owner":"group:default/team-{team}","system":"system-{system}","dependsOn":["component:other-{team}","resource:other-{system}"],"tier":{}}},"relations":[{relations}]}}"#,
        capital(&name),
        numbers.below(4),
        numbers.below(200),
        tags.join(","),
        numbers.of(&TYPES),
        changing.of(&LIFECYCLES),
        number % 4,
    );
    Source { number, entity_ref: format!("{}:default/{name}", kind.to_lowercase()), uid, json }
}

fn capital(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}

fn relations(numbers: &mut Numbers, team: u64, system: u64, count: u64) -> String {
    let mut relations = String::new();
    for kind in
        ["apiConsumedBy", "consumesApi", "dependencyOf", "dependsOn", "dependsOn", "dependsOn", "providesApi"]
    {
        let target = numbers.below(count);
        write!(relations, r#"{{"type":"{kind}","targetRef":"component:default/other-{target}"}},"#).unwrap();
    }
    write!(
        relations,
        r#"{{"type":"ownedBy","targetRef":"group:default/team-{team}"}},{{"type":"partOf","targetRef":"system:default/system-{system}"}}"#
    )
    .unwrap();
    relations
}
