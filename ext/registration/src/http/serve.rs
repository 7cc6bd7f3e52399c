//! From a request to its answer: what RMT's controllers do around the operations.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Content};
use super::base_url::base_url;
use super::credentials;
use super::parameters::{self, scalars, selected};
use super::request::{Part, Request};
use super::routes::{Operation, Route};
use super::{Pass, Reply, Settings};
use crate::authenticate::{Authenticated, Credentials, Found, Note, TokenHeader, names_zypper};
use crate::catalog::{BaseUrl, Rendering};
use crate::error::{Error, Failure, Written};
use crate::json::to_json;
use crate::log::LogLine;
use crate::{Acted, Action, Actor, Caller, Progress, Registration, params};

/// What the steps before an action look at.
const PRODUCT: &[&str] = &["identifier", "version", "arch", "token", "payload"];
const LISTED: &[&str] = &["identifier", "version", "arch", "release_type"];
const TOKEN: &str = "System-Token";

/// A request that is understood: nothing more can be asked of it that only Rails knows.
pub struct Understood {
    request: Request,
    route: Route,
    parameters: Map<String, Value>,
    base_url: BaseUrl,
    sender: Sender,
}

/// Who says to send a request; nothing when that is not said in the way that is asked for.
enum Sender {
    /// Nobody asks.
    Anybody,
    /// Login and password.
    System(Option<(String, String)>),
    /// A registration code.
    Subscriber(Option<String>),
}

impl Sender {
    fn of(request: &Request, operation: Operation) -> Result<Self, Pass> {
        match operation {
            Operation::Announce | Operation::Installer | Operation::Health => Ok(Self::Anybody),
            Operation::SubscriptionProducts => credentials::token(request).map(Self::Subscriber),
            // Only zypper has to say who it is.
            Operation::Service(_) if !is_zypper(request)? => Ok(Self::Anybody),
            _ => credentials::basic(request).map(Self::System),
        }
    }
}

fn is_zypper(request: &Request) -> Result<bool, Pass> {
    let agent = request.utf8(Part::UserAgent)?;
    Ok(agent.is_some_and(names_zypper))
}

impl Understood {
    /// Reads `request`.
    ///
    /// # Errors
    /// Why Rails has to answer it, in a few words that do not depend on what the client sent.
    ///
    /// ```
    /// use registration::http::{PARTS, Request, Settings, Understood};
    ///
    /// let settings = r#"{"operations":["health"],"tokens_enabled":true,"appearance":{
    ///     "free_as_stored":false,"plugin_urls":false,"credentials_in_repoindex":false,
    ///     "redirect_hosts":[]}}"#;
    /// let settings: Settings = serde_json::from_str(settings).unwrap();
    /// let parts = PARTS.iter().map(|part| match *part {
    ///     "REQUEST_METHOD" => Some(b"GET".to_vec()),
    ///     "PATH_INFO" => Some(b"/api/health/status".to_vec()),
    ///     "HTTP_HOST" => Some(b"rmt.example.com".to_vec()),
    ///     "rack.url_scheme" => Some(b"http".to_vec()),
    ///     _ => None,
    /// });
    /// let request = Request::new(parts.collect(), Vec::new()).unwrap();
    /// assert_eq!(Understood::of(request, &settings).unwrap().action(), "status");
    /// ```
    pub fn of(request: Request, settings: &Settings) -> Result<Self, &'static str> {
        Self::read(request, settings).map_err(|Pass(why)| why)
    }

    fn read(request: Request, settings: &Settings) -> Result<Self, Pass> {
        let route = Route::of(&request, settings)?;
        let parameters = parameters::of(&request)?;
        if !route.operation.has_versions() && parameters.contains_key("format") {
            return Err(Pass("another format"));
        }
        // Rails answers 400 in a shape of its own.
        let synchronize = route.operation == Operation::Synchronize;
        if synchronize && params::blank(parameters.get("products")) {
            return Err(Pass("no products"));
        }
        Ok(Self {
            base_url: base_url(&request)?,
            sender: Sender::of(&request, route.operation)?,
            request,
            route,
            parameters,
        })
    }

    /// The operation, by its name in `RmtRs::Operations`.
    pub fn operation(&self) -> &'static str {
        self.route.operation.name()
    }

    /// Where Rails would have sent it: `Api::Connect::V4::Systems::ProductsController`.
    pub fn controller(&self) -> &'static str {
        self.route.controller
    }

    /// The controller's action: `activate`.
    pub fn action(&self) -> &'static str {
        self.route.action
    }

    /// The format of the answer as Rails' log says it: `JSON`, `HTML`, `XML`, `*/*`.
    pub fn format(&self) -> &'static str {
        self.route.format
    }

    /// The machine that sends it, as far as it says: its login, or its host name where it has none yet.
    pub fn machine(&self) -> Option<&str> {
        match self.route.operation {
            Operation::Announce => self.parameters.get("hostname").and_then(Value::as_str),
            _ => self.login(),
        }
    }

    /// The login that it is sent with.
    pub fn login(&self) -> Option<&str> {
        match &self.sender {
            Sender::System(Some((login, _))) => Some(login),
            _ => None,
        }
    }

    /// The `id` in its path.
    pub fn id(&self) -> Option<u64> {
        match self.route.operation {
            Operation::Service(id) => Some(id),
            _ => None,
        }
    }
}

