//! The vocabulary of generated catalogs. All of it is valid as a part of names, tags and plain YAML scalars.

pub(super) const NAMESPACES: &[&str] = &["payments", "platform", "labs", "emea-retail"];

pub(super) const NOUNS: &[&str] = &[
    "invoice",
    "ledger",
    "parcel",
    "basket",
    "checkout",
    "voucher",
    "loyalty",
    "shipment",
    "warehouse",
    "forecast",
    "pricing",
    "catalogue",
    "customer",
    "identity",
    "session",
    "consent",
    "payout",
    "refund",
    "tariff",
    "meter",
    "booking",
    "itinerary",
    "fleet",
    "courier",
    "depot",
    "claims",
    "policy",
    "quote",
    "mandate",
    "statement",
    "harbour",
    "signal",
    "beacon",
    "lantern",
    "compass",
    "anchor",
    "orchard",
    "granary",
    "quarry",
    "foundry",
];

pub(super) const COMPONENT_ROLES: &[&str] = &[
    "service",
    "gateway",
    "worker",
    "frontend",
    "scheduler",
    "importer",
    "exporter",
    "consumer",
    "publisher",
    "bff",
    "sidecar",
    "cli",
    "library",
    "projector",
    "reconciler",
];

pub(super) const API_ROLES: &[&str] = &["api", "events", "queries", "commands", "rpc"];

pub(super) const RESOURCE_ROLES: &[&str] = &["db", "bucket", "queue", "topic", "cache", "vault", "cluster"];

pub(super) const FIRST_NAMES: &[&str] = &[
    "mira", "jonas", "adaeze", "tomasz", "ines", "rahul", "linnea", "mateo", "yuki", "farah", "oskar",
    "noor", "paolo", "greta", "kwame", "sofia",
];

pub(super) const LAST_NAMES: &[&str] = &[
    "okafor",
    "lindqvist",
    "moreau",
    "tanaka",
    "nowak",
    "ferreira",
    "haddad",
    "byrne",
    "schuster",
    "iyer",
    "kovacs",
    "dahl",
    "mensah",
    "ricci",
    "vargas",
    "oneill",
];

pub(super) const TAGS: &[&str] = &[
    "java",
    "kotlin",
    "rust",
    "go",
    "typescript",
    "python",
    "c++",
    "c#",
    "grpc",
    "rest",
    "graphql",
    "kafka",
    "postgres",
    "redis",
    "kubernetes",
    "terraform",
    "pci",
    "gdpr",
    "tier-1",
    "tier-2",
    "team:core",
    "legacy",
    "batch",
    "event-driven",
];

pub(super) const COMPONENT_TYPES: &[&str] =
    &["service", "service", "service", "website", "library", "pipeline"];

pub(super) const RESOURCE_TYPES: &[&str] =
    &["database", "s3-bucket", "queue", "kafka-topic", "cache", "cluster"];

pub(super) const LIFECYCLES: &[&str] =
    &["production", "production", "production", "experimental", "deprecated"];

pub(super) const REGIONS: &[&str] = &["eu-west-1", "eu-north-1", "us-east-2", "ap-south-1"];

pub(super) const LINKS: &[(&str, &str, &str)] = &[
    ("Dashboard", "dashboard", "https://dashboards.example.com/d/"),
    ("Runbook", "docs", "https://handbook.example.com/runbooks/"),
    ("Logs", "search", "https://logs.example.com/app/discover?query=service:"),
    ("Chat channel", "chat", "https://chat.example.com/channels/"),
    ("Error budget", "dashboard", "https://slo.example.com/budgets/"),
    ("Deployments", "cloud", "https://deploy.example.com/applications/"),
];

pub(super) const SUBJECTS: &[&str] = &[
    "This part",
    "The team",
    "A nightly job",
    "Every caller",
    "The public edge",
    "The back office",
    "Its event stream",
    "The Zürich office",
    "An operator on call",
    "The reporting stack",
];

pub(super) const VERBS: &[&str] = &[
    "keeps",
    "publishes",
    "reconciles",
    "validates",
    "archives",
    "enriches",
    "routes",
    "serves",
    "reviews",
    "replays",
];

pub(super) const OBJECTS: &[&str] = &[
    "the daily settlement files",
    "orders that failed their first check",
    "the customer's stated preferences",
    "prices in every supported currency",
    "an audit trail of all changes",
    "requests from partner systems",
    "stock levels of each depot",
    "signed copies of the contracts",
    "the façade of the older mainframe",
    "personal data under the retention rules",
];

pub(super) const ENDINGS: &[&str] = &[
    "before the markets open",
    "for as long as the law requires",
    "without a maintenance window",
    "within the agreed latency",
    "and reports what it could not do",
    "so that nobody has to ask twice",
    "as agreed in the last review (see the handbook)",
    "until the replacement is ready",
    "on behalf of two regions",
    "with at-least-once delivery",
];
