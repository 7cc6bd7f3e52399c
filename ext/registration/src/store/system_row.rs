//! A row of `systems`, and what an operation changes of it.

use serde::{Deserialize, Deserializer, Serialize};
use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder, Row};
use time::PrimitiveDateTime;

use super::session::{Interruption, Session};

time::serde::format_description!(
    pub(super) column_time,
    PrimitiveDateTime,
    "[year]-[month]-[day] [hour]:[minute]:[second]"
);

/// All columns of a system, as they are in the database. Times are UTC; as JSON they are written the
/// way the database writes them.
#[derive(derive_more::Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemRow {
    /// Primary key.
    pub id: u64,
    /// Compared by the database without case.
    pub login: String,
    /// As `login`, or a hash.
    #[debug("[secret]")]
    pub password: String,
    /// As the client named itself.
    pub hostname: Option<String>,
    /// When it was announced.
    #[serde(with = "column_time::option")]
    pub registered_at: Option<PrimitiveDateTime>,
    /// When it last authenticated, within three minutes for clients without a token.
    #[serde(with = "column_time::option")]
    pub last_seen_at: Option<PrimitiveDateTime>,
    /// When the row was made; a copy has its own.
    #[serde(with = "column_time")]
    pub created_at: PrimitiveDateTime,
    /// When a column other than `scc_registered_at` last changed.
    #[serde(with = "column_time")]
    pub updated_at: PrimitiveDateTime,
    /// When it was last reported to SCC; NULL makes `rmt-cli systems scc-sync` report it.
    #[serde(with = "column_time::option")]
    pub scc_registered_at: Option<PrimitiveDateTime>,
    /// Its id at SCC.
    pub scc_system_id: Option<i64>,
    /// Tells systems with the same credentials from each other.
    #[debug("[secret]")]
    pub system_token: Option<String>,
    /// JSON, if everybody has kept to it.
    pub system_information: Option<String>,
    /// Of public-cloud instances.
    #[debug("[secret]")]
    pub instance_data: Option<String>,
    /// RMT's enum: 0 not applicable, 1 PAYG, 2 BYOS, 3 hybrid.
    pub proxy_byos_mode: Option<i32>,
    /// Of public-cloud instances.
    #[debug("[secret]")]
    pub pubcloud_reg_code: Option<String>,
}

impl SystemRow {
    pub(super) const COLUMNS: &'static str = "systems.id, systems.login, systems.password, \
         systems.hostname, systems.registered_at, systems.last_seen_at, systems.created_at, \
         systems.updated_at, systems.scc_registered_at, systems.scc_system_id, \
         systems.system_token, systems.system_information, systems.instance_data, \
         systems.proxy_byos_mode, systems.pubcloud_reg_code";

    pub(super) fn from_row(row: &MySqlRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get_unchecked("id")?,
            login: row.try_get_unchecked("login")?,
            password: row.try_get_unchecked("password")?,
            hostname: row.try_get_unchecked("hostname")?,
            registered_at: row.try_get_unchecked("registered_at")?,
            last_seen_at: row.try_get_unchecked("last_seen_at")?,
            created_at: row.try_get_unchecked("created_at")?,
            updated_at: row.try_get_unchecked("updated_at")?,
            scc_registered_at: row.try_get_unchecked("scc_registered_at")?,
            scc_system_id: row.try_get_unchecked("scc_system_id")?,
            system_token: row.try_get_unchecked("system_token")?,
            system_information: row.try_get_unchecked("system_information")?,
            instance_data: row.try_get_unchecked("instance_data")?,
            proxy_byos_mode: row.try_get_unchecked("proxy_byos_mode")?,
            pubcloud_reg_code: row.try_get_unchecked("pubcloud_reg_code")?,
        })
    }
}

/// What is to become different in a row; `None` leaves a column alone.
#[derive(derive_more::Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SystemChanges {
    /// Inside is the column's value, which may be NULL.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub hostname: Option<Option<String>>,
    pub system_information: Option<String>,
    #[debug("[secret]")]
    pub system_token: Option<String>,
    /// For rows that never had one: RMT sets it whenever it reads such a row, and saves it with the
    /// rest (`after_initialize` in `System`).
    #[serde(with = "column_time::option")]
    pub registered_at: Option<PrimitiveDateTime>,
    #[serde(with = "column_time::option")]
    pub last_seen_at: Option<PrimitiveDateTime>,
    #[serde(with = "column_time::option")]
    pub updated_at: Option<PrimitiveDateTime>,
    /// Asks for a report to SCC. RMT does so whenever it saves a system, even if nothing changed,
    /// and leaves `updated_at` then (`before_update` in `System`).
    pub reset_scc: bool,
}

impl SystemChanges {
    /// Whether a column other than `scc_registered_at` changes.
    pub fn any_value(&self) -> bool {
        self.hostname.is_some()
            || self.system_information.is_some()
            || self.system_token.is_some()
            || self.registered_at.is_some()
            || self.last_seen_at.is_some()
    }

    /// Completes the changes of a save at the time `now` with the times that go with it: what RMT
    /// saves it also registers, if it never was, and dates, if a value changes.
    pub fn stamp(&mut self, row: &SystemRow, now: PrimitiveDateTime) {
        if self.reset_scc && row.registered_at.is_none() {
            self.registered_at = Some(now);
        }
        self.updated_at = Some(now).filter(|_| self.any_value());
    }

    /// Whether there is anything to write.
    pub fn needed_by(&self, row: &SystemRow) -> bool {
        self.any_value() || (self.reset_scc && row.scc_registered_at.is_some())
    }

