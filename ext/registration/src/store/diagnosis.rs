//! What the server says of a session.

use sqlx::Row;

use super::session::{Interruption, Session};

impl Session {
    /// All variables of this session, by their names.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn variables(&mut self) -> Result<Vec<(String, String)>, Interruption> {
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            let rows = sqlx::query("SHOW SESSION VARIABLES")
                .fetch_all(self.connection())
                .await?;
            let pairs = rows
                .iter()
                .map(|row| Ok((row.try_get_unchecked(0)?, row.try_get_unchecked(1)?)));
            Ok(pairs.collect::<Result<_, sqlx::Error>>()?)
        })
        .await
    }
}
