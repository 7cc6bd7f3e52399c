//! The Ruby binding: `RmtRs::Native`. The only place that knows both Ruby and the core.
#![deny(unsafe_code)]

mod errors;
mod gvl;
mod listener;
mod measures;
mod messages;
mod panics;
mod rack;
mod runtime;
mod slot;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use magnus::typed_data::Obj;
use magnus::{Error, Module, RArray, Ruby, function};
use registration::{Actor, Census, Converted, Written, measured_now};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::messages::{Caller, CheckedObject, Look, LookObject, NoteObject, SystemObject};

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

/// `RmtRs::Native.authenticate(caller)`: an array with what `RmtRs::Recognised` has for members.
fn authenticate(ruby: &Ruby, caller: Caller) -> Result<RArray, Error> {
    guarded(ruby, || {
        let credentials = messages::credentials(caller);
        let authenticated = runtime::run(ruby, |registration, progress| async move {
            registration.authenticate(&credentials, &progress).await
        })?;
        messages::recognised(ruby, authenticated)
    })
}

/// `RmtRs::Native.system(columns)`: a `System` with these columns, as JSON.
fn system(ruby: &Ruby, columns: String) -> Result<SystemObject, Error> {
    guarded(ruby, || Ok(SystemObject(parsed(ruby, &columns)?)))
}

/// `RmtRs::Native.update(authorised, parameters)`: an array with what `RmtRs::Kept` has for
/// members.
fn update(ruby: &Ruby, authorised: Authorised, parameters: String) -> Result<RArray, Error> {
    guarded(ruby, || {
        let actor = actor(authorised);
        let updated = runtime::run(ruby, |registration, progress| async move {
            let parameters = parameters.as_bytes();
            registration.update(&actor, parameters, &progress).await
        })?;
        messages::kept(ruby, updated)
    })
}

/// Who an operation is carried out for, as Ruby says it: the system, what its authentication left to be
/// written, and whether its token is to be rotated.
type Authorised = (Obj<SystemObject>, Option<Obj<NoteObject>>, bool);

fn actor((system, note, rotate_token): Authorised) -> Actor {
    Actor {
        system: system.0.clone(),
        note: note.map(|note| note.0.clone()),
        rotate_token,
    }
}

/// `RmtRs::Native.note(note)`: writes what an authentication left to an action that did not happen.
fn note(ruby: &Ruby, note: &NoteObject) -> Result<(), Error> {
    guarded(ruby, || {
        let note = note.0.clone();
        runtime::run(ruby, |registration, progress| async move {
            registration.note(&note, &progress).await
        })
    })
}

/// `RmtRs::Native.check(action, caller, system, parameters)`: an array of what was found out for the action
/// that follows, and, if there is a caller, of what [`authenticate`] answers.
fn check(
    ruby: &Ruby,
    action: String,
    caller: Option<Caller>,
    system: Option<(u64, Option<i32>)>,
    parameters: String,
) -> Result<RArray, Error> {
    guarded(ruby, || {
        let action = messages::action(&action).ok_or_else(|| misunderstood(ruby))?;
        let asker = messages::asker(caller, system).ok_or_else(|| misunderstood(ruby))?;
        let (authenticated, checked) = runtime::run(ruby, |registration, progress| async move {
            let parameters = parameters.as_bytes();
            registration
                .check(&asker, action, parameters, &progress)
                .await
        })?;
        let recognised = authenticated.map(|it| messages::recognised(ruby, it));
        let found = ruby.ary_new_capa(2);
        found.push(ruby.obj_wrap(CheckedObject(Arc::new(checked))))?;
        found.push(recognised.transpose()?)?;
        Ok(found)
    })
}

/// `RmtRs::Native.look(look)`: JSON, see [`messages`].
fn look(ruby: &Ruby, look: String) -> Result<LookObject, Error> {
    guarded(ruby, || {
        let rendering = parsed::<Look>(ruby, &look)?.try_into();
        let rendering = rendering.map_err(|failure| errors::exception(ruby, &failure))?;
        Ok(LookObject(rendering))
    })
}

/// `RmtRs::Native.show(checked, look)`: the answer's body.
fn show(ruby: &Ruby, checked: &CheckedObject, look: &LookObject) -> Result<String, Error> {
    guarded(ruby, || {
        let (body, timings) = measured_now(|| checked.0.show(&look.0));
        measures::add(timings);
        body.map_err(|failure| errors::exception(ruby, &failure))
    })
}

