//! `GET /services/:id`: where zypper finds a product's repositories (contract, "Rendering", services
//! XML; RMT: `ServicesController#show`).

use crate::catalog::{Product, Rendering, Repository};
use crate::store::{Interruption, Session};
use crate::work::Work;
use crate::{Failure, Registration};

impl Registration {
    /// The service's repositories as XML; nothing when there is no such service. Two statements.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused), [`Error::Unavailable`](crate::Error::Unavailable)
    /// and [`Error::Internal`](crate::Error::Internal).
    pub async fn service(
        &self,
        service_id: u64,
        rendering: &Rendering,
    ) -> Result<Option<String>, Failure> {
        let found = self.carry_out(&Look { service_id }).await?;
        Ok(found.map(|(product, repositories)| rendering.repoindex(&product.label, &repositories)))
    }
}

struct Look {
    service_id: u64,
}

impl Work for Look {
    type Output = Option<(Product, Vec<Repository>)>;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, Interruption> {
        let Some(product) = session.product_of_service(self.service_id).await? else {
            return Ok(None);
        };
        let repositories = session.repositories(self.service_id).await?;
        Ok(Some((product, repositories)))
    }

    async fn look(&self, _: &mut Session) -> Result<Option<Self::Output>, Interruption> {
        Ok(None)
    }
}
