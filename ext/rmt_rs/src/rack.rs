//! What a middleware needs: requests from Rack's environment, and answers for Rack.

use std::sync::{Arc, Mutex, PoisonError};

use magnus::value::ReprValue;
use magnus::{Error, Module, Object, RArray, RModule, RString, Ruby, TryConvert, Value};
use magnus::{function, method};
use registration::Trail;
use registration::http::{Answer, PARTS, Reply, Request, Settings, Understood};

use crate::messages::{class_of, lines};
use crate::{guarded, misunderstood, parsed, runtime};

/// `RmtRs::Native::Settings`: what does not change while the process runs.
#[magnus::wrap(class = "RmtRs::Native::Settings", free_immediately)]
struct SettingsObject(Arc<Settings>);

/// `RmtRs::Native::Understood`: a request that Rust can answer, once.
#[magnus::wrap(class = "RmtRs::Native::Understood", free_immediately)]
struct UnderstoodObject {
    operation: &'static str,
    controller: &'static str,
    action: &'static str,
    format: &'static str,
    id: Option<u64>,
    request: Mutex<Option<Understood>>,
}

impl SettingsObject {
    /// `RmtRs::Native::Settings.new(settings)`: of JSON.
    fn new(ruby: &Ruby, settings: String) -> Result<Self, Error> {
        guarded(ruby, || {
            Ok(Self(Arc::new(parsed::<Settings>(ruby, &settings)?)))
        })
    }
}

impl From<Understood> for UnderstoodObject {
    fn from(understood: Understood) -> Self {
        Self {
            operation: understood.operation(),
            controller: understood.controller(),
            action: understood.action(),
            format: understood.format(),
            id: understood.id(),
            request: Mutex::new(Some(understood)),
        }
    }
}

impl UnderstoodObject {
    fn take(&self) -> Option<Understood> {
        let mut request = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        request.take()
    }

    fn operation(&self) -> &'static str {
        self.operation
    }

    fn controller(&self) -> &'static str {
        self.controller
    }

    fn action(&self) -> &'static str {
        self.action
    }

    fn format(&self) -> &'static str {
        self.format
    }

    fn id(&self) -> Option<String> {
        self.id.map(|id| id.to_string())
    }

    /// Nothing once it is being served.
    fn machine(&self) -> Option<String> {
        let request = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        request.as_ref()?.machine().map(str::to_owned)
    }
}

/// `RmtRs::Native.understand(settings, parts, body)`: an `Understood`, or a String that says why not.
fn understand(
    ruby: &Ruby,
    settings: &SettingsObject,
    parts: RArray,
    body: RString,
) -> Result<Value, Error> {
    guarded(ruby, || {
        let mut bytes = Vec::with_capacity(PARTS.len());
        for part in parts {
            let part = Option::<RString>::try_convert(part)?;
            bytes.push(part.map(|it| it.to_bytes().into()));
        }
        let request = Request::new(bytes, body.to_bytes().into());
        let request = request.ok_or_else(|| misunderstood(ruby))?;
        Ok(match Understood::of(request, &settings.0) {
            Ok(understood) => ruby.obj_wrap(UnderstoodObject::from(understood)).as_value(),
            Err(why) => ruby.str_new(why).as_value(),
        })
    })
}

/// `RmtRs::Native.serve(settings, understood)`: a String that says why Rails is to answer after all, or
/// an array of status, headers, body, the status for the log, the callback that
/// halted it or nil, what to count (operation and outcome) and the lines for the log (level and text).
fn serve(
    ruby: &Ruby,
    settings: &SettingsObject,
    understood: &UnderstoodObject,
) -> Result<Value, Error> {
    guarded(ruby, || {
        let settings = Arc::clone(&settings.0);
        let understood = understood.take().ok_or_else(|| misunderstood(ruby))?;
        let reply = runtime::run(ruby, |registration, progress| async move {
            registration.serve(understood, &settings, &progress).await
        })?;
        match reply {
            Reply::Pass(why) => Ok(ruby.str_new(why).as_value()),
            Reply::Answer(answer) => Ok(for_rack(ruby, *answer)?.as_value()),
        }
    })
}

