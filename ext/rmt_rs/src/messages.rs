//! What Ruby and Rust tell each other about systems. What Ruby only hands on is an object that it cannot
//! look into; what it looks at are plain arrays and texts.

use std::sync::Arc;

use magnus::prelude::*;
use magnus::{Error as RubyError, RArray, RClass, RModule, Ruby, TypedData, method};
use registration::catalog::{Appearance, BaseUrl, Product, Rendering};
use registration::{
    Acted, Action, ActivationKey, Authenticated, Checked, Credentials, Error, Failure, Found,
    KnownSystem, Level, LogLine, Note, Step, SystemRow, TokenHeader, Updated,
};
use serde::{Deserialize, Serialize};

/// Who sends credentials, as Ruby says it: login, password, whether `System-Token` was sent, the token,
/// the user agent, whether tokens are enabled, whether to leave all alone when several systems have the
/// credentials, whether what is to be noted of the system is left to the action.
pub type Caller = (
    String,
    String,
    bool,
    Option<String>,
    Option<String>,
    bool,
    bool,
    bool,
);

/// What the core makes of it.
pub fn credentials(caller: Caller) -> Credentials {
    let (login, password, token_sent, token, user_agent, tokens_enabled, skip, defer) = caller;
    Credentials {
        login,
        password,
        token: match token_sent {
            true => TokenHeader::Present(token),
            false => TokenHeader::Absent,
        },
        user_agent,
        tokens_enabled,
        skip_on_duplicated: skip,
        defer,
    }
}

/// `RmtRs::Native::System`: a row of `systems`.
#[magnus::wrap(class = "RmtRs::Native::System", free_immediately)]
pub struct SystemObject(pub SystemRow);

impl SystemObject {
    fn id(&self) -> u64 {
        self.0.id
    }

    fn token(&self) -> Option<&str> {
        self.0.system_token.as_deref()
    }

    /// Its columns as JSON.
    fn columns(ruby: &Ruby, this: &Self) -> Result<String, RubyError> {
        crate::written(ruby, &this.0)
    }
}

/// `RmtRs::Native::Note`: what an authentication leaves to the action.
#[magnus::wrap(class = "RmtRs::Native::Note", free_immediately)]
pub struct NoteObject(pub Note);

/// `RmtRs::Native::Look`: how answers about the catalog are to look.
#[magnus::wrap(class = "RmtRs::Native::Look", free_immediately)]
pub struct LookObject(pub Rendering);

/// `RmtRs::Native::Checked`: what a check found out.
#[magnus::wrap(class = "RmtRs::Native::Checked", free_immediately)]
pub struct CheckedObject(pub Arc<Checked>);

impl CheckedObject {
    /// Whether a step, by the name of RMT's callback, succeeded.
    fn passed(&self, step: String) -> bool {
        self.0.passed.iter().any(|passed| name(*passed) == step)
    }

    /// Why a step did not succeed, if that is the one.
    fn failure(&self, step: String) -> Option<String> {
        let failed = self.0.failed.as_ref();
        failed
            .filter(|(failed, _)| name(*failed) == step)
            .map(|(_, failure)| failure.to_string())
    }

    fn product_id(&self) -> Option<u64> {
        self.0.product.as_ref().map(|product| product.label.id)
    }

    /// The product's columns as JSON.
    fn product(ruby: &Ruby, this: &Self) -> Result<Option<String>, RubyError> {
        let product = this.0.product.as_ref();
        product
            .map(|product| crate::written(ruby, &ProductColumns::from(product)))
            .transpose()
    }

    fn subscription_id(&self) -> Option<u64> {
        self.0.subscription.as_ref().map(|it| it.id)
    }

    /// The subscription's columns as JSON.
    fn subscription(ruby: &Ruby, this: &Self) -> Result<Option<String>, RubyError> {
        let subscription = this.0.subscription.as_ref();
        subscription
            .map(|subscription| crate::written(ruby, subscription))
            .transpose()
    }
}

/// Makes the class of `T`'s objects, which only Rust makes, and has magnus find it now.
///
/// With the first object it would do so behind a lock, asking Ruby, which may let another thread have its
/// turn. That one would wait for the lock with Ruby's own in its hands: for ever, and with it the process.
pub fn class_of<T: TypedData>(
    ruby: &Ruby,
    native: RModule,
    name: &str,
) -> Result<RClass, RubyError> {
    native.define_class(name, ruby.class_object())?;
    Ok(T::class(ruby))
}

