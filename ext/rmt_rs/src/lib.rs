//! The Ruby binding: `RmtRs::Native`. The only place that knows both Ruby and the core.
#![deny(unsafe_code)]

mod errors;
mod gvl;
mod messages;
mod rack;
mod runtime;
mod slot;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use magnus::value::ReprValue;
use magnus::{Class, Error, Module, RArray, Ruby, function};
use registration::catalog::Rendering;
use registration::{
    Acted, Action, Actor, Checked, Credentials, Error as CoreError, Failure, Note, SystemRow,
    Written,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::messages::{Authorised, Caller, Findings, Kept, Look, Outcome, Question, Recognised};

/// `RmtRs::Native.announce(parameters)`: the request's parameters as JSON; an array with what
/// `RmtRs::Announced` has for members.
fn announce(ruby: &Ruby, parameters: String) -> Result<RArray, Error> {
    guarded(ruby, || {
        let announced = runtime::run(ruby, |registration, progress| async move {
            registration
                .announce(parameters.as_bytes(), &progress)
                .await
        })?;
        let members = ruby.ary_new_capa(8);
        members.push(announced.id)?;
        members.push(announced.login.as_str())?;
        members.push(announced.password.as_str())?;
        members.push(announced.hostname.as_deref())?;
        members.push(announced.system_information.as_str())?;
        members.push(announced.announced_at.unix_timestamp())?;
        members.push(announced.clear_profile_cache)?;
        members.push(announced.body())?;
        Ok(members)
    })
}

/// `RmtRs::Native.authenticate(caller)`: JSON for JSON, see [`messages`].
fn authenticate(ruby: &Ruby, caller: String) -> Result<String, Error> {
    guarded(ruby, || {
        let credentials: Credentials = parsed::<Caller>(ruby, &caller)?.into();
        let authenticated = runtime::run(ruby, |registration, progress| async move {
            registration.authenticate(&credentials, &progress).await
        })?;
        written(ruby, &Recognised::from(authenticated))
    })
}

/// `RmtRs::Native.update(keepalive, parameters)`: JSON for JSON, see [`messages`].
fn update(ruby: &Ruby, authorised: String, parameters: String) -> Result<String, Error> {
    guarded(ruby, || {
        let actor: Actor = parsed::<Authorised>(ruby, &authorised)?.into();
        let updated = runtime::run(ruby, |registration, progress| async move {
            let parameters = parameters.as_bytes();
            registration.update(&actor, parameters, &progress).await
        })?;
        written(ruby, &Kept::from(updated))
    })
}

/// `RmtRs::Native.note(note)`: writes what an authentication left to an action that did not happen.
fn note(ruby: &Ruby, note: String) -> Result<(), Error> {
    guarded(ruby, || {
        let note: Note = parsed(ruby, &note)?;
        runtime::run(ruby, |registration, progress| async move {
            registration.note(&note, &progress).await
        })
    })
}

/// What a check found out, `RmtRs::Native::Checked`: Ruby hands it on to the action.
#[magnus::wrap(class = "RmtRs::Native::Checked", free_immediately)]
struct CheckedObject(Arc<Checked>);

/// `RmtRs::Native.check(question, parameters)`: an array of what was found out for the action that
/// follows, and for Ruby, as JSON; see [`messages`].
fn check(ruby: &Ruby, question: String, parameters: String) -> Result<RArray, Error> {
    guarded(ruby, || {
        let question: Question = parsed(ruby, &question)?;
        let (caller, action) = question.parts().ok_or_else(|| misunderstood(ruby))?;
        let (authenticated, checked) = runtime::run(ruby, |registration, progress| async move {
            let parameters = parameters.as_bytes();
            registration
                .check(&caller, action, parameters, &progress)
                .await
        })?;
        let findings = written(ruby, &Findings::new(authenticated, &checked))?;
        Ok(ruby.ary_new_from_values(&[
            ruby.obj_wrap(CheckedObject(Arc::new(checked))).as_value(),
            ruby.str_new(&findings).as_value(),
        ]))
    })
}

/// `RmtRs::Native.show(checked, look)`: the answer's body.
fn show(ruby: &Ruby, checked: &CheckedObject, look: String) -> Result<String, Error> {
    guarded(ruby, || {
        let rendering = rendering(ruby, &look)?;
        let body = checked.0.show(&rendering);
        body.map_err(|failure| errors::exception(ruby, &failure))
    })
}

/// `RmtRs::Native.activate(checked, authorised, look)`: an array of what others are to know, as
/// JSON, and the answer's body.
fn activate(
    ruby: &Ruby,
    checked: &CheckedObject,
    authorised: String,
    look: String,
) -> Result<RArray, Error> {
    act_on(ruby, Action::Activate, checked, &authorised, &look)
}

/// `RmtRs::Native.upgrade(checked, authorised, look)`: as [`activate`].
fn upgrade(
    ruby: &Ruby,
    checked: &CheckedObject,
    authorised: String,
    look: String,
) -> Result<RArray, Error> {
    act_on(ruby, Action::Upgrade, checked, &authorised, &look)
}

/// `RmtRs::Native.destroy(checked, authorised, look)`: as [`activate`].
fn destroy(
    ruby: &Ruby,
    checked: &CheckedObject,
    authorised: String,
    look: String,
) -> Result<RArray, Error> {
    act_on(ruby, Action::Destroy, checked, &authorised, &look)
}

fn act_on(
    ruby: &Ruby,
    action: Action,
    checked: &CheckedObject,
    authorised: &str,
    look: &str,
) -> Result<RArray, Error> {
    let checked = Arc::clone(&checked.0);
    act(ruby, authorised, look, |it| {
        runtime::run(ruby, move |registration, progress| async move {
            let Act {
                actor,
                subscription_id,
                rendering: look,
            } = it;
            match action {
                Action::Activate => {
                    registration
                        .activate(&checked, &actor, subscription_id, &look, &progress)
                        .await
                }
                Action::Upgrade => {
                    registration
                        .upgrade(&checked, &actor, subscription_id, &look, &progress)
                        .await
                }
                Action::Destroy => {
                    registration
                        .destroy(&checked, &actor, &look, &progress)
                        .await
                }
                Action::Show => Err(Failure::unwritten(CoreError::Declined(
                    "show changes nothing",
                ))),
            }
        })
    })
}

/// `RmtRs::Native.synchronize(authorised, parameters, look)`: as [`activate`].
fn synchronize(
    ruby: &Ruby,
    authorised: String,
    parameters: String,
    look: String,
) -> Result<RArray, Error> {
    act(ruby, &authorised, &look, |it| {
        runtime::run(ruby, |registration, progress| async move {
            let parameters = parameters.as_bytes();
            registration
                .synchronize(&it.actor, parameters, &it.rendering, &progress)
                .await
        })
    })
}

/// What an action on a system's products needs besides its own parameters.
struct Act {
    actor: Actor,
    subscription_id: Option<u64>,
    rendering: Rendering,
}

fn act(
    ruby: &Ruby,
    authorised: &str,
    look: &str,
    action: impl FnOnce(Act) -> Result<Acted, Error>,
) -> Result<RArray, Error> {
    guarded(ruby, || {
        let authorised: Authorised = parsed(ruby, authorised)?;
        let (outcome, body) = Outcome::of(action(Act {
            subscription_id: authorised.subscription_id,
            actor: authorised.into(),
            rendering: rendering(ruby, look)?,
        })?);
        let outcome = written(ruby, &outcome)?;
        Ok(ruby.ary_new_from_values(&[ruby.str_new(&outcome), ruby.str_new(&body)]))
    })
}

/// `RmtRs::Native.deregister(system)`: the system's columns as JSON.
fn deregister(ruby: &Ruby, system: String) -> Result<(), Error> {
    guarded(ruby, || {
        let system: SystemRow = parsed(ruby, &system)?;
        runtime::run(ruby, |registration, progress| async move {
            registration.deregister(&system, &progress).await
        })
    })
}

/// `RmtRs::Native.activations(system_id, look)`: the answer's body.
fn activations(ruby: &Ruby, system_id: u64, look: String) -> Result<String, Error> {
    guarded(ruby, || {
        let rendering = rendering(ruby, &look)?;
        runtime::run(ruby, |registration, _| async move {
            registration.activations(system_id, &rendering).await
        })
    })
}

/// `RmtRs::Native.service(service_id, look)`: the answer's body, nil when there is no such service.
fn service(ruby: &Ruby, service_id: u64, look: String) -> Result<Option<String>, Error> {
    guarded(ruby, || {
        let rendering = rendering(ruby, &look)?;
        runtime::run(ruby, |registration, _| async move {
            registration.service(service_id, &rendering).await
        })
    })
}

/// `RmtRs::Native.legacy_service(system_id, look)`: the answer's body.
fn legacy_service(ruby: &Ruby, system_id: u64, look: String) -> Result<String, Error> {
    guarded(ruby, || {
        let rendering = rendering(ruby, &look)?;
        runtime::run(ruby, |registration, _| async move {
            registration.legacy_service(system_id, &rendering).await
        })
    })
}

/// `RmtRs::Native.installer(parameters, look)`: the answer's body.
fn installer(ruby: &Ruby, parameters: String, look: String) -> Result<String, Error> {
    guarded(ruby, || {
        let rendering = rendering(ruby, &look)?;
        runtime::run(ruby, |registration, _| async move {
            let parameters = parameters.as_bytes();
            registration.installer(parameters, &rendering).await
        })
    })
}

/// `RmtRs::Native.subscription(regcode)`: its columns as JSON.
fn subscription(ruby: &Ruby, regcode: String) -> Result<String, Error> {
    guarded(ruby, || {
        let subscription = runtime::run(ruby, |registration, _| async move {
            registration.subscription(&regcode).await
        })?;
        written(ruby, &subscription)
    })
}

/// `RmtRs::Native.subscription_products(subscription_id, parameters, look)`: the answer's body.
fn subscription_products(
    ruby: &Ruby,
    subscription_id: u64,
    parameters: String,
    look: String,
) -> Result<String, Error> {
    guarded(ruby, || {
        let rendering = rendering(ruby, &look)?;
        runtime::run(ruby, |registration, _| async move {
            let parameters = parameters.as_bytes();
            registration
                .subscription_products(subscription_id, parameters, &rendering)
                .await
        })
    })
}

/// `RmtRs::Native.health`: the answer's body. Needs neither the runtime nor the database.
fn health() -> &'static str {
    registration::health()
}