impl Registration {
    /// Answers a request whole.
    ///
    /// # Errors
    /// Those after which Ruby may do better, nothing having been written but what it will find:
    /// [`Error::Refused`] and [`Error::Internal`]; and [`Error::Abandoned`], after which nobody waits.
    pub async fn serve(
        &self,
        understood: Understood,
        settings: &Settings,
        progress: &Progress,
    ) -> Result<Reply, Failure> {
        let serving = Serving {
            registration: self,
            understood,
            settings,
            progress,
            answer: Answer::new(),
            note: None,
        };
        serving.answer().await
    }
}

/// Why an operation did not come to its end.
enum Halt {
    Pass(&'static str),
    /// It was answered before, by RMT's way to ask for credentials.
    Denied,
    /// By which operation, as the log has it.
    Failed(&'static str, Failure),
}

impl From<Pass> for Halt {
    fn from(Pass(why): Pass) -> Self {
        Self::Pass(why)
    }
}

/// A request on its way.
struct Serving<'a> {
    registration: &'a Registration,
    understood: Understood,
    settings: &'a Settings,
    progress: &'a Progress,
    answer: Answer,
    /// What an authentication has left to the operation. Whatever becomes of that, somebody writes it.
    note: Option<Note>,
}

impl Serving<'_> {
    async fn answer(mut self) -> Result<Reply, Failure> {
        match self.carry_out().await {
            Ok(()) => self.count(self.understood.route.operation.name(), "rust"),
            Err(Halt::Denied) => {}
            Err(Halt::Pass(why)) => return Ok(Reply::Pass(why)),
            Err(Halt::Failed(operation, failure)) => {
                if let Some(why) = self.failed(operation, failure)? {
                    return Ok(Reply::Pass(why));
                }
            }
        }
        self.write_note().await;
        self.answer.finish(&self.understood.request);
        Ok(Reply::Answer(Box::new(self.answer)))
    }

    async fn carry_out(&mut self) -> Result<(), Halt> {
        match self.understood.route.operation {
            Operation::Announce => self.announce().await,
            Operation::Update => self.update().await,
            Operation::Deregister => self.deregister().await,
            Operation::Activate => self.act(Action::Activate).await,
            Operation::Show => self.act(Action::Show).await,
            Operation::Upgrade => self.act(Action::Upgrade).await,
            Operation::Destroy => self.act(Action::Destroy).await,
            Operation::Synchronize => self.synchronize().await,
            Operation::Activations => self.activations().await,
            Operation::Installer => self.installer().await,
            Operation::SubscriptionProducts => self.subscription_products().await,
            Operation::Service(id) => self.service(id).await,
            Operation::Health => {
                let body = crate::health().to_owned();
                self.render(200, Content::Json, body);
                Ok(())
            }
        }
    }