/// Makes the classes of what Ruby hands on.
pub fn define(ruby: &Ruby, native: RModule) -> Result<(), RubyError> {
    class_of::<NoteObject>(ruby, native, "Note")?;
    class_of::<LookObject>(ruby, native, "Look")?;
    let system = class_of::<SystemObject>(ruby, native, "System")?;
    system.define_method("id", method!(SystemObject::id, 0))?;
    system.define_method("token", method!(SystemObject::token, 0))?;
    system.define_method("columns", method!(SystemObject::columns, 0))?;
    let checked = class_of::<CheckedObject>(ruby, native, "Checked")?;
    checked.define_method("passed?", method!(CheckedObject::passed, 1))?;
    checked.define_method("failure", method!(CheckedObject::failure, 1))?;
    checked.define_method("product_id", method!(CheckedObject::product_id, 0))?;
    checked.define_method("product", method!(CheckedObject::product, 0))?;
    checked.define_method(
        "subscription_id",
        method!(CheckedObject::subscription_id, 0),
    )?;
    checked.define_method("subscription", method!(CheckedObject::subscription, 0))
}

/// The members of `RmtRs::Recognised`.
pub fn recognised(ruby: &Ruby, authenticated: Authenticated) -> Result<RArray, RubyError> {
    let log = lines(ruby, authenticated.log())?;
    let members = ruby.ary_new_capa(5);
    // Absent when several systems have the credentials and the caller wanted to know no more.
    match authenticated.found {
        Found::Skipped => members.push(())?,
        _ => members.push(ruby.obj_wrap(SystemObject(authenticated.system)))?,
    }
    let note = authenticated.note;
    members.push(note.map(|note| ruby.obj_wrap(NoteObject(note))))?;
    members.push(authenticated.token_echo)?;
    members.push(matches!(authenticated.found, Found::Copied { .. }))?;
    members.push(log)?;
    Ok(members)
}

/// The members of `RmtRs::Acted`.
pub fn acted(ruby: &Ruby, acted: Acted) -> Result<RArray, RubyError> {
    let members = ruby.ary_new_capa(5);
    members.push(ruby.obj_wrap(SystemObject(acted.system)))?;
    members.push(keys(ruby, &acted.created)?)?;
    members.push(keys(ruby, &acted.removed)?)?;
    members.push(lines(ruby, acted.log)?)?;
    members.push(acted.body)?;
    Ok(members)
}

/// The members of `RmtRs::Kept`.
pub fn kept(ruby: &Ruby, updated: Updated) -> Result<RArray, RubyError> {
    let members = ruby.ary_new_capa(3);
    members.push(ruby.obj_wrap(SystemObject(updated.system)))?;
    members.push(updated.clear_profile_cache)?;
    members.push(lines(ruby, updated.log)?)?;
    Ok(members)
}

/// Of each activation its id and its service's.
fn keys(ruby: &Ruby, keys: &[ActivationKey]) -> Result<RArray, RubyError> {
    let array = ruby.ary_new_capa(keys.len());
    for key in keys {
        array.push((key.id, key.service_id))?;
    }
    Ok(array)
}

/// Of each line for RMT's log the logger's method and the text.
pub fn lines(ruby: &Ruby, lines: impl IntoIterator<Item = LogLine>) -> Result<RArray, RubyError> {
    let array = ruby.ary_new();
    for line in lines {
        let level = match line.level {
            Level::Info => "info",
            Level::Error => "error",
        };
        array.push((ruby.to_symbol(level), line.text))?;
    }
    Ok(array)
}

/// An action on a product by its name.
pub fn action(name: &str) -> Option<Action> {
    match name {
        "activate" => Some(Action::Activate),
        "show" => Some(Action::Show),
        "upgrade" => Some(Action::Upgrade),
        "destroy" => Some(Action::Destroy),
        _ => None,
    }
}

/// Who asks: somebody with credentials, or a system that others have authenticated, by its id and
/// `proxy_byos_mode`.
pub fn asker(
    caller: Option<Caller>,
    system: Option<(u64, Option<i32>)>,
) -> Option<registration::Caller> {
    match (caller, system) {
        (Some(caller), None) => Some(registration::Caller::Unknown(credentials(caller))),
        (None, Some((id, proxy_byos_mode))) => Some(registration::Caller::Known(KnownSystem {
            id,
            proxy_byos_mode,
        })),
        _ => None,
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

/// How an answer about the catalog is to look.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    base_url: String,
    appearance: Appearance,
}

impl TryFrom<Look> for Rendering {
    type Error = Failure;

    fn try_from(look: Look) -> Result<Self, Failure> {
        let base_url = BaseUrl::parse(&look.base_url)
            .ok_or_else(|| Failure::unwritten(Error::Declined("a strange base URL")))?;
        Ok(Self {
            base_url,
            appearance: look.appearance,
        })
    }
}
