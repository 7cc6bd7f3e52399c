//! What RMT finds out before an action on a product: who asks, for what, and whether it may be had
//! (contract, "activate"; RMT: the callbacks of `Api::Connect::V3::Systems::ProductsController`).

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};
use time::{OffsetDateTime, Time};

use crate::authenticate::Authentication;
use crate::catalog::{Known, Label, Memory, Product, ProductType, Relatives, Rendering, missing};
use crate::criteria::{described, texts};
use crate::error::{Error, Failure};
use crate::params::{self, blank};
use crate::source::whole_seconds;
use crate::store::{
    ActivatedProduct, Criteria, Interruption, Question, Session, Standing, SubscriptionRow,
    SystemRow, Told,
};
use crate::work::Work;
use crate::{Acted, Actor, Authenticated, Credentials, Progress, Registration};

/// RMT's `not_applicable` among the values of `proxy_byos_mode`: a system outside of public clouds.
const NO_PUBLIC_CLOUD: Option<i32> = Some(0);

/// An action on a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `POST /connect/systems/products`
    Activate,
    /// `GET /connect/systems/products`
    Show,
    /// `PUT /connect/systems/products`
    Upgrade,
    /// `DELETE /connect/systems/products`
    Destroy,
}

/// A step before an action, in RMT's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// RMT's `require_product`.
    Product,
    /// RMT's `check_product_service_and_repositories`.
    Repositories,
    /// RMT's `load_subscription`.
    Subscription,
    /// RMT's `check_base_product_dependencies`.
    Dependencies,
}

/// Who asks.
#[derive(Clone)]
pub enum Caller {
    /// Somebody with these credentials.
    Unknown(Credentials),
    /// A system that others have authenticated.
    Known(KnownSystem),
}

/// What has to be known of an authenticated system.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownSystem {
    /// `systems.id`
    pub id: u64,
    /// `systems.proxy_byos_mode`
    pub proxy_byos_mode: Option<i32>,
}

/// What was found out. All of it holds at the moment of the check.
#[derive(Debug, Default)]
pub struct Checked {
    /// The product that is asked for; `None` when that step failed.
    pub product: Option<Product>,
    /// The subscription that pays for it, if one is to.
    pub subscription: Option<SubscriptionRow>,
    /// The steps that succeeded, in their order.
    pub passed: Vec<Step>,
    /// The step that did not, and RMT's answer to it. None is taken after it.
    pub failed: Option<(Step, Failure)>,
    /// The product with all that belongs to it.
    pub(crate) known: Option<Arc<Known>>,
    pub(crate) standing: Standing,
}

impl Registration {
    /// Authenticates `caller`, if nobody did, and takes the steps before `action`. `params` is a JSON
    /// object with the request's parameters; `identifier`, `version`, `arch`, `token` and `payload`
    /// are looked at. One statement for a product that is remembered, else four, with another one when
    /// something is to be noted of the system and a step failed or the credentials say not to
    /// [defer](Credentials::defer) it.
    ///
    /// # Errors
    /// Those of [`Registration::authenticate`]. What a step finds wrong is no error here.
    pub async fn check(
        &self,
        caller: &Caller,
        action: Action,
        params: &[u8],
        progress: &Progress,
    ) -> Result<(Option<Authenticated>, Checked), Failure> {
        let now = self.clock.now();
        let wish = Wish::among(&params::parse(params)?);
        let recalled = wish.as_ref().ok();
        let recalled = recalled.and_then(|wish| self.memory.recall(&wish.product));
        let proof = match caller {
            Caller::Unknown(credentials) => self.proof(credentials),
            Caller::Known(_) => None,
        };
        let proof = proof.as_ref();
        let check = Check {
            asker: match caller {
                Caller::Unknown(credentials) => {
                    let mut authentication = Authentication::new(credentials, proof, now, progress);
                    if let (Ok(wish), Some((_, known))) = (&wish, &recalled) {
                        authentication.question = wish.question(known, action);
                    }
                    Asker::Unknown(authentication)
                }
                Caller::Known(system) => Asker::Known(*system),
            },
            action,
            wish,
            recalled,
            memory: &self.memory,
            now,
            progress,
        };
        let checked = self.carry_out_proven(&check, proof, progress);
        let (mut authenticated, checked) = checked.await?;
        if let Some(authenticated) = &mut authenticated {
            self.authenticated(authenticated);
        }
        Ok((authenticated, checked))
    }

