//! Pages of `/entities/by-query`, their cursors, and walks along them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::answer::{Answer, names};
use crate::catalog::{Catalog, strings};

const FIELDS: &str = "metadata.name,metadata.namespace";

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) items: Value,
    pub(crate) total: u64,
    pub(crate) next: Option<String>,
    pub(crate) previous: Option<String>,
}

impl Page {
    /// The page that an answer holds, and nothing beside it.
    #[track_caller]
    pub(crate) fn of(answer: &Answer) -> Self {
        let body = answer.ok();
        let members: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(members, ["items", "totalItems", "pageInfo"], "{answer}");
        let cursor =
            |name: &str| body["pageInfo"].get(name).map(|cursor| cursor.as_str().unwrap().to_owned());
        let (next, previous) = (cursor("nextCursor"), cursor("prevCursor"));
        let cursors = usize::from(next.is_some()) + usize::from(previous.is_some());
        assert_eq!(body["pageInfo"].as_object().unwrap().len(), cursors, "{answer}");
        Self { items: body["items"].clone(), total: body["totalItems"].as_u64().unwrap(), next, previous }
    }

    /// The first page.
    #[track_caller]
    pub(crate) fn first(catalog: &Catalog, query: &str) -> Self {
        Self::of(&catalog.get(&format!("/entities/by-query?fields={FIELDS}&{query}")))
    }

    /// The page that a cursor leads to, with GET and with POST.
    #[track_caller]
    pub(crate) fn at(catalog: &Catalog, cursor: &str, limit: usize) -> Self {
        let url = format!("/entities/by-query?cursor={}&limit={limit}&fields={FIELDS}", in_url(cursor));
        let got = catalog.get(&url);
        let body = json!({ "cursor": cursor, "limit": limit, "fields": [FIELDS] });
        let posted = catalog.post("/entities/by-query", &body);
        assert_eq!(got.ok(), posted.ok(), "{url} and {body}");
        Self::of(&got)
    }

    /// The page after this one.
    #[track_caller]
    pub(crate) fn next(&self, catalog: &Catalog, limit: usize) -> Self {
        Self::at(catalog, self.next.as_deref().expect("there is a next page"), limit)
    }

    /// The page before this one.
    #[track_caller]
    pub(crate) fn previous(&self, catalog: &Catalog, limit: usize) -> Self {
        Self::at(catalog, self.previous.as_deref().expect("there is a page before"), limit)
    }

    /// The names on it.
    pub(crate) fn names(&self) -> Vec<String> {
        names(&self.items)
    }

    /// The page has these entities in this order, that total, and these neighbours.
    #[track_caller]
    pub(crate) fn is(&self, expected: &[&str], total: u64, neighbours: Neighbours) {
        let has = (self.previous.is_some(), self.next.is_some());
        let wanted = match neighbours {
            Neighbours::None => (false, false),
            Neighbours::Next => (false, true),
            Neighbours::Previous => (true, false),
            Neighbours::Both => (true, true),
        };
        assert_eq!((self.names().as_slice(), self.total), (strings(expected).as_slice(), total));
        assert_eq!(has, wanted, "whether {expected:?} has a page before, and a next one");
    }
}

/// Which cursors a page has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Neighbours {
    None,
    Next,
    Previous,
    Both,
}

/// What a cursor says.
pub(crate) fn decoded(cursor: &str) -> Value {
    serde_json::from_slice(&STANDARD.decode(cursor).expect("base64 with padding")).expect("JSON")
}

/// A cursor that says so.
pub(crate) fn encoded(cursor: &Value) -> String {
    STANDARD.encode(cursor.to_string())
}

/// A cursor as a part of a query.
pub(crate) fn in_url(cursor: &str) -> String {
    cursor.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}
