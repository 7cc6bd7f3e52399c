//! A row of `subscriptions`.

use serde::Serialize;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Row};
use time::PrimitiveDateTime;

use super::session::{Interruption, Session};
use super::system_row::column_time;

/// All columns of a subscription, as they are in the database. Times are UTC; as JSON they are
/// written the way the database writes them.
#[derive(derive_more::Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubscriptionRow {
    /// Primary key.
    pub id: u64,
    /// Who knows it may use what it pays for. Compared by the database without case.
    #[debug("[secret]")]
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
    /// Under names of their own, for statements that have other tables besides; the table is `s`.
    pub(super) const COLUMNS: &'static str = "s.id AS subscription_id, \
        s.regcode AS subscription_regcode, s.name AS subscription_name, s.kind AS subscription_kind, \
        s.status AS subscription_status, s.starts_at AS subscription_starts_at, \
        s.expires_at AS subscription_expires_at, s.system_limit AS subscription_system_limit, \
        s.systems_count AS subscription_systems_count, s.virtual_count AS subscription_virtual_count, \
        s.created_at AS subscription_created_at, s.updated_at AS subscription_updated_at";

    /// None for a row without subscription.
    pub(super) fn from_row(row: &MySqlRow) -> Result<Option<Self>, sqlx::Error> {
        let Some(id) = row.try_get_unchecked("subscription_id")? else {
            return Ok(None);
        };
        Ok(Some(Self {
            id,
            regcode: row.try_get_unchecked("subscription_regcode")?,
            name: row.try_get_unchecked("subscription_name")?,
            kind: row.try_get_unchecked("subscription_kind")?,
            status: row.try_get_unchecked("subscription_status")?,
            starts_at: row.try_get_unchecked("subscription_starts_at")?,
            expires_at: row.try_get_unchecked("subscription_expires_at")?,
            system_limit: row.try_get_unchecked("subscription_system_limit")?,
            systems_count: row.try_get_unchecked("subscription_systems_count")?,
            virtual_count: row.try_get_unchecked("subscription_virtual_count")?,
            created_at: row.try_get_unchecked("subscription_created_at")?,
            updated_at: row.try_get_unchecked("subscription_updated_at")?,
        }))
    }

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
            let query = format!(
                "SELECT {} FROM subscriptions s WHERE s.regcode = ? ORDER BY s.id LIMIT 1",
                SubscriptionRow::COLUMNS
            );
            let row = sqlx::query(AssertSqlSafe(query))
                .bind(regcode)
                .fetch_optional(self.connection())
                .await?;
            let found = row.as_ref().map(SubscriptionRow::from_row).transpose()?;
            Ok(found.flatten())
        })
        .await
    }
}
