//! `GET /connect/systems/products`: a product in its tree, for a system that has it (contract,
//! "show"; RMT: `Api::Connect::V3::Systems::ProductsController#show`).

use crate::catalog::{Label, Rendering};
use crate::check::Checked;
use crate::error::{Error, Failure};
use crate::timings;

impl Checked {
    /// The product as the root of its tree, as JSON. The database is not asked: all of it was read
    /// for the check.
    ///
    /// # Errors
    /// [`Error::Rmt`] when the system has not activated the product, and is no SLE Micro that asks
    /// for SLES; [`Error::Declined`] after a check that failed.
    pub fn show(&self, rendering: &Rendering) -> Result<String, Failure> {
        let declined = || Failure::unwritten(Error::Declined("the product was not found"));
        let known = self.known.as_ref().ok_or_else(declined)?;
        let label = &known.product().label;
        if !self.has(label) && !self.is_micro_for(label) {
            let name = label.friendly_name();
            let message =
                format!("The requested product '{name}' is not activated on this system.");
            return Err(Failure::refused(message));
        }
        Ok(timings::rendering(|| known.tree(rendering)))
    }

    fn has(&self, product: &Label) -> bool {
        self.activated().any(|label| label.id == product.id)
    }

    fn is_micro_for(&self, product: &Label) -> bool {
        let identifier = |label: &Label| label.identifier.as_deref().map(str::to_lowercase);
        identifier(product).is_some_and(|it| it == "sles")
            && self
                .activated()
                .any(|it| identifier(it).is_some_and(|it| it.contains("micro")))
            && self.activated().any(|it| it.arch == product.arch)
    }

    fn activated(&self) -> impl Iterator<Item = &Label> {
        self.standing.activated.iter().map(|it| &*it.label)
    }
}
