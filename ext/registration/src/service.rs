//! `GET /services/:id`: where zypper finds a product's repositories (contract, "Rendering", services
//! XML; RMT: `ServicesController#show`).

use std::sync::Arc;

use crate::catalog::{Known, Label, Memory, Rendering, Repository};
use crate::store::{Interruption, Session};
use crate::work::Work;
use crate::{Failure, Registration, timings};

impl Registration {
    /// The service's repositories as XML; nothing when there is no such service. One statement when its
    /// product is remembered, else two or three.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused), [`Error::Unavailable`](crate::Error::Unavailable)
    /// and [`Error::Internal`](crate::Error::Internal).
    pub async fn service(
        &self,
        service_id: u64,
        rendering: &Rendering,
    ) -> Result<Option<String>, Failure> {
        let look = Look {
            service_id,
            memory: &self.memory,
        };
        let found = self.carry_out(&look).await?;
        let render = |found| match found {
            Found::Known(known) => known.repoindex(rendering),
            Found::Read(product, repositories) => rendering.repoindex(&product, &repositories),
        };
        Ok(found.map(|found| timings::rendering(|| render(found))))
    }
}

struct Look<'a> {
    service_id: u64,
    memory: &'a Memory,
}

enum Found {
    /// What is remembered, now at least.
    Known(Arc<Known>),
    /// Without versions nothing else is read than what is shown.
    Read(Label, Vec<Repository>),
}

impl Work for Look<'_> {
    type Output = Option<Found>;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, Interruption> {
        if let Some((then, known)) = self.memory.service(self.service_id)
            && session.catalog_version().await? == Some(then)
        {
            self.memory.count(1, 0);
            return Ok(Some(Found::Known(known)));
        }
        self.memory.count(0, 1);
        let found = session
            .product_of_service_versioned(self.service_id)
            .await?;
        let (Some(product), version) = found else {
            return Ok(None);
        };
        if version.is_some() {
            let (known, version) = session.surroundings(&[product.label.id]).await?;
            let known = known.into_iter().next();
            let known = known.filter(|it| it.product().service_id == Some(self.service_id));
            return Ok(known.map(|known| Found::Known(self.memory.learn(version, known))));
        }
        let repositories = session.repositories(self.service_id).await?;
        Ok(Some(Found::Read(product.label, repositories)))
    }
}
