//! How large the tables are, for who looks after the disk. It reads the catalogue; on the embedded engine, page by page.

use std::sync::Arc;

use keytrail_projections::value::{BadRow, Cells};

use super::{Area, Db, StoreError};

impl Db {
    /// The bytes of each table with its indexes, by name.
    pub async fn table_sizes(self: &Arc<Self>) -> Result<Vec<(String, i64)>, StoreError> {
        let (areas, sql): (&[Area], _) = match &**self {
            Self::Sqlite(_) => (
                &[Area::Log, Area::Views],
                "SELECT s.tbl_name, SUM(d.pgsize) FROM dbstat AS d JOIN sqlite_master AS s ON s.name = d.name \
                 WHERE d.aggregate = 1 GROUP BY s.tbl_name ORDER BY s.tbl_name",
            ),
            Self::Postgres(_) => (
                &[Area::Log],
                "SELECT relname::text, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' \
                 AND relnamespace = current_schema()::regnamespace ORDER BY relname",
            ),
        };
        let mut sizes = Vec::new();
        for area in areas {
            for row in self.read_long(*area, sql.to_owned(), Vec::new()).await? {
                let mut cells = Cells::of(&row);
                let mut read = || -> Result<_, BadRow> { Ok((cells.text()?.to_owned(), cells.int()?)) };
                sizes.push(read().map_err(|error| StoreError::Corrupt(error.to_string()))?);
            }
        }
        Ok(sizes)
    }
}