fn rendering(ruby: &Ruby, look: &str) -> Result<Rendering, Error> {
    parsed::<Look>(ruby, look)?
        .try_into()
        .map_err(|failure| errors::exception(ruby, &failure))
}

/// What Ruby says. That it cannot be understood is found out before anything is done.
fn parsed<T: DeserializeOwned>(ruby: &Ruby, json: &str) -> Result<T, Error> {
    serde_json::from_str(json).map_err(|_| misunderstood(ruby))
}

fn misunderstood(ruby: &Ruby) -> Error {
    errors::internal(ruby, "a message that is not understood", Written::No)
}

fn written<T: Serialize>(ruby: &Ruby, message: &T) -> Result<String, Error> {
    serde_json::to_string(message)
        .map_err(|e| errors::internal(ruby, &e.to_string(), Written::Perhaps))
}

/// `RmtRs::Native.configure(configuration)`: JSON, see `RmtRs::Configuration#to_native`.
fn configure(ruby: &Ruby, configuration: String) -> Result<(), Error> {
    guarded(ruby, || runtime::configure(ruby, configuration.as_bytes()))
}

/// `RmtRs::Native.reach`: opens a connection if none is open, within the configured time.
fn reach(ruby: &Ruby) -> Result<(), Error> {
    guarded(ruby, || {
        runtime::run(ruby, |registration, _| async move {
            registration.store().session().await.map(drop)
        })
    })
}