    /// These changes and, where they say nothing, the `earlier` ones.
    pub fn after(self, earlier: &Self) -> Self {
        let earlier = earlier.clone();
        Self {
            hostname: self.hostname.or(earlier.hostname),
            system_information: self.system_information.or(earlier.system_information),
            system_token: self.system_token.or(earlier.system_token),
            registered_at: self.registered_at.or(earlier.registered_at),
            last_seen_at: self.last_seen_at.or(earlier.last_seen_at),
            updated_at: self.updated_at.or(earlier.updated_at),
            reset_scc: self.reset_scc || earlier.reset_scc,
        }
    }

    /// As the assignments of an UPDATE, where nothing is in them that somebody else has chosen: times, and tokens
    /// that were made here. `None` where a text is among them.
    pub(super) fn as_literals(&self) -> Option<String> {
        if self.hostname.is_some() || self.system_information.is_some() {
            return None;
        }
        let plain = |token: &&String| {
            token
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'-')
        };
        let mut assignments = Vec::with_capacity(5);
        if let Some(token) = &self.system_token {
            let token = Some(token).filter(plain)?;
            assignments.push(format!("system_token = '{token}'"));
        }
        for (column, time) in [
            ("registered_at", self.registered_at),
            ("last_seen_at", self.last_seen_at),
            ("updated_at", self.updated_at),
        ] {
            assignments.extend(time.map(|time| format!("{column} = {}", time_literal(time))));
        }
        if self.reset_scc {
            assignments.push("scc_registered_at = NULL".to_owned());
        }
        Some(assignments.join(", ")).filter(|it| !it.is_empty())
    }

    /// Makes `row` what it is in the database once the changes are written.
    pub fn apply(&self, row: &mut SystemRow) {
        if let Some(hostname) = &self.hostname {
            row.hostname.clone_from(hostname);
        }
        if let Some(text) = &self.system_information {
            row.system_information = Some(text.clone());
        }
        if let Some(token) = &self.system_token {
            row.system_token = Some(token.clone());
        }
        row.registered_at = self.registered_at.or(row.registered_at);
        row.last_seen_at = self.last_seen_at.or(row.last_seen_at);
        row.updated_at = self.updated_at.unwrap_or(row.updated_at);
        if self.reset_scc {
            row.scc_registered_at = None;
        }
    }
}

/// In whole seconds.
pub(super) fn time_literal(time: PrimitiveDateTime) -> String {
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.as_hms();
    let month = u8::from(month);
    format!("'{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}'")
}

/// A value that is there, though it may be null.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Deserialize::deserialize(value).map(Some)
}

impl Session {
    /// Writes `changes`, which must not be empty, to the system with this `id`, and no other
    /// column: who reads a whole row and writes it back undoes what others did meanwhile. False
    /// when the system is gone.
    ///
    /// To be called after [`Session::begin_write`].
    pub(crate) async fn change_system(
        &mut self,
        id: u64,
        changes: &SystemChanges,
    ) -> Result<bool, Interruption> {
        let text = changes.system_information.as_deref();
        let hostname = changes.hostname.as_ref().and_then(Option::as_deref);
        self.check_length(text.map_or(0, str::len) + hostname.map_or(0, str::len))?;
        let mut query = QueryBuilder::<MySql>::new("UPDATE systems SET ");
        let mut columns = query.separated(", ");
        if let Some(hostname) = &changes.hostname {
            columns.push("hostname = ").push_bind_unseparated(hostname);
        }
        if let Some(text) = text {
            columns
                .push("system_information = ")
                .push_bind_unseparated(text);
        }
        if let Some(token) = &changes.system_token {
            columns.push("system_token = ").push_bind_unseparated(token);
        }
        if let Some(time) = changes.registered_at {
            columns.push("registered_at = ").push_bind_unseparated(time);
        }
        if let Some(time) = changes.last_seen_at {
            columns.push("last_seen_at = ").push_bind_unseparated(time);
        }
        if let Some(time) = changes.updated_at {
            columns.push("updated_at = ").push_bind_unseparated(time);
        }
        if changes.reset_scc {
            columns.push("scc_registered_at = NULL");
        }
        query.push(" WHERE id = ").push_bind(id);
        // Rows found, not rows changed: that is how the connection was opened.
        let result = query.build().execute(self.connection()).await?;
        Ok(result.rows_affected() > 0)
    }

    /// [`Session::change_system`] if there are `changes`, else [`Session::lock_system`]: either way
    /// nobody else can change or delete the system until the transaction ends.
    pub(crate) async fn change_or_lock(
        &mut self,
        id: u64,
        changes: Option<&SystemChanges>,
    ) -> Result<bool, Interruption> {
        match changes {
            Some(changes) => self.change_system(id, changes).await,
            None => self.lock_system(id).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn only_what_was_made_here_is_written_as_a_literal() {
        let time = Some(datetime!(2026-01-02 03:04:05));
        let changes = SystemChanges {
            system_token: Some("0a-b".to_owned()),
            last_seen_at: time,
            updated_at: time,
            reset_scc: true,
            ..SystemChanges::default()
        };
        let expected = "system_token = '0a-b', last_seen_at = '2026-01-02 03:04:05', \
                        updated_at = '2026-01-02 03:04:05', scc_registered_at = NULL";
        assert_eq!(changes.as_literals().as_deref(), Some(expected));
        assert_eq!(SystemChanges::default().as_literals(), None);
        for text in ["', id = '1", "\\", "é", "a b"] {
            let token = SystemChanges {
                system_token: Some(text.to_owned()),
                ..changes.clone()
            };
            assert_eq!(token.as_literals(), None, "{text}");
        }
        let information = SystemChanges {
            system_information: Some("{}".to_owned()),
            ..changes.clone()
        };
        assert_eq!(information.as_literals(), None);
        let hostname = SystemChanges {
            hostname: Some(None),
            ..changes
        };
        assert_eq!(hostname.as_literals(), None);
    }
}