/// `RmtRs::Native.rehearse(settings, understood)`: what [`serve`] would give, without a trace of it; the login and an array of
/// the SCC ids whose rows were looked at, or nil twice; and those rows as JSON, or nil.
fn rehearse(
    ruby: &Ruby,
    settings: &SettingsObject,
    understood: &UnderstoodObject,
) -> Result<RArray, Error> {
    guarded(ruby, || {
        let settings = Arc::clone(&settings.0);
        let understood = understood.take().ok_or_else(|| misunderstood(ruby))?;
        let rehearsal = runtime::run(ruby, |registration, _| async move {
            registration.rehearse(understood, &settings).await
        })?;
        let members = ruby.ary_new_capa(4);
        match rehearsal.reply {
            Reply::Pass(why) => members.push(ruby.str_new(why))?,
            Reply::Answer(answer) => members.push(for_rack(ruby, *answer)?)?,
        }
        let (login, ids) = rehearsal
            .traces
            .map(|it| (it.login, it.scc_system_ids))
            .unzip();
        members.push(login)?;
        members.push(ids)?;
        members.push(rehearsal.rows)?;
        Ok(members)
    })
}

/// `RmtRs::Native.rows(login, scc_system_ids)`: rows as JSON, as [`rehearse`] has them.
fn rows(ruby: &Ruby, login: String, scc_system_ids: Vec<i64>) -> Result<String, Error> {
    guarded(ruby, || {
        let traces = Trail {
            login,
            scc_system_ids,
        };
        runtime::run(ruby, |registration, _| async move {
            registration.store().rows_of(&traces).await
        })
    })
}

fn for_rack(ruby: &Ruby, answer: Answer) -> Result<RArray, Error> {
    let headers = ruby.hash_new();
    for (name, value) in &answer.headers {
        headers.aset(*name, value.as_str())?;
    }
    let counts = ruby.ary_new_capa(answer.counts.len());
    for (operation, outcome) in &answer.counts {
        counts.push((ruby.sym_new(*operation), ruby.sym_new(*outcome)))?;
    }
    let members = ruby.ary_new_capa(7);
    members.push(answer.status)?;
    members.push(headers)?;
    members.push(answer.body.as_str())?;
    members.push(answer.logged_status)?;
    members.push(answer.halted)?;
    members.push(counts)?;
    members.push(lines(ruby, answer.log)?)?;
    Ok(members)
}

/// Defines it all in `RmtRs::Native`.
pub fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let settings = class_of::<SettingsObject>(ruby, native, "Settings")?;
    settings.define_singleton_method("new", function!(SettingsObject::new, 1))?;
    let understood = class_of::<UnderstoodObject>(ruby, native, "Understood")?;
    understood.define_method("operation", method!(UnderstoodObject::operation, 0))?;
    understood.define_method("controller", method!(UnderstoodObject::controller, 0))?;
    understood.define_method("action", method!(UnderstoodObject::action, 0))?;
    understood.define_method("format", method!(UnderstoodObject::format, 0))?;
    understood.define_method("id", method!(UnderstoodObject::id, 0))?;
    understood.define_method("machine", method!(UnderstoodObject::machine, 0))?;
    let parts = ruby.ary_new_capa(PARTS.len());
    for part in PARTS {
        parts.push(ruby.str_new(part))?;
    }
    parts.freeze();
    native.const_set("PARTS", parts)?;
    native.define_module_function("understand", function!(understand, 3))?;
    native.define_module_function("serve", function!(serve, 2))?;
    native.define_module_function("rehearse", function!(rehearse, 2))?;
    native.define_module_function("rows", function!(rows, 2))?;
    Ok(())
}
