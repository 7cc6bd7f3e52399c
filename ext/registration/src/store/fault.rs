//! What a database error means.

use std::io::ErrorKind;

use sqlx::mysql::MySqlDatabaseError;

/// Classes of database errors, by what is to be done about them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The server rolled the transaction back, or waited too long for a lock: do it again.
    Rollback,
    /// A value does not fit or cannot be stored; the text is for the client.
    Value(String),
    /// The statement is longer than the server reads; it has hung up.
    TooLong,
    /// This connection (or this server) does not take writes.
    ReadOnly,
    /// The catalog's versions were there when the connection was opened, and are no more.
    NoVersions,
    /// The server answered that it cannot: full, shutting down, out of memory …
    Server,
    /// A row that is referred to is gone, or a unique value is taken: somebody else was faster.
    Race,
    /// The connection is lost; what was sent on it may have been carried out.
    Lost,
    /// The server answered something else than a result or an error that is known here; what was sent
    /// was carried out.
    Misread,
    /// The statement does not fit the schema, or the rights do not suffice.
    Schema,
}

/// Sorts `error` by its number (contract and MariaDB's error list).
pub(crate) fn classify(error: &sqlx::Error) -> Fault {
    let database = match error {
        sqlx::Error::Database(database) => database.try_downcast_ref::<MySqlDatabaseError>(),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => return Fault::Lost,
        // A row or a value that is not what the statement's author expected.
        _ => return Fault::Misread,
    };
    let Some(database) = database else {
        return Fault::Misread;
    };
    match database.number() {
        // 1467: the deadlock was about the lock of the table's ids.
        1020 | 1205 | 1213 | 1467 | 3572 => Fault::Rollback,
        1264 | 1267 | 1292 | 1300 | 1366 | 1406 | 3140 | 3141 | 3988 | 4025 => {
            Fault::Value(complaint(database.number(), database.message()))
        }
        1153 => Fault::TooLong,
        1290 | 1792 | 1836 | 1047 => Fault::ReadOnly,
        1062 | 1451 | 1452 => Fault::Race,
        1146 if database.message().contains("rmt_rs_catalog_versions") => Fault::NoVersions,
        1044 | 1045 | 1048 | 1049 | 1054 | 1142 | 1143 | 1146 | 1364 => Fault::Schema,
        // The server is ending, has ended this connection or is about to; or the commit failed, at
        // whatever point.
        1053 | 1152 | 1158..=1161 | 1180 | 1184 | 1927 | 4031 => Fault::Lost,
        // Numbers of the client's library, which no server has: a proxy has lost its own connection.
        2000..=2999 => Fault::Lost,
        _ => Fault::Server,
    }
}

/// Whether a connection could not be opened for a reason that is ours alone: the server wants no more connections, or
/// not from us, or our settings lead nowhere. Those that Ruby has may still be good. `reached`: they have led to the
/// server before.
///
/// Everything else (full, ending, away) Ruby would meet as well, perhaps between two of its transactions.
pub(crate) fn denies_us(error: &sqlx::Error, reached: bool) -> bool {
    match error {
        sqlx::Error::Database(database) => database
            .try_downcast_ref::<MySqlDatabaseError>()
            .is_some_and(|it| {
                matches!(
                    it.number(),
                    // Too many connections, of all or from us; our host.
                    1040 | 1203 | 1226 | 1129 | 1130
                        // Our account, its password and rights, how it logs in, our database.
                        | 1044 | 1045 | 1049 | 1142 | 1143 | 1251 | 1524 | 1698 | 1820 | 1862 | 3118
                        | 3159 | 4151
                )
            }),
        sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => true,
        // How rustls says that it does not accept a certificate.
        sqlx::Error::Io(io) if io.kind() == ErrorKind::InvalidData => true,
        _ => !reached,
    }
}

/// `error` for a log. The values in a message of the server can be secret (a duplicate key is
/// printed whole, and systems have login and password in one), so only messages that are known to
/// hold none are printed.
pub(crate) fn describe(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        None => error.to_string(),
        Some(database) => {
            let number = database.downcast_ref::<MySqlDatabaseError>().number();
            match classify(error) {
                Fault::ReadOnly | Fault::NoVersions | Fault::Schema | Fault::Rollback => {
                    format!("database error {number}: {}", database.message())
                }
                _ => format!("database error {number}"),
            }
        }
    }
}

/// What to tell the client of a value that cannot be stored. The message of the server names the
/// column, if any: `Data too long for column 'hostname' at row 1`, `Incorrect string value: '…' for
/// column `rmt`.`systems`.`hostname` at row 1`, `CONSTRAINT `systems.system_information` failed …`.
fn complaint(number: u16, message: &str) -> String {
    let name = match columns().find(|(column, _)| message.contains(column)) {
        Some((_, name)) => name,
        None => "A parameter",
    };
    let trouble = match number {
        1406 => "is too long",
        4025 | 3140 | 3141 => "cannot be stored as JSON",
        _ => "contains characters that cannot be stored",
    };
    format!("{name} {trouble}")
}

/// Columns that hold what clients send or are told, and what it is called there.
fn columns() -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        ("hostname", "hostname"),
        ("system_information", "hwinfo"),
        ("profile_type", "The type of a profile"),
        ("identifier", "The identifier of a profile"),
        ("data", "The data of a profile"),
        ("system_token", "System-Token"),
        ("password", "The hash of a password"),
    ]
    .into_iter()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn who_has_reached_the_server_blames_it_and_not_the_settings() {
        let io = |kind: ErrorKind| sqlx::Error::Io(io::Error::from(kind));
        for kind in [
            ErrorKind::ConnectionRefused,
            ErrorKind::NotFound,
            ErrorKind::ConnectionReset,
            ErrorKind::UnexpectedEof,
            ErrorKind::BrokenPipe,
        ] {
            assert!(denies_us(&io(kind), false), "{kind}");
            assert!(!denies_us(&io(kind), true), "{kind}");
        }
        for settings in [
            io(ErrorKind::InvalidData),
            sqlx::Error::Tls("no certificate".into()),
            sqlx::Error::Configuration("no such collation".into()),
        ] {
            assert!(denies_us(&settings, true), "{settings}");
        }
    }

    #[test]
    fn complaints_name_what_the_client_sent() {
        for (number, message, expected) in [
            (
                1406,
                "Data too long for column 'hostname' at row 1",
                "hostname is too long",
            ),
            (
                4025,
                "CONSTRAINT `systems.system_information` failed for `rmt`.`systems`",
                "hwinfo cannot be stored as JSON",
            ),
            (
                1366,
                "Incorrect string value: '\\xF0' for column `rmt`.`systems`.`hostname` at row 1",
                "hostname contains characters that cannot be stored",
            ),
            (
                1300,
                "Invalid utf8mb3 character string: '\\xF0\\x9F'",
                "A parameter contains characters that cannot be stored",
            ),
        ] {
            assert_eq!(complaint(number, message), expected);
        }
    }
}