/// `RmtRs::Native.act(action, checked, authorised, subscription_id, look)`: activates, upgrades or
/// destroys; an array with what `RmtRs::Acted` has for members.
fn act(
    ruby: &Ruby,
    action: String,
    checked: &CheckedObject,
    authorised: Authorised,
    subscription_id: Option<u64>,
    look: &LookObject,
) -> Result<RArray, Error> {
    guarded(ruby, || {
        let action = messages::action(&action).ok_or_else(|| misunderstood(ruby))?;
        let actor = actor(authorised);
        let checked = Arc::clone(&checked.0);
        let look = look.0.clone();
        let acted = runtime::run(ruby, move |registration, progress| async move {
            registration
                .act(action, &checked, &actor, subscription_id, &look, &progress)
                .await
        })?;
        messages::acted(ruby, acted)
    })
}

/// `RmtRs::Native.synchronize(authorised, parameters, look)`: as [`act`].
fn synchronize(
    ruby: &Ruby,
    authorised: Authorised,
    parameters: String,
    look: &LookObject,
) -> Result<RArray, Error> {
    guarded(ruby, || {
        let actor = actor(authorised);
        let look = look.0.clone();
        let acted = runtime::run(ruby, |registration, progress| async move {
            let parameters = parameters.as_bytes();
            registration
                .synchronize(&actor, parameters, &look, &progress)
                .await
        })?;
        messages::acted(ruby, acted)
    })
}

/// `RmtRs::Native.deregister(system)`.
fn deregister(ruby: &Ruby, system: &SystemObject) -> Result<(), Error> {
    guarded(ruby, || {
        let system = system.0.clone();
        runtime::run(ruby, |registration, progress| async move {
            registration.deregister(&system, &progress).await
        })
    })
}

/// `RmtRs::Native.activations(system_id, look)`: the answer's body.
fn activations(ruby: &Ruby, system_id: u64, look: &LookObject) -> Result<String, Error> {
    guarded(ruby, || {
        let rendering = look.0.clone();
        runtime::run(ruby, |registration, _| async move {
            registration.activations(system_id, &rendering).await
        })
    })
}

/// `RmtRs::Native.service(service_id, look)`: the answer's body, nil when there is no such service.
fn service(ruby: &Ruby, service_id: u64, look: &LookObject) -> Result<Option<String>, Error> {
    guarded(ruby, || {
        let rendering = look.0.clone();
        runtime::run(ruby, |registration, _| async move {
            registration.service(service_id, &rendering).await
        })
    })
}

/// `RmtRs::Native.legacy_service(system_id, look)`: the answer's body.
fn legacy_service(ruby: &Ruby, system_id: u64, look: &LookObject) -> Result<String, Error> {
    guarded(ruby, || {
        let rendering = look.0.clone();
        runtime::run(ruby, |registration, _| async move {
            registration.legacy_service(system_id, &rendering).await
        })
    })
}

