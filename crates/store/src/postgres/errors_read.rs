//! Reading errors of the catalog's content.

use std::borrow::Cow;
use std::sync::Arc;

use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::row::RowExt as _;
use super::session::Args;
use super::texts::{escaped, key};
use crate::rules::errors::{category, provider_owner, serialized, subject};
use crate::rules::statement::statements;
use crate::{CatalogError, ErrorFilter, NewError, StoreError};

/// Two statements, as one plan does not suit both.
macro_rules! errors_query {
    ($from:literal, $where:literal) => {
        concat!(
            "SELECT e.id, e.category, coalesce(f.long_ref, f.entity_ref), e.error, e.location, coalesce(e.document, d.document), \
                    coalesce(e.line, d.line), e.\"column\", e.pointer, e.rule, e.digest, e.first_seen_at, \
                    e.last_seen_at, e.count \
             FROM ",
            $from,
            " LEFT JOIN LATERAL (SELECT min(x.document)::bigint AS document, min(x.line)::bigint AS line \
                                   FROM edges x WHERE x.target = e.owner) d ON true \
             WHERE ",
            $where,
            " e.id > $1 AND ($2::text IS NULL OR e.location = $2) AND ($3::text IS NULL OR e.rule = $3) \
             ORDER BY e.id LIMIT $4"
        )
    };
}

statements! {
    SELECT_ERRORS = errors_query!("errors e JOIN refs f ON f.id = e.owner", "");
    SELECT_ERRORS_OF =
        errors_query!("refs f JOIN errors e ON e.owner = f.id", "f.entity_ref = ANY($5) AND");
}

impl PostgresStore {
    pub(super) async fn list_errors(&self, filter: &ErrorFilter) -> Result<Vec<CatalogError>, StoreError> {
        let args = Args::new()
            .with(filter.after.unwrap_or(0))
            .with(filter.location.as_deref().map(escaped))
            .with(filter.rule.as_deref().map(escaped))
            .with(i64::try_from(filter.limit).unwrap_or(i64::MAX));
        let rows = match &filter.entity_ref {
            None => self.read_rows(SELECT_ERRORS, args).await?,
            Some(subject) => {
                let mut owners = vec![key(subject)];
                owners.extend(provider_owner(subject).map(|text| Cow::Owned(key(&text).into_owned())));
                self.read_rows(SELECT_ERRORS_OF, args.with(owners)).await?
            }
        };
        rows.iter().map(catalog_error).collect()
    }
}

fn catalog_error(row: &PgRow) -> Result<CatalogError, StoreError> {
    Ok(CatalogError {
        id: row.int(0)?,
        category: category(row.int2(1)?)?,
        subject: subject(&row.text(2)?),
        error: NewError {
            error: serialized(row.text(3)),
            location: row.text_opt(4)?.map(Arc::from),
            document: row.small_opt(5)?,
            line: row.small_opt(6)?,
            column: row.small_opt(7)?,
            pointer: row.text_opt(8)?.map(Cow::into_owned),
            rule: row.text_opt(9)?.map(Cow::into_owned),
            digest: row.digest(10)?,
        },
        first_seen_at: row.time(11)?,
        last_seen_at: row.time(12)?,
        count: row.int(13)?,
    })
}
