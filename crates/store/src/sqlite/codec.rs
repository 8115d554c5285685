//! Parameters that are lists, and columns by position.

use callboard_model::Digest;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::StoreError;

/// Numbers as a JSON array, for `json_each`: a list of any length in one parameter of one prepared statement.
pub(super) fn ids_json(ids: impl IntoIterator<Item = i64>) -> String {
    let mut json = String::from("[");
    for id in ids {
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(&id.to_string());
    }
    json.push(']');
    json
}

/// Texts as a JSON array, for `json_each`.
pub(super) fn texts_json<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(texts).to_string()
}

/// Reads columns by position; a column of another type is an inconsistent row.
pub(super) trait RowExt {
    fn int(&self, index: usize) -> Result<i64, StoreError>;
    fn int_opt(&self, index: usize) -> Result<Option<i64>, StoreError>;
    fn flag(&self, index: usize) -> Result<bool, StoreError>;
    fn small_opt(&self, index: usize) -> Result<Option<u32>, StoreError>;
    fn text(&self, index: usize) -> Result<&str, StoreError>;
    fn text_opt(&self, index: usize) -> Result<Option<&str>, StoreError>;
    fn blob(&self, index: usize) -> Result<&[u8], StoreError>;
    fn blob_opt(&self, index: usize) -> Result<Option<&[u8]>, StoreError>;
    fn digest(&self, index: usize) -> Result<Digest, StoreError>;
    fn digest_opt(&self, index: usize) -> Result<Option<Digest>, StoreError>;
    fn uid(&self, index: usize) -> Result<Uuid, StoreError>;
    fn uid_opt(&self, index: usize) -> Result<Option<Uuid>, StoreError>;
}

impl RowExt for SqliteRow {
    fn int(&self, index: usize) -> Result<i64, StoreError> {
        Ok(self.try_get(index)?)
    }

    fn int_opt(&self, index: usize) -> Result<Option<i64>, StoreError> {
        Ok(self.try_get(index)?)
    }

    fn flag(&self, index: usize) -> Result<bool, StoreError> {
        Ok(self.int(index)? != 0)
    }

    fn small_opt(&self, index: usize) -> Result<Option<u32>, StoreError> {
        self.int_opt(index)?
            .map(u32::try_from)
            .transpose()
            .map_err(|error| StoreError::Inconsistent(error.to_string()))
    }

    fn text(&self, index: usize) -> Result<&str, StoreError> {
        Ok(self.try_get(index)?)
    }

    fn text_opt(&self, index: usize) -> Result<Option<&str>, StoreError> {
        Ok(self.try_get(index)?)
    }

    fn blob(&self, index: usize) -> Result<&[u8], StoreError> {
        Ok(self.try_get(index)?)
    }

    fn blob_opt(&self, index: usize) -> Result<Option<&[u8]>, StoreError> {
        Ok(self.try_get(index)?)
    }

    fn digest(&self, index: usize) -> Result<Digest, StoreError> {
        Digest::try_from(self.blob(index)?).map_err(|error| StoreError::Inconsistent(error.to_string()))
    }

    fn digest_opt(&self, index: usize) -> Result<Option<Digest>, StoreError> {
        self.blob_opt(index)?
            .map(Digest::try_from)
            .transpose()
            .map_err(|error| StoreError::Inconsistent(error.to_string()))
    }

    fn uid(&self, index: usize) -> Result<Uuid, StoreError> {
        Uuid::from_slice(self.blob(index)?).map_err(|error| StoreError::Inconsistent(error.to_string()))
    }

    fn uid_opt(&self, index: usize) -> Result<Option<Uuid>, StoreError> {
        self.blob_opt(index)?
            .map(Uuid::from_slice)
            .transpose()
            .map_err(|error| StoreError::Inconsistent(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_json() {
        assert_eq!(ids_json([]), "[]");
        assert_eq!(ids_json([1, -2]), "[1,-2]");
        assert_eq!(texts_json(["a\"", "b"]), r#"["a\"","b"]"#);
    }
}