/// `RmtRs::Native.installer(parameters, look)`: the answer's body.
fn installer(ruby: &Ruby, parameters: String, look: &LookObject) -> Result<String, Error> {
    guarded(ruby, || {
        let rendering = look.0.clone();
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
    look: &LookObject,
) -> Result<String, Error> {
    guarded(ruby, || {
        let rendering = look.0.clone();
        runtime::run(ruby, |registration, _| async move {
            let parameters = parameters.as_bytes();
            registration
                .subscription_products(subscription_id, parameters, &rendering)
                .await
        })
    })
}

/// `RmtRs::Native.compare_passwords(login, password, stored)`: of each of the stored values whether it is a hash of
/// the password, and whether it is to stay.
fn compare_passwords(
    ruby: &Ruby,
    login: String,
    password: String,
    stored: Vec<String>,
) -> Result<RArray, Error> {
    guarded(ruby, || {
        let compared = runtime::run(ruby, |registration, progress| async move {
            registration
                .compare_passwords(&login, &password, &stored, &progress)
                .await
        })?;
        let array = ruby.ary_new_capa(compared.len());
        for it in compared {
            array.push((it.fits, it.stays))?;
        }
        Ok(array)
    })
}

/// `RmtRs::Native.password_to_store(login, password)`: as what it is stored.
fn password_to_store(ruby: &Ruby, login: String, password: String) -> Result<String, Error> {
    guarded(ruby, || {
        runtime::run(ruby, |registration, progress| async move {
            registration
                .password_to_store(&login, &password, &progress)
                .await
        })
    })
}

/// `RmtRs::Native.count_passwords(after)`: the members of `RmtRs::Credentials::Census`.
fn count_passwords(ruby: &Ruby, after: u64) -> Result<RArray, Error> {
    guarded(ruby, || {
        let census = runtime::run(ruby, |registration, _| async move {
            registration.count_passwords(after).await
        })?;
        let Census {
            plain,
            current,
            outdated,
            damaged,
            last,
        } = census;
        let members = ruby.ary_new_capa(5);
        for count in [plain, current, outdated, damaged] {
            members.push(count)?;
        }
        members.push(last)?;
        Ok(members)
    })
}

/// `RmtRs::Native.convert_passwords(after)`: the members of `RmtRs::Credentials::Converted`.
fn convert_passwords(ruby: &Ruby, after: u64) -> Result<RArray, Error> {
    guarded(ruby, || {
        let converted = runtime::run(ruby, |registration, _| async move {
            registration.convert_passwords(after).await
        })?;
        let Converted {
            seen,
            hashed,
            left,
            last,
        } = converted;
        let members = ruby.ary_new_capa(4);
        for count in [seen, hashed, left] {
            members.push(count)?;
        }
        members.push(last)?;
        Ok(members)
    })
}

/// `RmtRs::Native.hashes_computed`: by this process, since it first needed the library.
fn hashes_computed(ruby: &Ruby) -> Result<u64, Error> {
    guarded(ruby, || {
        runtime::run(ruby, |registration, _| async move {
            Ok(registration.hashes_computed())
        })
    })
}

/// `RmtRs::Native.health`: the answer's body. Needs neither the runtime nor the database.
fn health() -> &'static str {
    registration::health()
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

/// `RmtRs::Native.listen(address)`: answers health on a port of its own, from this process.
fn listen(ruby: &Ruby, address: String) -> Result<(), Error> {
    guarded(ruby, || {
        let address = address.parse().map_err(|_| misunderstood(ruby))?;
        listener::listen(address).map_err(|what| errors::internal(ruby, &what, Written::No))
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

    /// With what a client sent in its message.
    pub fn panic_in_task(ruby: &Ruby, value: String) -> Result<(), Error> {
        guarded(ruby, || {
            runtime::run(ruby, |_, _| async move { panic!("{value} in the task") })
        })
    }
}

#[magnus::init]
fn init(ruby: &Ruby) -> Result<(), Error> {
    panics::prepare();
    gvl::prepare_for_forks().map_err(|e| {
        Error::new(
            ruby.exception_load_error(),
            format!("pthread_atfork: error {e}"),
        )
    })?;
    let native = ruby.define_module("RmtRs")?.define_module("Native")?;
    native.define_module_function("configure", function!(configure, 1))?;
    native.define_module_function("announce", function!(announce, 1))?;
    native.define_module_function("authenticate", function!(authenticate, 1))?;
    native.define_module_function("system", function!(system, 1))?;
    native.define_module_function("update", function!(update, 2))?;
    native.define_module_function("deregister", function!(deregister, 1))?;
    native.define_module_function("activations", function!(activations, 2))?;
    native.define_module_function("service", function!(service, 2))?;
    native.define_module_function("note", function!(note, 1))?;
    native.define_module_function("check", function!(check, 4))?;
    native.define_module_function("look", function!(look, 1))?;
    native.define_module_function("show", function!(show, 2))?;
    native.define_module_function("act", function!(act, 5))?;
    native.define_module_function("synchronize", function!(synchronize, 3))?;
    messages::define(ruby, native)?;
    native.define_module_function("legacy_service", function!(legacy_service, 2))?;
    native.define_module_function("installer", function!(installer, 2))?;
    native.define_module_function("subscription", function!(subscription, 1))?;
    native.define_module_function("subscription_products", function!(subscription_products, 3))?;
    native.define_module_function("compare_passwords", function!(compare_passwords, 3))?;
    native.define_module_function("password_to_store", function!(password_to_store, 2))?;
    native.define_module_function("count_passwords", function!(count_passwords, 1))?;
    native.define_module_function("convert_passwords", function!(convert_passwords, 1))?;
    native.define_module_function("hashes_computed", function!(hashes_computed, 0))?;
    native.define_module_function("health", function!(health, 0))?;
    native.define_module_function("listen", function!(listen, 1))?;
    rack::define(ruby, native)?;
    measures::define(&native)?;
    native.const_set("VERSION", env!("CARGO_PKG_VERSION"))?;
    native.define_module_function("reach", function!(reach, 0))?;
    native.define_module_function("shut_down", function!(shut_down, 0))?;
    #[cfg(feature = "faults")]
    {
        native.define_module_function("panic_in_call", function!(faults::panic_in_call, 0))?;
        native.define_module_function("panic_in_task", function!(faults::panic_in_task, 1))?;
    }
    Ok(())
}