    async fn announce(&mut self) -> Result<(), Halt> {
        let parameters = selected(
            &mut self.understood.parameters,
            &["hostname", "hwinfo", "system_profiles"],
        );
        let announced = self.registration.announce(&parameters, self.progress);
        let announced = announced.await.map_err(|it| self.halt(it))?;
        self.forget_profiles(announced.clear_profile_cache);
        let name = announced.hostname.as_deref().unwrap_or_default();
        self.log(LogLine::info(format!("System '{name}' announced")));
        self.render(201, Content::Json, announced.body());
        Ok(())
    }

    async fn update(&mut self) -> Result<(), Halt> {
        let names = ["hostname", "hwinfo", "online_at", "system_profiles"];
        let parameters = selected(&mut self.understood.parameters, &names);
        let actor = self.authenticate(true, false).await?;
        let updated = self.registration.update(&actor, &parameters, self.progress);
        let updated = updated.await.map_err(|it| self.halt(it))?;
        self.note = None;
        self.forget_profiles(updated.clear_profile_cache);
        self.answer.log.extend(updated.log);
        self.rotated(updated.system_token);
        Ok(())
    }

    async fn deregister(&mut self) -> Result<(), Halt> {
        let system = self.authenticate(true, false).await?.system;
        let left = self.registration.deregister(&system, self.progress);
        left.await.map_err(|it| self.halt(it))?;
        self.note = None;
        Ok(())
    }

    /// An action on a product, with the steps before it.
    async fn act(&mut self, action: Action) -> Result<(), Halt> {
        let rendering = self.rendering();
        let defer = action != Action::Show;
        let caller = Caller::Unknown(self.credentials(defer, false)?);
        let parameters = selected(&mut self.understood.parameters, PRODUCT);
        let checked = self
            .registration
            .check(&caller, action, &parameters, self.progress);
        let (authenticated, checked) = checked
            .await
            .map_err(|it| Halt::Failed("authenticate", it))?;
        let authenticated = authenticated.ok_or(Halt::Pass("nobody was authenticated"))?;
        let actor = self.recognise(authenticated);
        if let Some((_, failure)) = &checked.failed {
            return Err(self.halt(failure.clone()));
        }
        if action == Action::Show {
            let body = checked.show(&rendering).map_err(|it| self.halt(it))?;
            self.render(200, Content::Json, body);
            return Ok(());
        }
        let subscription = checked.subscription.as_ref().map(|it| it.id);
        let (registration, progress) = (self.registration, self.progress);
        let acted = registration.act(action, &checked, &actor, subscription, &rendering, progress);
        let acted = acted.await.map_err(|it| self.halt(it))?;
        let status = if action == Action::Destroy { 200 } else { 201 };
        self.acted(acted, status);
        Ok(())
    }

    async fn synchronize(&mut self) -> Result<(), Halt> {
        let rendering = self.rendering();
        let parameters = selected(&mut self.understood.parameters, &["products"]);
        let actor = self.authenticate(true, false).await?;
        let registration = self.registration;
        let acted = registration.synchronize(&actor, &parameters, &rendering, self.progress);
        let acted = acted.await.map_err(|it| self.halt(it))?;
        self.acted(acted, 200);
        Ok(())
    }

    async fn activations(&mut self) -> Result<(), Halt> {
        let rendering = self.rendering();
        let system = self.authenticate(false, false).await?.system;
        let body = self.registration.activations(system.id, &rendering);
        let body = body.await.map_err(|it| self.halt(it))?;
        self.render(200, Content::Json, body);
        Ok(())
    }

    async fn installer(&mut self) -> Result<(), Halt> {
        let rendering = self.rendering();
        let mut names = LISTED.to_vec();
        // RMT reads it only when it is text.
        if self
            .understood
            .parameters
            .get("payload")
            .is_some_and(Value::is_string)
        {
            names.push("payload");
        }
        let parameters = scalars(&mut self.understood.parameters, &names);
        let body = self.registration.installer(&parameters, &rendering);
        let body = body.await.map_err(|it| self.halt(it))?;
        self.render(200, Content::Json, body);
        Ok(())
    }

