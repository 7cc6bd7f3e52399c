//! What Ruby and Rust tell each other about systems, as JSON.

use registration::catalog::{BaseUrl, Product, Rendering};
use registration::{
    Acted, Action, ActivationKey, Actor, Authenticated, Checked, Credentials, Error, Failure,
    Found, KnownSystem, Level, LogLine, Note, Step, SubscriptionRow, SystemRow, TokenHeader,
    Updated,
};
use serde::{Deserialize, Serialize};

/// What `RmtRs::Native.authenticate` is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    login: String,
    password: String,
    /// Whether `System-Token` was sent.
    token_sent: bool,
    token: Option<String>,
    user_agent: Option<String>,
    tokens_enabled: bool,
    skip_on_duplicated: bool,
    /// Whether what is to be noted of the system is left to the action.
    defer: bool,
}

impl From<Caller> for Credentials {
    fn from(caller: Caller) -> Self {
        Self {
            login: caller.login,
            password: caller.password,
            token: match caller.token_sent {
                true => TokenHeader::Present(caller.token),
                false => TokenHeader::Absent,
            },
            user_agent: caller.user_agent,
            tokens_enabled: caller.tokens_enabled,
            skip_on_duplicated: caller.skip_on_duplicated,
            defer: caller.defer,
        }
    }
}

/// What it answers.
#[derive(Serialize)]
pub struct Recognised {
    /// Absent when several systems have the credentials and the caller wanted to know no more.
    system: Option<SystemRow>,
    token_echo: Option<String>,
    copied: bool,
    /// To be handed to the action, or to `RmtRs::Native.note`.
    note: Option<Note>,
    log: Vec<Line>,
}

impl From<Authenticated> for Recognised {
    fn from(authenticated: Authenticated) -> Self {
        let log = authenticated
            .log_line()
            .into_iter()
            .map(Line::from)
            .collect();
        Self {
            copied: matches!(authenticated.found, Found::Copied { .. }),
            log,
            token_echo: authenticated.token_echo,
            note: authenticated.note,
            system: Some(authenticated.system).filter(|_| authenticated.found != Found::Skipped),
        }
    }
}

/// What `RmtRs::Native.check` is given besides the request's parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    action: String,
    /// Absent when others have authenticated the system.
    caller: Option<Caller>,
    system: Option<KnownSystem>,
}

impl Question {
    /// Who asks, for what; nothing if that cannot be told.
    pub fn parts(self) -> Option<(registration::Caller, Action)> {
        let action = match self.action.as_str() {
            "activate" => Action::Activate,
            "show" => Action::Show,
            "upgrade" => Action::Upgrade,
            "destroy" => Action::Destroy,
            _ => return None,
        };
        let caller = match (self.caller, self.system) {
            (Some(caller), None) => registration::Caller::Unknown(caller.into()),
            (None, Some(system)) => registration::Caller::Known(system),
            _ => return None,
        };
        Some((caller, action))
    }
}

/// What it answers, besides the [`Checked`] itself.
#[derive(Serialize)]
pub struct Findings<'a> {
    /// Absent when the system was known.
    recognised: Option<Recognised>,
    product: Option<ProductColumns<'a>>,
    subscription: Option<&'a SubscriptionRow>,
    /// Names of RMT's callbacks.
    passed: Vec<&'static str>,
    failed: Option<FailedStep>,
}

#[derive(Serialize)]
struct FailedStep {
    step: &'static str,
    message: String,
}

impl<'a> Findings<'a> {
    /// Of a check, and of the authentication before it if there was one.
    pub fn new(authenticated: Option<Authenticated>, checked: &'a Checked) -> Self {
        let failed = checked.failed.as_ref().map(|(step, failure)| FailedStep {
            step: name(*step),
            message: failure.to_string(),
        });
        Self {
            recognised: authenticated.map(Recognised::from),
            product: checked.product.as_ref().map(ProductColumns::from),
            subscription: checked.subscription.as_ref(),
            passed: checked.passed.iter().map(|step| name(*step)).collect(),
            failed,
        }
    }
}

fn name(step: Step) -> &'static str {
    match step {
        Step::Product => "require_product",
        Step::Repositories => "check_product_service_and_repositories",
        Step::Subscription => "load_subscription",
        Step::Dependencies => "check_base_product_dependencies",
    }
}

