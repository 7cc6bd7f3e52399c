//! Where the database is and how to behave there.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// Connection settings, as Rails' database configuration has them once it is resolved the way the
/// mysql2 client does (that resolution is Ruby's: `RmtRs::Database`).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// Host name or address; not used when there is a [`socket`](Self::socket).
    #[serde(default = "localhost")]
    pub host: String,
    /// TCP port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Path of the server's Unix socket.
    pub socket: Option<PathBuf>,
    /// Who to log in as.
    pub username: String,
    /// With which password; none when absent.
    pub password: Option<Secret>,
    /// The schema with RMT's tables.
    pub database: String,
    /// Connections a process opens at most.
    #[serde(default = "default_pool")]
    pub pool: usize,
    /// Character set of the session (`SET NAMES`).
    #[serde(default = "default_encoding")]
    pub encoding: String,
    /// Collation of the session; the server's default for the character set when absent.
    pub collation: Option<String>,
    /// What Rails puts after `SET` when it opens a session, without the character set: the session
    /// is to be the same in both languages.
    #[serde(default)]
    pub session: String,
    /// Encryption.
    #[serde(default)]
    pub tls: Tls,
    /// Milliseconds to wait for a connection to open.
    #[serde(default = "default_connect_timeout")]
    pub connect_timeout_ms: u64,
    /// Milliseconds to wait for a connection of the pool to be free.
    #[serde(default = "default_pool_timeout")]
    pub pool_timeout_ms: u64,
    /// Milliseconds after which the statements of an attempt are given up, with their connection.
    #[serde(default = "default_statement_timeout")]
    pub statement_timeout_ms: u64,
}

impl DatabaseConfig {
    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    pub(crate) fn pool_timeout(&self) -> Duration {
        Duration::from_millis(self.pool_timeout_ms)
    }

    pub(crate) fn statement_timeout(&self) -> Duration {
        Duration::from_millis(self.statement_timeout_ms)
    }
}

fn localhost() -> String {
    "localhost".to_owned()
}

fn default_port() -> u16 {
    3306
}

fn default_pool() -> usize {
    5
}

fn default_encoding() -> String {
    "utf8".to_owned()
}

fn default_connect_timeout() -> u64 {
    2_000
}

fn default_pool_timeout() -> u64 {
    2_000
}

fn default_statement_timeout() -> u64 {
    4_000
}

/// Text that is never printed.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Encryption of TCP connections.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Whether, and what is checked.
    #[serde(default)]
    pub mode: TlsMode,
    /// File with the certificates to trust, PEM; the system's when absent.
    pub ca: Option<PathBuf>,
    /// File with the client's certificate, PEM.
    pub cert: Option<PathBuf>,
    /// File with the client's key, PEM.
    pub key: Option<PathBuf>,
}

/// mysql2's `ssl_mode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// Never encrypted.
    Disabled,
    /// Encrypted when the server can; the default, as of the younger client libraries.
    #[default]
    Preferred,
    /// Encrypted or not at all; nothing is checked.
    Required,
    /// The server's certificate must be signed by a trusted one.
    VerifyCa,
    /// And it must be for the host connected to.
    VerifyIdentity,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let config: DatabaseConfig =
            serde_json::from_str(r#"{"username":"rmt","password":"hunter2","database":"rmt"}"#)
                .unwrap();
        assert_eq!(config.password.as_ref().unwrap().reveal(), "hunter2");
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let result = serde_json::from_str::<DatabaseConfig>(
            r#"{"username":"rmt","database":"rmt","sokcet":"/x"}"#,
        );
        assert!(result.unwrap_err().to_string().contains("sokcet"));
    }
}
