//! What an operator may want to know of the connections.

use crate::store::{Interruption, Session};
use crate::work::Work;
use crate::{Failure, Registration};

impl Registration {
    /// The variables of a session as operations have it, with their values: to be held against those of
    /// Rails' own.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused), [`Error::Unavailable`](crate::Error::Unavailable)
    /// and [`Error::Internal`](crate::Error::Internal).
    pub async fn session_variables(&self) -> Result<Vec<(String, String)>, Failure> {
        self.carry_out(&Variables).await
    }
}

struct Variables;

impl Work for Variables {
    type Output = Vec<(String, String)>;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, Interruption> {
        session.variables().await
    }
}