    /// Carries out the `action` that was checked for; a show is [`Checked::show`]'s. Destroying asks for no
    /// subscription.
    ///
    /// # Errors
    /// Those of [`Registration::activate`], [`Registration::upgrade`] and [`Registration::destroy`];
    /// [`Error::Declined`] for a show.
    pub async fn act(
        &self,
        action: Action,
        checked: &Checked,
        actor: &Actor,
        subscription_id: Option<u64>,
        rendering: &Rendering,
        progress: &Progress,
    ) -> Result<Acted, Failure> {
        match action {
            Action::Activate => {
                self.activate(checked, actor, subscription_id, rendering, progress)
                    .await
            }
            Action::Upgrade => {
                self.upgrade(checked, actor, subscription_id, rendering, progress)
                    .await
            }
            Action::Destroy => self.destroy(checked, actor, rendering, progress).await,
            Action::Show => Err(Failure::unwritten(Error::Declined("show changes nothing"))),
        }
    }
}

struct Check<'a> {
    asker: Asker<'a>,
    action: Action,
    wish: Result<Wish, Failure>,
    /// What the wish meant, and in which version of the catalog.
    recalled: Option<(u64, Arc<Known>)>,
    memory: &'a Memory,
    now: OffsetDateTime,
    progress: &'a Progress,
}

enum Asker<'a> {
    Unknown(Authentication<'a>),
    Known(KnownSystem),
}

/// What a request asks for.
pub(crate) struct Wish {
    pub product: Criteria,
    /// The registration codes to look for; none of those that there are fits a strange one.
    pub regcodes: Option<Vec<String>>,
}

impl Wish {
    pub fn among(params: &Map<String, Value>) -> Result<Self, Failure> {
        params::require(params, &["identifier", "version", "arch"])?;
        let token = params.get("token");
        Ok(Self {
            product: described(params)?,
            regcodes: match blank(token) {
                true => None,
                false => Some(texts(params, "token")?),
            },
        })
    }

    /// The registration codes, for a system for which they count.
    fn regcodes_for(&self, system: KnownSystem) -> Option<&[String]> {
        let regcodes = self.regcodes.as_deref();
        regcodes.filter(|_| system.proxy_byos_mode == NO_PUBLIC_CLOUD)
    }

    /// What is asked of the system together with its credentials, when this is the product.
    fn question(&self, known: &Known, action: Action) -> Option<Question> {
        let pays = matches!(action, Action::Activate | Action::Upgrade);
        (action != Action::Destroy).then(|| Question {
            related: match pays {
                true => known.related_services(),
                false => Vec::new(),
            },
            product_class: known.product().product_class.clone(),
            regcodes: self.regcodes.clone().filter(|_| pays),
        })
    }
}

impl Work for Check<'_> {
    type Output = (Option<Authenticated>, Checked);

    async fn run(&self, session: &mut Session) -> Result<Self::Output, Interruption> {
        let (mut authenticated, system, version) = match &self.asker {
            Asker::Unknown(authentication) => {
                let authenticated = authentication.run(session).await?;
                let SystemRow {
                    id,
                    proxy_byos_mode,
                    ..
                } = authenticated.system;
                let system = KnownSystem {
                    id,
                    proxy_byos_mode,
                };
                let version = authenticated.version;
                (Some(authenticated), system, version)
            }
            Asker::Known(system) => {
                // Who was recalled has to be confirmed.
                let version = match self.recalled {
                    Some(_) => session.catalog_version().await?,
                    None => None,
                };
                (None, *system, version)
            }
        };
        let recalled = self.recalled.as_ref();
        let recalled = recalled.filter(|(then, _)| version == Some(*then));
        let told = authenticated.as_mut().and_then(|it| it.told.take());
        let asked = Asked {
            system,
            known: recalled.map(|(_, known)| Arc::clone(known)),
            standing: recalled
                .zip(told)
                .and_then(|((_, known), told)| self.understood(version, known, system, told)),
        };
        let checked = self.steps(session, asked).await?;
        if let (Some(authenticated), Some(_)) = (&mut authenticated, &checked.failed) {
            // No operation follows that could.
            if let Some(note) = authenticated.note.take() {
                note.write(session, self.progress).await?;
            }
        }
        Ok((authenticated, checked))
    }
}