    async fn subscription_products(&mut self) -> Result<(), Halt> {
        let rendering = self.rendering();
        let Sender::Subscriber(Some(regcode)) = &self.understood.sender else {
            let body = "HTTP Token: Access denied.\n".to_owned();
            self.answer
                .header("WWW-Authenticate", "Token realm=\"Application\"");
            self.render(401, Content::Text, body);
            self.answer.halted = Some("authenticate_with_token");
            return Err(Halt::Denied);
        };
        let subscription = self.registration.subscription(regcode);
        let subscription = subscription.await.map_err(|it| self.halt(it))?;
        self.log(LogLine::info("Authenticated with token".to_owned()));
        let parameters = scalars(&mut self.understood.parameters, LISTED);
        let registration = self.registration;
        let body = registration.subscription_products(subscription.id, &parameters, &rendering);
        let body = body.await.map_err(|it| self.halt(it))?;
        self.render(200, Content::Json, body);
        Ok(())
    }

    /// Zypper, which has to say who it is, knows no tokens, so of several systems nobody can tell which
    /// one it is on.
    async fn service(&mut self, id: u64) -> Result<(), Halt> {
        let rendering = self.rendering();
        if matches!(self.understood.sender, Sender::System(_)) {
            self.authenticate(false, true).await?;
        }
        let body = self.registration.service(id, &rendering);
        match body.await.map_err(|it| self.halt(it))? {
            Some(body) => self.render(200, Content::Xml, body),
            None => return Err(Halt::Pass("no such service")),
        }
        Ok(())
    }

    /// The step before most operations (RMT: `authenticate_system`).
    async fn authenticate(&mut self, defer: bool, skip_on_duplicated: bool) -> Result<Actor, Halt> {
        let credentials = self.credentials(defer, skip_on_duplicated)?;
        let authenticated = self.registration.authenticate(&credentials, self.progress);
        let authenticated = authenticated
            .await
            .map_err(|it| Halt::Failed("authenticate", it))?;
        Ok(self.recognise(authenticated))
    }

    fn credentials(&mut self, defer: bool, skip_on_duplicated: bool) -> Result<Credentials, Halt> {
        let Sender::System(Some((login, password))) = &self.understood.sender else {
            let body = "HTTP Basic: Access denied.\n".to_owned();
            self.answer
                .header("WWW-Authenticate", "Basic realm=\"RMT API\"");
            // Rails renders nothing here, it sets the body.
            self.answer.respond(401, Content::Html, body);
            self.answer.halted = Some(match self.understood.route.operation {
                Operation::Service(_) => "block",
                _ => "authenticate_system",
            });
            return Err(Halt::Denied);
        };
        let token = self.understood.request.utf8(Part::SystemToken)?;
        Ok(Credentials {
            login: login.clone(),
            password: password.clone(),
            token: match token {
                Some(token) => TokenHeader::Present(Some(token.to_owned())),
                None => TokenHeader::Absent,
            },
            user_agent: self
                .understood
                .request
                .utf8(Part::UserAgent)?
                .map(str::to_owned),
            tokens_enabled: self.settings.tokens_enabled,
            skip_on_duplicated,
            defer,
        })
    }

    /// Shows the token, also with a later error, and keeps what is to be noted.
    fn recognise(&mut self, authenticated: Authenticated) -> Actor {
        self.count("authenticate", "rust");
        self.answer.log.extend(authenticated.log());
        let rotate_token = authenticated.knows_tokens();
        if authenticated.found != Found::Skipped {
            self.note = authenticated.note.clone();
            if let Some(token) = authenticated.token_echo {
                // A system without one gets an empty header.
                let token = if params::blank_text(&token) {
                    String::new()
                } else {
                    token
                };
                self.answer.header(TOKEN, token);
            }
        }
        Actor {
            system: authenticated.system,
            note: authenticated.note,
            rotate_token,
        }
    }

