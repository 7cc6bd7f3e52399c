//! `GET /repo/repoindex.xml`: all that a system may use as one service, for clients of SMT, the
//! server that RMT took the place of (RMT: `ServicesController#legacy_service`).

use crate::catalog::{Rendering, Repository};
use crate::store::{Interruption, Session};
use crate::work::Work;
use crate::{Failure, Registration, timings};

impl Registration {
    /// The mirrored repositories of all that an authenticated system has activated, as XML. One
    /// statement.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused), [`Error::Unavailable`](crate::Error::Unavailable)
    /// and [`Error::Internal`](crate::Error::Internal).
    pub async fn legacy_service(
        &self,
        system_id: u64,
        rendering: &Rendering,
    ) -> Result<String, Failure> {
        let repositories = self.carry_out(&Listing { system_id }).await?;
        Ok(timings::rendering(|| {
            rendering.legacy_repoindex(&repositories)
        }))
    }
}

struct Listing {
    system_id: u64,
}

impl Work for Listing {
    type Output = Vec<Repository>;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, Interruption> {
        session.mirrored_repositories(self.system_id).await
    }
}