/// Why no further step is taken.
enum Halt {
    Failed(Step, Failure),
    Interrupted(Interruption),
}

impl From<Interruption> for Halt {
    fn from(interruption: Interruption) -> Self {
        Self::Interrupted(interruption)
    }
}

fn step<T>(step: Step, result: Result<T, Failure>) -> Result<T, Halt> {
    result.map_err(|failure| Halt::Failed(step, failure))
}

impl Check<'_> {
    async fn steps(&self, session: &mut Session, asked: Asked) -> Result<Checked, Interruption> {
        let mut checked = Checked::default();
        match self.walk(session, asked, &mut checked).await {
            Ok(()) => {}
            Err(Halt::Failed(step, failure)) => checked.failed = Some((step, failure)),
            Err(Halt::Interrupted(interruption)) => return Err(interruption),
        }
        Ok(checked)
    }

    async fn walk(
        &self,
        session: &mut Session,
        asked: Asked,
        checked: &mut Checked,
    ) -> Result<(), Halt> {
        let wish = step(Step::Product, self.wish.as_ref().map_err(Clone::clone))?;
        let known = match asked.known {
            Some(known) => {
                self.memory.count(1, 0);
                Some(known)
            }
            None => self.find(session, &wish.product).await?,
        };
        let known = known.ok_or_else(|| Failure::refused("No product found"));
        let known = step(Step::Product, known)?;
        let known: &Arc<Known> = checked.known.insert(known);
        let product = checked
            .product
            .insert(known.product().without_repositories());
        checked.passed.push(Step::Product);

        if matches!(self.action, Action::Activate | Action::Show) {
            step(Step::Repositories, mirrored(known.product()))?;
            checked.passed.push(Step::Repositories);
        }
        if self.action == Action::Destroy {
            return Ok(());
        }
        let system = asked.system;
        let regcodes = wish.regcodes_for(system);
        checked.standing = match asked.standing {
            Some(standing) => standing,
            None => {
                let ((standing, services), version) = session
                    .standing(system.id, product, regcodes.unwrap_or_default())
                    .await?;
                let labels = standing.activated.iter().map(|it| &it.label);
                self.memory
                    .learn_labels(version, services.into_iter().zip(labels));
                standing
            }
        };
        if matches!(self.action, Action::Activate | Action::Upgrade) {
            let subscription = match regcodes {
                Some(_) => checked.standing.sent_subscription(product, self.now),
                None => Ok(checked.standing.carried.clone()),
            };
            checked.subscription = step(Step::Subscription, subscription)?;
            checked.passed.push(Step::Subscription);
        }
        let met = dependencies(&product.label, known.relatives(), &checked.standing);
        step(Step::Dependencies, met)?;
        checked.passed.push(Step::Dependencies);
        Ok(())
    }

    /// The product that `criteria` describe, from the tables; it is remembered if it can be.
    async fn find(
        &self,
        session: &mut Session,
        criteria: &Criteria,
    ) -> Result<Option<Arc<Known>>, Interruption> {
        let (found, version) = session.find_versioned(criteria).await?;
        let Some(found) = found else {
            return Ok(None);
        };
        let id = found.label.id;
        if let Some(known) = self.memory.product(version, id) {
            self.memory.count(1, 0);
            self.memory.learn_criteria(version, criteria, id);
            return Ok(Some(known));
        }
        self.memory.count(0, 1);
        let (surroundings, later) = session.surroundings(&[id]).await?;
        // Otherwise it was deleted in between.
        let known = surroundings.into_iter().next();
        let known = known.map(|known| self.memory.learn(later, known));
        if version == later {
            self.memory.learn_criteria(version, criteria, id);
        }
        Ok(known)
    }

    /// The standing that was `told` together with the credentials; nothing if not all of the
    /// products are known by their services.
    fn understood(
        &self,
        version: Option<u64>,
        known: &Known,
        system: KnownSystem,
        told: Told,
    ) -> Option<Standing> {
        let services: Vec<u64> = told.activated.iter().map(|(service, _)| *service).collect();
        let labels = match services.is_empty() {
            true => Vec::new(),
            false => self.memory.labels(version, &services)?,
        };
        let activated = labels.into_iter().zip(&told.activated);
        let activated = activated.map(|(label, (_, activation_id))| ActivatedProduct {
            activation_id: *activation_id,
            related: known.is_related(label.id),
            label,
        });
        let mut standing = Standing {
            activated: activated.collect(),
            ..Standing::default()
        };
        let wish = self.wish.as_ref().ok()?;
        match wish.regcodes_for(system) {
            Some(_) => {
                standing.subscription = told.subscription;
                standing.included = told.included;
            }
            None => standing.carried = told.subscription,
        }
        Some(standing)
    }
}