    fn acted(&mut self, acted: Acted, status: u16) {
        self.note = None;
        self.answer.log.extend(acted.log);
        self.rotated(acted.system_token);
        self.render(status, Content::Json, acted.body);
    }

    fn rotated(&mut self, system_token: Option<String>) {
        if let Some(token) = system_token {
            self.answer.header(TOKEN, token);
        }
    }

    fn forget_profiles(&mut self, forget: bool) {
        if forget {
            self.answer
                .header("X-System-Profiles-Action", "clear-cache");
        }
    }

    /// What an answer about the catalog depends on besides the catalog.
    fn rendering(&self) -> Rendering {
        Rendering {
            base_url: self.understood.base_url.clone(),
            appearance: self.settings.appearance.clone(),
        }
    }

    fn render(&mut self, status: u16, content: Content, body: String) {
        self.answer
            .render(status, content, body, &self.understood.route);
    }

    fn count(&mut self, operation: &'static str, outcome: &'static str) {
        self.answer.counts.push((operation, outcome));
    }

    fn log(&mut self, line: LogLine) {
        self.answer.log.push(line);
    }

    fn halt(&self, failure: Failure) -> Halt {
        Halt::Failed(self.understood.route.operation.name(), failure)
    }

    /// Answers for a failure, or says why Rails is to.
    fn failed(
        &mut self,
        operation: &'static str,
        failure: Failure,
    ) -> Result<Option<&'static str>, Failure> {
        match failure.error {
            Error::Gone => {
                let error = "The system is not valid or no longer exists";
                let body = to_json(&json!({ "errors": error }));
                self.render(422, Content::Json, body);
            }
            Error::BadInput(message) => self.refuse(operation, 422, &message),
            Error::Rmt { status, message } => self.refuse(operation, status, &message),
            Error::Invalid(_) if failure.written == Written::No => {
                return Ok(Some("a record that would be invalid"));
            }
            Error::Declined(_) if failure.written == Written::No => {
                return Ok(Some("parameters that only Rails understands"));
            }
            Error::Silent(_) => self.give_up(operation, "silent", &failure),
            Error::Unavailable(_) => self.give_up(operation, "unavailable", &failure),
            _ if failure.written == Written::Perhaps => {
                self.give_up(operation, "unavailable", &failure);
            }
            _ => return Err(failure),
        }
        Ok(None)
    }

    /// Ends a request that is the client's fault.
    fn refuse(&mut self, operation: &'static str, status: u16, message: &str) {
        self.count(operation, "refused");
        let quoted = shortened(message);
        self.log(LogLine::info(format!(
            "rmt_rs: {operation} refused: {quoted}"
        )));
        self.answer.error(status, message, &self.understood.route);
    }

    /// Ends a request for which there is no database.
    fn give_up(&mut self, operation: &'static str, outcome: &'static str, failure: &Failure) {
        // To try that now would only be to wait longer.
        self.note = None;
        self.count(operation, outcome);
        self.log(LogLine::error(format!(
            "rmt_rs: {operation} failed: {failure}"
        )));
        let message = "The database is not available at the moment. Please try again later.";
        self.answer.error(503, message, &self.understood.route);
    }

    /// What no operation came to write. That this fails is no reason to answer otherwise.
    async fn write_note(&mut self) {
        let Some(note) = self.note.take() else {
            return;
        };
        if let Err(failure) = self.registration.note(&note, self.progress).await {
            let action = self.understood.route.action;
            self.log(LogLine::error(format!(
                "rmt_rs: {action}: the system is not noted as seen: {failure}"
            )));
        }
    }
}

/// `message`, which may quote the client, for the log: not long.
fn shortened(message: &str) -> String {
    const LONGEST: usize = 200;
    const END: &str = "...";
    if message.chars().count() <= LONGEST {
        return message.to_owned();
    }
    let kept = message.chars().take(LONGEST - END.len());
    kept.chain(END.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_of_a_client_is_short() {
        let long = "é".repeat(201);
        assert_eq!(shortened(&long), format!("{}...", "é".repeat(197)));
        assert_eq!(shortened(&"é".repeat(200)), "é".repeat(200));
    }
}