/// `RmtRs::Native.shut_down`: closes this process's database connections.
fn shut_down(ruby: &Ruby) -> Result<(), Error> {
    guarded(ruby, || {
        runtime::shut_down(ruby);
        Ok(())
    })
}

/// Makes a panic an `RmtRs::InternalError`: magnus would make it a `fatal`, which no `rescue` sees.
fn guarded<T>(ruby: &Ruby, body: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        Err(errors::internal(
            ruby,
            "panic in the binding",
            Written::Perhaps,
        ))
    })
}

/// Panics for the tests of how panics are met.
#[cfg(feature = "faults")]
#[allow(clippy::panic)]
mod faults {
    use super::{Error, Ruby, guarded, runtime};

    pub fn panic_in_call(ruby: &Ruby) -> Result<(), Error> {
        guarded(ruby, || panic!("in the call"))
    }

    pub fn panic_in_task(ruby: &Ruby) -> Result<(), Error> {
        guarded(ruby, || {
            runtime::run(ruby, |_, _| async { panic!("in the task") })
        })
    }
}

#[magnus::init]
fn init(ruby: &Ruby) -> Result<(), Error> {
    gvl::count_forks().map_err(|e| {
        Error::new(
            ruby.exception_load_error(),
            format!("pthread_atfork: error {e}"),
        )
    })?;
    let native = ruby.define_module("RmtRs")?.define_module("Native")?;
    native.define_module_function("configure", function!(configure, 1))?;
    native.define_module_function("announce", function!(announce, 1))?;
    native.define_module_function("authenticate", function!(authenticate, 1))?;
    native.define_module_function("update", function!(update, 2))?;
    native.define_module_function("deregister", function!(deregister, 1))?;
    native.define_module_function("activations", function!(activations, 2))?;
    native.define_module_function("service", function!(service, 2))?;
    native.define_module_function("note", function!(note, 1))?;
    native.define_module_function("check", function!(check, 2))?;
    native.define_module_function("show", function!(show, 2))?;
    native.define_module_function("activate", function!(activate, 3))?;
    native.define_module_function("upgrade", function!(upgrade, 3))?;
    native.define_module_function("destroy", function!(destroy, 3))?;
    native.define_module_function("synchronize", function!(synchronize, 3))?;
    let checked = native.define_class("Checked", ruby.class_object())?;
    // Only a check makes one.
    checked.undef_default_alloc_func();
    native.define_module_function("legacy_service", function!(legacy_service, 2))?;
    native.define_module_function("installer", function!(installer, 2))?;
    native.define_module_function("subscription", function!(subscription, 1))?;
    native.define_module_function("subscription_products", function!(subscription_products, 3))?;
    native.define_module_function("health", function!(health, 0))?;
    rack::define(ruby, &native)?;
    native.const_set("VERSION", env!("CARGO_PKG_VERSION"))?;
    native.define_module_function("reach", function!(reach, 0))?;
    native.define_module_function("shut_down", function!(shut_down, 0))?;
    #[cfg(feature = "faults")]
    {
        native.define_module_function("panic_in_call", function!(faults::panic_in_call, 0))?;
        native.define_module_function("panic_in_task", function!(faults::panic_in_task, 0))?;
    }
    Ok(())
}
