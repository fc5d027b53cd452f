//! Rows of answers, read alike from either database.

use serde_json::Value;

/// What a column holds that both databases read in the same way.
pub(super) trait Column:
    rusqlite::types::FromSql + for<'a> postgres::types::FromSql<'a>
{
}

impl<T: rusqlite::types::FromSql + for<'a> postgres::types::FromSql<'a>> Column for T {}

/// A row. Columns are counted from 0.
pub(super) trait Row {
    /// Why a column cannot be read.
    type Error;

    /// A column.
    fn get<T: Column>(&self, column: usize) -> Result<T, Self::Error>;

    /// A time in seconds since 1970, a counter, or how many.
    fn number(&self, column: usize) -> Result<u64, Self::Error>;

    /// A text of JSON; null if it is none.
    fn json(&self, column: usize) -> Result<Value, Self::Error> {
        let text: String = self.get(column)?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// A text's lines.
    fn lines(&self, column: usize) -> Result<Vec<String>, Self::Error> {
        let text: String = self.get(column)?;
        Ok(text.lines().map(String::from).collect())
    }
}

impl Row for rusqlite::Row<'_> {
    type Error = rusqlite::Error;

    fn get<T: Column>(&self, column: usize) -> Result<T, Self::Error> {
        self.get(column)
    }

    fn number(&self, column: usize) -> Result<u64, Self::Error> {
        self.get(column)
    }
}

impl Row for postgres::Row {
    type Error = postgres::Error;

    fn get<T: Column>(&self, column: usize) -> Result<T, Self::Error> {
        self.try_get(column)
    }

    fn number(&self, column: usize) -> Result<u64, Self::Error> {
        Ok(self.try_get::<_, i64>(column)?.max(0) as u64)
    }
}

/// What is kept as a row.
pub(super) trait Kept: Sized {
    /// From the columns, in the order in which the statements of both stores name them.
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error>;
}

impl Kept for u64 {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        row.number(0)
    }
}

impl Kept for Vec<u8> {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        row.get(0)
    }
}

impl Kept for Value {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        row.json(0)
    }
}

impl Kept for (String, String) {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok((row.get(0)?, row.get(1)?))
    }
}

impl Kept for (String, Option<i64>) {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok((row.get(0)?, row.get(1)?))
    }
}

impl Kept for (String, u64) {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok((row.get(0)?, row.number(1)?))
    }
}
