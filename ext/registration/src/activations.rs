//! `GET /connect/systems/activations`: what a system may use (contract, "Who calls", 7; RMT:
//! `Api::Connect::V3::Systems::ActivationsController#index`).

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::{Activation, Known, Memory, Rendering};
use crate::store::{Interruption, Session};
use crate::work::Work;
use crate::{Failure, Registration, timings};

impl Registration {
    /// All activations of an authenticated system, each with its service and that one's product
    /// tree, as a JSON array. One statement when all of the products are remembered, else two,
    /// however many there are.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused), [`Error::Unavailable`](crate::Error::Unavailable)
    /// and [`Error::Internal`](crate::Error::Internal).
    pub async fn activations(
        &self,
        system_id: u64,
        rendering: &Rendering,
    ) -> Result<String, Failure> {
        let listing = Listing {
            system_id,
            memory: &self.memory,
        };
        let (activations, products) = self.carry_out(&listing).await?;
        Ok(timings::rendering(|| {
            rendering.activations_with(&activations, |id| {
                let known = products.get(&id)?;
                Some((known.product(), known.tree(rendering)))
            })
        }))
    }
}

struct Listing<'a> {
    system_id: u64,
    memory: &'a Memory,
}

impl Work for Listing<'_> {
    /// With their products.
    type Output = (Vec<Activation>, HashMap<u64, Arc<Known>>);

    async fn run(&self, session: &mut Session) -> Result<Self::Output, Interruption> {
        let (activations, version) = session.activations(self.system_id).await?;
        let ids: Vec<u64> = activations.iter().map(|it| it.product_id).collect();
        let mut products = HashMap::new();
        let mut missing = Vec::new();
        for id in &ids {
            match self.memory.product(version, *id) {
                Some(known) => drop(products.insert(*id, known)),
                None => missing.push(*id),
            }
        }
        self.memory.count(products.len(), missing.len());
        if !missing.is_empty() {
            let (mut known, mut later) = session.surroundings(&missing).await?;
            // What is shown together has to be of one version.
            if version != later && !products.is_empty() {
                products.clear();
                (known, later) = session.surroundings(&ids).await?;
            }
            for known in known {
                let known = self.memory.learn(later, known);
                products.insert(known.product().label.id, known);
            }
        }
        Ok((activations, products))
    }
}
