//! `POST /connect/systems/products/synchronize`: a system says which products it has left (contract,
//! "synchronize"; RMT: `Api::Connect::V4::Systems::ProductsController#synchronize`).

use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::activate::Acted;
use crate::actor::{Actor, Changed, Changing};
use crate::catalog::{Label, Rendering, Trees};
use crate::criteria;
use crate::error::{Error, Failure};
use crate::params::{limit, parse};
use crate::store::{Activated, ActivationKey, Criteria, Interruption, Session};
use crate::work::Work;
use crate::{LogLine, Progress, Registration, timings};

/// Clients send what they have installed; so many products more are no client of RMT.
const MOST_PRODUCTS: usize = 500;

impl Registration {
    /// Removes the activations of what is not among `products` in `params`, and lists the rest, as
    /// a JSON array with each product as the root of its tree. One transaction and three reads.
    ///
    /// # Errors
    /// [`Error::BadInput`] when `products` is no array of objects, [`Error::Declined`] when it is
    /// blank or very long, and those that any operation has.
    pub async fn synchronize(
        &self,
        actor: &Actor,
        params: &[u8],
        rendering: &Rendering,
        progress: &Progress,
    ) -> Result<Acted, Failure> {
        let params = parse(params)?;
        let synchronization = Synchronization {
            described: described(params.get("products"))?,
            found: Mutex::default(),
            change: Changing::new(actor, self, progress)?,
        };
        let left = self.carry_out(&synchronization).await?;
        let rendering = Rendering {
            base_url: rendering.base_url.for_synchronize(),
            ..rendering.clone()
        };
        let body = timings::rendering(|| rendering.products(&left.trees, &left.products));
        let id = actor.system.id;
        let log = left.removed.iter().map(|(_, label)| {
            let name = label.friendly_name();
            LogLine::info(format!("Product '{name}' de-activated on system {id}"))
        });
        let log = log.collect();
        let removed = left.removed.iter().map(|(key, _)| *key).collect();
        Ok(Acted {
            log,
            ..left.changed.acted(body, Vec::new(), removed)
        })
    }
}

pub(crate) fn described(products: Option<&Value>) -> Result<Vec<Criteria>, Failure> {
    let declined = |what| Err(Failure::unwritten(Error::Declined(what)));
    let Some(Value::Array(products)) = products else {
        let what = "products must be an array of products".to_owned();
        return Err(Failure::unwritten(Error::BadInput(what)));
    };
    if products.is_empty() {
        return declined("no products");
    }
    limit("too many products", products.len(), MOST_PRODUCTS)?;
    let described = products.iter().map(|product| match product {
        Value::Object(product) => criteria::described(product),
        _ => {
            let what = "products must be an array of products".to_owned();
            Err(Failure::unwritten(Error::BadInput(what)))
        }
    });
    described.collect()
}

struct Synchronization<'a> {
    described: Vec<Criteria>,
    /// What earlier attempts found, and have removed if it is not there now.
    found: Mutex<Vec<(ActivationKey, Label)>>,
    change: Changing<'a>,
}

impl Synchronization<'_> {
    /// With what earlier attempts have.
    fn removed(&self, gone: Vec<Activated>) -> Vec<(ActivationKey, Label)> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        for Activated { key, label } in gone {
            if !found.iter().any(|(known, _)| *known == key) {
                found.push((key, label));
            }
        }
        found.clone()
    }
}

struct Left {
    changed: Changed,
    removed: Vec<(ActivationKey, Label)>,
    products: Vec<u64>,
    trees: Trees,
}

impl Work for Synchronization<'_> {
    type Output = Left;

    async fn run(&self, session: &mut Session) -> Result<Left, Interruption> {
        let limit = session.statement_timeout();
        Session::bounded(limit, async {
            let mut changed = self.change.begin(session).await?;
            let system_id = changed.system.id;
            let activated = session.activated(system_id).await?;
            let stay = session.activated_among(system_id, &self.described).await?;
            let goes = |it: &Activated| !stay.contains(&it.label.id);
            let (gone, left): (Vec<_>, Vec<_>) = activated.into_iter().partition(goes);
            if !gone.is_empty() {
                let keys: Vec<_> = gone.iter().map(|it| it.key).collect();
                session.remove_activations(&keys).await?;
                self.change.ask_for_report(session, &mut changed).await?;
            }
            let products: Vec<_> = left.iter().map(|it| it.label.id).collect();
            let trees = session.trees(&products).await?;
            let removed = self.removed(gone);
            session.commit().await?;
            Ok(Left {
                changed,
                removed,
                products,
                trees,
            })
        })
        .await
    }
}