/// What is known before the first step.
struct Asked {
    system: KnownSystem,
    /// The product, if it is remembered and nothing has changed since.
    known: Option<Arc<Known>>,
    /// With regard to that.
    standing: Option<Standing>,
}

impl Checked {
    /// The service of the product, where clients find it.
    pub(crate) fn service_id(&self) -> Option<u64> {
        self.product.as_ref().and_then(|product| product.service_id)
    }
}

/// Whether clients would get what they need of `product`.
fn mirrored(product: &Product) -> Result<(), Failure> {
    let name = product.label.friendly_name();
    if product.service_id.is_none() {
        return Err(without_service(&product.label));
    }
    let missing = missing(&product.repositories);
    if missing.is_empty() {
        return Ok(());
    }
    // Those of nobody at SUSE have no id, and RMT prints that.
    let ids = missing
        .iter()
        .map(|id| id.map_or_else(String::new, |id| id.to_string()));
    let ids = ids.collect::<Vec<_>>().join(", ");
    Err(Failure::refused(format!(
        "Not all mandatory repositories are mirrored for product {name}. Missing Repositories (by \
         ids): {ids}. On the RMT server, the missing repositories can be enabled with: rmt-cli repos \
         enable {ids};  rmt-cli mirror"
    )))
}

/// What RMT says of a product without a service.
pub(crate) fn without_service(label: &Label) -> Failure {
    let name = label.friendly_name();
    Failure::refused(format!("No repositories found for product: {name}"))
}

impl Standing {
    /// The subscription with the code that was sent, if `product` may be had with it.
    fn sent_subscription(
        &self,
        product: &Product,
        now: OffsetDateTime,
    ) -> Result<Option<SubscriptionRow>, Failure> {
        let Some(subscription) = &self.subscription else {
            return Err(Failure::refused(
                "No subscription found with this registration code",
            ));
        };
        let today = whole_seconds(now).replace_time(Time::MIDNIGHT);
        if subscription.expires_at.is_some_and(|end| end < today) {
            let message = "The subscription with the provided Registration Code is expired";
            return Err(Failure::refused(message));
        }
        if product.free != Some(true) && !self.included {
            let name = product.label.friendly_name();
            return Err(Failure::refused(format!(
                "The subscription with the provided Registration Code does not include the \
                 requested product '{name}'"
            )));
        }
        Ok(Some(subscription.clone()))
    }

    fn has_one_of(&self, products: &[Label]) -> bool {
        (self.activated.iter()).any(|it| products.iter().any(|label| label.id == it.label.id))
    }
}

/// Whether the system has what `product` is added to, and that on its own base.
fn dependencies(
    product: &Label,
    relatives: &Relatives,
    standing: &Standing,
) -> Result<(), Failure> {
    let Relatives { bases, roots } = relatives;
    let extension = |label: &Label| label.product_type == ProductType::Extension;
    // Extensions of extensions may come first: clients roll back in that order.
    if product.product_type == ProductType::Base
        || (extension(product) && bases.iter().any(extension))
    {
        return Ok(());
    }
    let names = |labels: &[Label]| {
        let names: Vec<_> = labels.iter().map(Label::friendly_name).collect();
        names.join(", ")
    };
    let name = product.friendly_name();
    if !standing.has_one_of(bases) {
        return Err(Failure::refused(format!(
            "The product you are attempting to activate ({name}) requires one of these products to \
             be activated first: {}",
            names(bases)
        )));
    }
    if !standing.has_one_of(roots) {
        let base = |label: &&Label| label.product_type == ProductType::Base;
        let base = standing.activated.iter().map(|it| &*it.label).find(base);
        // RMT crashes on systems that have none.
        let base = base.map_or_else(|| "none".to_owned(), Label::friendly_name);
        return Err(Failure::refused(format!(
            "The product you are attempting to activate ({name}) is not available on your system's \
             base product ({base}). {name} is available on {}.",
            names(roots)
        )));
    }
    Ok(())
}
