//! `PUT /connect/systems/products`: a product takes the place of another version of it (contract,
//! "upgrade"; RMT: `Api::Connect::V3::Systems::ProductsController#upgrade`).

use std::sync::OnceLock;

use crate::activate::{Acted, Wanted};
use crate::actor::{Actor, Changed, Changing};
use crate::catalog::Rendering;
use crate::check::Checked;
use crate::error::Failure;
use crate::source::whole_seconds;
use crate::store::{ActivationKey, Interruption, Session};
use crate::work::Work;
use crate::{Progress, Registration};

impl Registration {
    /// Activates the product that was `checked` in the place of itself, its predecessors and its
    /// successors. One transaction, six statements.
    ///
    /// # Errors
    /// As [`Registration::activate`].
    pub async fn upgrade(
        &self,
        checked: &Checked,
        actor: &Actor,
        subscription_id: Option<u64>,
        rendering: &Rendering,
        progress: &Progress,
    ) -> Result<Acted, Failure> {
        let wanted = Wanted::of(checked, actor, subscription_id)?;
        let replaced = checked.standing.activated.iter().filter(|it| it.related);
        let replaced: Vec<_> = replaced.map(|it| &it.label).collect();
        // Of several, RMT finds the one with the lowest product first.
        let obsoleted = replaced.iter().min_by_key(|label| label.id);
        let obsoleted = obsoleted.map(|label| label.service_name());
        let body = wanted.body(checked, rendering, obsoleted.as_deref())?;
        let upgrade = Upgrade {
            replaced: replaced.iter().map(|label| label.id).collect(),
            wanted,
            found: OnceLock::new(),
            change: Changing::new(actor, self, progress)?,
        };
        let (changed, created, removed) = self.carry_out(&upgrade).await?;
        Ok(changed.acted(body, created.into_iter().collect(), removed))
    }
}

struct Upgrade<'a> {
    /// Products, the new one perhaps among them.
    replaced: Vec<u64>,
    wanted: Wanted,
    /// What an earlier attempt found, and has removed if its answer was lost. Then the next one finds what that
    /// has made, and makes it anew.
    found: OnceLock<Vec<ActivationKey>>,
    change: Changing<'a>,
}

impl Work for Upgrade<'_> {
    type Output = (Changed, Option<ActivationKey>, Vec<ActivationKey>);

    async fn run(&self, session: &mut Session) -> Result<Self::Output, Interruption> {
        let limit = session.statement_timeout();
        Session::bounded(limit, async {
            let mut changed = self.change.begin(session).await?;
            let system_id = changed.system.id;
            let activated = session.activated(system_id).await?;
            let goes = |id| self.replaced.contains(&id) || id == self.wanted.product_id;
            let removed: Vec<_> = (activated.into_iter())
                .filter(|it| goes(it.label.id))
                .map(|it| it.key)
                .collect();
            session.remove_activations(&removed).await?;
            let removed = self.found.get_or_init(|| removed).clone();
            let now = whole_seconds(self.change.now);
            let created = Wanted::create(session, self.wanted.row(system_id, now)).await?;
            self.change.ask_for_report(session, &mut changed).await?;
            session.commit().await?;
            Ok((changed, created.key, removed))
        })
        .await
    }
}
