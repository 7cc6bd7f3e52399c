//! `DELETE /connect/systems/products`: a system gives up an addition (contract, "destroy"; RMT:
//! `Api::Connect::V4::Systems::ProductsController#destroy`).

use std::sync::OnceLock;

use crate::activate::{Acted, Wanted};
use crate::actor::{Actor, Changed, Changing};
use crate::catalog::{Label, ProductType, Rendering};
use crate::check::Checked;
use crate::error::{Error, Failure};
use crate::store::{ActivationKey, Interruption, Session};
use crate::work::Work;
use crate::{LogLine, Progress, Registration};

impl Registration {
    /// Removes the activation of the product that was `checked`. One transaction, six statements.
    ///
    /// # Errors
    /// [`Error::Rmt`] for base products, for what other activated products extend and for what is
    /// not activated, and those that any operation has.
    pub async fn destroy(
        &self,
        checked: &Checked,
        actor: &Actor,
        rendering: &Rendering,
        progress: &Progress,
    ) -> Result<Acted, Failure> {
        let declined = || Failure::unwritten(Error::Declined("the product was not found"));
        let label = &checked.product.as_ref().ok_or_else(declined)?.label;
        if label.product_type == ProductType::Base {
            let name = name(label);
            let message = "is a base product and cannot be deactivated";
            return Err(Failure::refused(format!(
                "The product \"{name}\" {message}"
            )));
        }
        // What has no service nobody has activated; what depends on it comes first, though.
        let body = match checked.service_id() {
            Some(_) => Wanted::of(checked, actor, None)?.body(checked, rendering, None)?,
            None => String::new(),
        };
        let removal = Removal {
            label,
            found: OnceLock::new(),
            change: Changing::new(actor, self, progress)?,
        };
        let (changed, removed) = self.carry_out(&removal).await?;
        let mut acted = changed.acted(body, Vec::new(), vec![removed]);
        let name = label.friendly_name();
        acted
            .log
            .push(LogLine::info(format!("Product '{name}' deactivated")));
        Ok(acted)
    }
}

fn name(label: &Label) -> &str {
    label.name.as_deref().unwrap_or_default()
}

struct Removal<'a> {
    label: &'a Label,
    /// What an earlier attempt found, and has removed if it is not there now.
    found: OnceLock<ActivationKey>,
    change: Changing<'a>,
}

impl Removal<'_> {
    fn not_activated(&self) -> Failure {
        let name = name(self.label);
        Failure::refused(format!("{name} is not yet activated on the system."))
    }
}

impl Work for Removal<'_> {
    type Output = (Changed, ActivationKey);

    async fn run(&self, session: &mut Session) -> Result<Self::Output, Interruption> {
        let limit = session.statement_timeout();
        Session::bounded(limit, async {
            let mut changed = self.change.begin(session).await?;
            let system_id = changed.system.id;
            if session.depends_on(system_id, self.label.id).await? {
                let name = name(self.label);
                let message = format!(
                    "Cannot deactivate the product \"{name}\". Other activated products depend \
                     upon it."
                );
                return Err(Failure::refused(message).into());
            }
            let activated = session.activated(system_id).await?;
            let own = activated.iter().find(|it| it.label.id == self.label.id);
            let key = own.map(|it| it.key).or(self.found.get().copied());
            let key = key.ok_or_else(|| self.not_activated())?;
            let key = *self.found.get_or_init(|| key);
            session.remove_activations(&[key]).await?;
            self.change.ask_for_report(session, &mut changed).await?;
            session.commit().await?;
            Ok((changed, key))
        })
        .await
    }
}