/// A row of `products`.
#[derive(Serialize)]
struct ProductColumns<'a> {
    id: u64,
    name: &'a Option<String>,
    description: &'a Option<String>,
    shortname: &'a Option<String>,
    former_identifier: &'a Option<String>,
    product_type: Option<&'static str>,
    product_class: &'a Option<String>,
    release_type: &'a Option<String>,
    release_stage: &'a Option<String>,
    identifier: &'a Option<String>,
    version: &'a Option<String>,
    arch: &'a Option<String>,
    eula_url: &'a Option<String>,
    free: Option<bool>,
    cpe: &'a Option<String>,
    friendly_version: &'a Option<String>,
}

impl<'a> From<&'a Product> for ProductColumns<'a> {
    fn from(product: &'a Product) -> Self {
        let label = &product.label;
        Self {
            id: label.id,
            name: &label.name,
            description: &product.description,
            shortname: &product.shortname,
            former_identifier: &product.former_identifier,
            product_type: label.product_type.stored(),
            product_class: &product.product_class,
            release_type: &label.release_type,
            release_stage: &product.release_stage,
            identifier: &label.identifier,
            version: &label.version,
            arch: &label.arch,
            eula_url: &product.eula_url,
            free: product.free,
            cpe: &product.cpe,
            friendly_version: &label.friendly_version,
        }
    }
}

/// Who an operation is carried out for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorised {
    /// The system as its request was authenticated.
    system: SystemRow,
    /// What its authentication left to be written.
    note: Option<Note>,
    /// Whether its token is to be rotated.
    rotate_token: bool,
    /// What pays for its activation, if that is known.
    #[serde(default)]
    pub subscription_id: Option<u64>,
}

impl From<Authorised> for Actor {
    fn from(authorised: Authorised) -> Self {
        Self {
            system: authorised.system,
            note: authorised.note,
            rotate_token: authorised.rotate_token,
        }
    }
}

/// What an action on a system's products answers besides the body.
#[derive(Serialize)]
pub struct Outcome {
    system: SystemRow,
    created: Vec<ActivationKey>,
    removed: Vec<ActivationKey>,
    log: Vec<Line>,
}

impl Outcome {
    /// What others are to know of `acted`, and the answer's body.
    pub fn of(acted: Acted) -> (Self, String) {
        let outcome = Self {
            system: acted.system,
            created: acted.created,
            removed: acted.removed,
            log: acted.log.into_iter().map(Line::from).collect(),
        };
        (outcome, acted.body)
    }
}

/// What it answers.
#[derive(Serialize)]
pub struct Kept {
    system: SystemRow,
    clear_profile_cache: bool,
    log: Vec<Line>,
}

impl From<Updated> for Kept {
    fn from(updated: Updated) -> Self {
        Self {
            system: updated.system,
            clear_profile_cache: updated.clear_profile_cache,
            log: updated.log.into_iter().map(Line::from).collect(),
        }
    }
}

/// How an answer about the catalog is to look.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    base_url: String,
    free_as_stored: bool,
    plugin_urls: bool,
    credentials_in_repoindex: bool,
    redirect_hosts: Vec<String>,
}

impl TryFrom<Look> for Rendering {
    type Error = Failure;

    fn try_from(look: Look) -> Result<Self, Failure> {
        let base_url = BaseUrl::parse(&look.base_url)
            .ok_or_else(|| Failure::unwritten(Error::Declined("a strange base URL")))?;
        Ok(Self {
            free_as_stored: look.free_as_stored,
            plugin_urls: look.plugin_urls,
            credentials_in_repoindex: look.credentials_in_repoindex,
            redirect_hosts: look.redirect_hosts,
            ..Self::new(base_url)
        })
    }
}

/// A line for RMT's log.
#[derive(Serialize)]
pub struct Line {
    level: &'static str,
    text: String,
}

impl Line {
    /// What Ruby's Logger calls it.
    pub fn level_of(line: &LogLine) -> &'static str {
        match line.level {
            Level::Info => "info",
            Level::Error => "error",
        }
    }
}

impl From<LogLine> for Line {
    fn from(line: LogLine) -> Self {
        Self {
            level: Self::level_of(&line),
            text: line.text,
        }
    }
}
