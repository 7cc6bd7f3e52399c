//! `GET /connect/systems/activations`: what a system may use (contract, "Who calls", 7; RMT:
//! `Api::Connect::V3::Systems::ActivationsController#index`).

use crate::catalog::{Activation, Rendering, Trees};
use crate::store::{Interruption, Session};
use crate::work::Work;
use crate::{Failure, Registration};

impl Registration {
    /// All activations of an authenticated system, each with its service and that one's product
    /// tree, as a JSON array. Two statements however many there are.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused), [`Error::Unavailable`](crate::Error::Unavailable)
    /// and [`Error::Internal`](crate::Error::Internal).
    pub async fn activations(
        &self,
        system_id: u64,
        rendering: &Rendering,
    ) -> Result<String, Failure> {
        let (activations, trees) = self.carry_out(&Listing { system_id }).await?;
        Ok(rendering.activations(&trees, &activations))
    }
}

struct Listing {
    system_id: u64,
}

impl Work for Listing {
    type Output = (Vec<Activation>, Trees);

    async fn run(&self, session: &mut Session) -> Result<Self::Output, Interruption> {
        session.activations(self.system_id).await
    }

    async fn look(&self, _: &mut Session) -> Result<Option<Self::Output>, Interruption> {
        Ok(None)
    }
}
