//! A database with the catalog of the recorded conversations, and who asks.

use std::path::Path;

use registration::{Actor, Authenticated, Credentials, TokenHeader};
use sqlx::AssertSqlSafe;

use super::server::Server;

pub const SUSECONNECT: &str = "SUSEConnect/1.21.0";

/// What a client of today sends: the header, blank at first.
pub fn client(token: &str) -> Credentials {
    Credentials {
        token: TokenHeader::Present(Some(token.to_owned())),
        ..old_client()
    }
}

/// What a client sends that knows no tokens.
pub fn old_client() -> Credentials {
    Credentials {
        login: "SCC_a".to_owned(),
        password: "p".to_owned(),
        token: TokenHeader::Absent,
        user_agent: Some(SUSECONNECT.to_owned()),
        tokens_enabled: true,
        skip_on_duplicated: false,
        defer: false,
    }
}

pub fn zypper(credentials: Credentials) -> Credentials {
    Credentials {
        user_agent: Some("zYpP 17".to_owned()),
        ..credentials
    }
}

/// Who an operation is carried out for once it is known who asks.
pub fn actor(authenticated: &Authenticated) -> Actor {
    Actor {
        note: authenticated.note.clone(),
        rotate_token: authenticated.knows_tokens(),
        ..Actor::new(authenticated.system.clone())
    }
}

/// A database with a system that was last seen and reported long ago.
pub struct Place<'a> {
    pub server: &'a Server,
    pub name: String,
}

pub const TEXT: &str = r#"{"user_agent":"SUSEConnect/1.21.0"}"#;

impl<'a> Place<'a> {
    pub async fn new(server: &'a Server, name: &str) -> Self {
        let name = server.database(name).await;
        let catalog = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../spec/conformance/catalog.sql"
        );
        let place = Self { server, name };
        place
            .run(&std::fs::read_to_string(Path::new(catalog)).unwrap())
            .await;
        place
    }

    pub async fn run(&self, statements: &str) {
        let mut root = self.server.root(&self.name).await;
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&mut root)
            .await
            .unwrap();
    }

    pub async fn read(&self, query: &str) -> String {
        self.server.read(&self.name, query).await
    }

    /// A query's values, as text.
    pub async fn rows(&self, query: &str) -> Vec<Vec<Option<String>>> {
        self.server.rows(&self.name, query).await
    }

    pub async fn empty(&self) {
        self.run(
            "DELETE FROM activations; DELETE FROM system_profiles; DELETE FROM profiles; \
             DELETE FROM system_uptimes; DELETE FROM deregistered_systems; DELETE FROM systems",
        )
        .await;
    }

    /// Leaves the system 1 alone there, with these columns besides its credentials.
    pub async fn system(&self, columns: &str) {
        self.empty().await;
        self.another(1, columns).await;
    }

    pub async fn another(&self, id: u64, columns: &str) {
        self.run(&format!(
            "INSERT INTO systems SET id = {id}, login = 'SCC_a', password = 'p', hostname = 'h', \
             registered_at = '2026-01-01', last_seen_at = '2026-01-01', created_at = '2026-01-01', \
             updated_at = '2026-01-01', scc_registered_at = '2026-01-01', system_token = '{id}', \
             system_information = '{TEXT}'"
        ))
        .await;
        let columns = if columns.is_empty() {
            "system_token = NULL"
        } else {
            columns
        };
        let token = if columns.contains("system_token") {
            ""
        } else {
            ", system_token = NULL"
        };
        self.run(&format!(
            "UPDATE systems SET {columns}{token} WHERE id = {id}"
        ))
        .await;
    }

    /// Of each system: token, hardware information, and which times are now, old or not there.
    pub async fn systems(&self) -> String {
        let time = |column| {
            format!(
                "CASE {column} WHEN '2026-11-20 12:34:56' THEN 'now' WHEN '2026-01-01' THEN 'old' \
                 ELSE {column} END"
            )
        };
        self.read(&format!(
            "SELECT IFNULL(system_token, '-'), system_information, {}, {}, {}, {} FROM systems ORDER BY id",
            time("last_seen_at"),
            time("updated_at"),
            time("created_at"),
            time("scc_registered_at")
        ))
        .await
    }
}
