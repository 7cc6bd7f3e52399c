//! `POST /connect/systems/products`: a system may use a product (contract, "activate"; RMT:
//! `Api::Connect::V3::Systems::ProductsController#activate`).

use std::sync::atomic::{AtomicBool, Ordering};

use time::PrimitiveDateTime;

use crate::actor::{Actor, Changed, Changing};
use crate::catalog::Rendering;
use crate::check::{Checked, without_service};
use crate::error::{Error, Failure};
use crate::source::whole_seconds;
use crate::store::{ActivationKey, Interruption, NewActivation, Session, SystemRow, Together};
use crate::work::Work;
use crate::{Progress, Registration, timings};

/// RMT's `byos` among the values of `proxy_byos_mode`: subscriptions of such systems are SCC's
/// business.
const OWN_SUBSCRIPTION: Option<i32> = Some(2);

/// What came of an action on a system's products.
#[derive(derive_more::Debug, Clone)]
pub struct Acted {
    /// As it stands in the database now.
    pub system: SystemRow,
    /// The system's new token, for `System-Token`; `None` when it was not to be rotated.
    #[debug("[secret]")]
    pub system_token: Option<String>,
    /// The answer.
    pub body: String,
    /// Activations that were made.
    pub created: Vec<ActivationKey>,
    /// Activations that were removed.
    pub removed: Vec<ActivationKey>,
    /// What RMT logs about it.
    pub log: Vec<crate::LogLine>,
}

impl Registration {
    /// Activates the product that was `checked` for the system, with the subscription, if any. An
    /// activation that is there already stays, and only gets the subscription. One transaction, four
    /// statements when the activation is new.
    ///
    /// # Errors
    /// [`Error::Gone`] when the system or the service was deleted meanwhile, [`Error::Rmt`] for a
    /// product without a service, and those that any operation has.
    pub async fn activate(
        &self,
        checked: &Checked,
        actor: &Actor,
        subscription_id: Option<u64>,
        rendering: &Rendering,
        progress: &Progress,
    ) -> Result<Acted, Failure> {
        let wanted = Wanted::of(checked, actor, subscription_id)?;
        let body = wanted.body(checked, rendering, None)?;
        let activation = Activation {
            wanted,
            tried: AtomicBool::new(false),
            change: Changing::new(actor, self, progress)?,
        };
        let (changed, created) = self.carry_out(&activation).await?;
        Ok(changed.acted(body, created.into_iter().collect(), Vec::new()))
    }
}

/// The activation that is to be.
pub(crate) struct Wanted {
    pub product_id: u64,
    pub service_id: u64,
    pub subscription_id: Option<u64>,
}

impl Wanted {
    pub fn of(
        checked: &Checked,
        actor: &Actor,
        subscription_id: Option<u64>,
    ) -> Result<Self, Failure> {
        let declined = || Failure::unwritten(Error::Declined("the product was not found"));
        let product = checked.product.as_ref().ok_or_else(declined)?;
        let service_id = product.service_id;
        Ok(Self {
            product_id: product.label.id,
            service_id: service_id.ok_or_else(|| without_service(&product.label))?,
            subscription_id: subscription_id
                .filter(|_| actor.system.proxy_byos_mode != OWN_SUBSCRIPTION),
        })
    }

    /// The service, as the answer shows it.
    pub fn body(
        &self,
        checked: &Checked,
        rendering: &Rendering,
        obsoleted: Option<&str>,
    ) -> Result<String, Failure> {
        let known = checked.known.as_ref();
        let body = timings::rendering(|| known?.service(rendering, obsoleted));
        body.ok_or_else(|| Failure::unwritten(Error::Declined("the product was not found")))
    }

    /// Its row.
    pub fn row(&self, system_id: u64, now: PrimitiveDateTime) -> NewActivation {
        NewActivation {
            system_id,
            service_id: self.service_id,
            subscription_id: self.subscription_id,
            created_at: now,
        }
    }

    /// Makes it, if it is not there; in the transaction of a change.
    pub async fn create(
        session: &mut Session,
        row: NewActivation,
    ) -> Result<Created, Interruption> {
        match session.insert_activation(row).await? {
            Some(key) => Ok(Created {
                key: Some(key),
                saved: true,
            }),
            None => Self::keep(session, row).await,
        }
    }

    /// Leaves one that is there, but for its subscription; in the transaction of a change.
    async fn keep(session: &mut Session, row: NewActivation) -> Result<Created, Interruption> {
        // RMT saves an activation that has a subscription, even if it is the one it had.
        let saved = row.subscription_id.is_some();
        if saved {
            session.link_subscription(row).await?;
        }
        Ok(Created { key: None, saved })
    }
}

/// What [`Wanted::create`] did.
pub(crate) struct Created {
    /// None when it was there.
    pub key: Option<ActivationKey>,
    /// Whether RMT would have saved it.
    pub saved: bool,
}

struct Activation<'a> {
    wanted: Wanted,
    /// There was an attempt, which may have made it: if its answer was lost, the next one finds it.
    tried: AtomicBool,
    change: Changing<'a>,
}

impl Work for Activation<'_> {
    type Output = (Changed, Option<ActivationKey>);

    async fn run(&self, session: &mut Session) -> Result<Self::Output, Interruption> {
        let limit = session.statement_timeout();
        Session::bounded(limit, async {
            let now = whole_seconds(self.change.now);
            let row = self.wanted.row(self.change.system_id(), now);
            let again = self.tried.swap(true, Ordering::Relaxed);
            let (together, mut changed) = self.change.begin_and_activate(session, row).await?;
            let mut created = match together {
                Together::Done(key) => return Ok((changed, Some(key))),
                Together::There => Wanted::keep(session, row).await?,
                Together::Apart => {
                    changed = self.change.begin(session).await?;
                    Wanted::create(session, row).await?
                }
            };
            if again && created.key.is_none() {
                created.key = session.activation_made(row).await?;
            }
            if created.saved || created.key.is_some() {
                self.change.ask_for_report(session, &mut changed).await?;
            }
            session.commit().await?;
            Ok((changed, created.key))
        })
        .await
    }
}
