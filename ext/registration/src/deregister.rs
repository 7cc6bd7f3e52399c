//! `DELETE /connect/systems`: a system leaves (contract, "deregister"; RMT:
//! `Api::Connect::V3::Systems::SystemsController#deregister`).

use time::OffsetDateTime;

use crate::error::Failure;
use crate::store::{Interruption, Session, SystemRow};
use crate::work::Work;
use crate::{Progress, Registration};

impl Registration {
    /// Deletes an authenticated `system`, with its activations, uptimes, profile links and the
    /// profiles no other system has; its SCC id goes to `deregistered_systems`. One transaction. A
    /// system that is gone already has left. The answer (204) has no body.
    ///
    /// # Errors
    /// [`Error::Abandoned`](crate::Error::Abandoned), [`Error::Refused`](crate::Error::Refused),
    /// [`Error::Unavailable`](crate::Error::Unavailable) and
    /// [`Error::Internal`](crate::Error::Internal).
    pub async fn deregister(&self, system: &SystemRow, progress: &Progress) -> Result<(), Failure> {
        let removal = Removal {
            id: system.id,
            now: self.clock.now(),
            progress,
        };
        self.carry_out(&removal).await
    }
}

struct Removal<'a> {
    id: u64,
    now: OffsetDateTime,
    progress: &'a Progress,
}

impl Work for Removal<'_> {
    type Output = ();

    async fn run(&self, session: &mut Session) -> Result<(), Interruption> {
        session
            .delete_system(self.id, self.now, self.progress)
            .await
    }
}
