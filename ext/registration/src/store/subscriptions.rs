//! A row of `subscriptions`.

use serde::Serialize;
use sqlx::Row;
use time::PrimitiveDateTime;

use super::session::{Interruption, Session};

time::serde::format_description!(
    column_time,
    PrimitiveDateTime,
    "[year]-[month]-[day] [hour]:[minute]:[second]"
);

/// All columns of a subscription, as they are in the database. Times are UTC; as JSON they are
/// written the way the database writes them.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct SubscriptionRow {
    /// Primary key.
    pub id: u64,
    /// Who knows it may use what it pays for. Compared by the database without case.
    pub regcode: String,
    /// For people.
    pub name: String,
    /// `full`, `test` …
    pub kind: String,
    /// `ACTIVE`, `EXPIRED` or `NOTACTIVATED`.
    pub status: String,
    /// When it begins.
    #[serde(with = "column_time::option")]
    pub starts_at: Option<PrimitiveDateTime>,
    /// When it ends; NULL is never.
    #[serde(with = "column_time::option")]
    pub expires_at: Option<PrimitiveDateTime>,
    /// How many systems it pays for.
    pub system_limit: i32,
    /// How many there are, by SCC's count.
    pub systems_count: i32,
    /// How many of them are virtual, likewise.
    pub virtual_count: Option<i32>,
    /// When the row was made.
    #[serde(with = "column_time")]
    pub created_at: PrimitiveDateTime,
    /// When it last changed.
    #[serde(with = "column_time")]
    pub updated_at: PrimitiveDateTime,
}

impl SubscriptionRow {
    /// Whether it was activated at SCC; it may have ended since (RMT: `Subscription#active?`).
    pub fn active(&self) -> bool {
        self.status == "ACTIVE"
    }
}

impl Session {
    /// The subscription with this code, the oldest if there are several.
    ///
    /// # Errors
    /// What the database says.
    pub async fn subscription(
        &mut self,
        regcode: &str,
    ) -> Result<Option<SubscriptionRow>, Interruption> {
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            self.check_length(regcode.len())?;
            let row = sqlx::query(
                "SELECT id, regcode, name, kind, status, starts_at, expires_at, system_limit, \
                 systems_count, virtual_count, created_at, updated_at FROM subscriptions \
                 WHERE regcode = ? ORDER BY id LIMIT 1",
            )
            .bind(regcode)
            .fetch_optional(self.connection())
            .await?;
            let Some(row) = row else { return Ok(None) };
            Ok(Some(SubscriptionRow {
                id: row.try_get_unchecked("id")?,
                regcode: row.try_get_unchecked("regcode")?,
                name: row.try_get_unchecked("name")?,
                kind: row.try_get_unchecked("kind")?,
                status: row.try_get_unchecked("status")?,
                starts_at: row.try_get_unchecked("starts_at")?,
                expires_at: row.try_get_unchecked("expires_at")?,
                system_limit: row.try_get_unchecked("system_limit")?,
                systems_count: row.try_get_unchecked("systems_count")?,
                virtual_count: row.try_get_unchecked("virtual_count")?,
                created_at: row.try_get_unchecked("created_at")?,
                updated_at: row.try_get_unchecked("updated_at")?,
            }))
        })
        .await
    }
}
