//! Which operation a request is for. Only the spelling that clients use is ours: what Rails also
//! understands (a slash at the end, `.json`, percent signs) is Rails'.

use super::request::{Part, Request};
use super::{Pass, Settings};

const V3: &str = "application/vnd.scc.suse.com.v3+json";
const V4: &str = "application/vnd.scc.suse.com.v4+json";

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Announce,
    Update,
    Deregister,
    Activate,
    Show,
    Upgrade,
    Destroy,
    Synchronize,
    Activations,
    Installer,
    SubscriptionProducts,
    Service(u64),
    Health,
}

impl Operation {
    /// As `RmtRs::Operations` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Announce => "announce",
            Self::Update => "update",
            Self::Deregister => "deregister",
            Self::Activate => "activate",
            Self::Show => "show",
            Self::Upgrade => "upgrade",
            Self::Destroy => "destroy",
            Self::Synchronize => "synchronize",
            Self::Activations => "activations",
            Self::Installer => "installer",
            Self::SubscriptionProducts => "subscription_products",
            Self::Service(_) => "service",
            Self::Health => "health",
        }
    }

    /// Whether it is below `/connect`, where there are versions, and no format but JSON.
    pub fn has_versions(self) -> bool {
        !matches!(self, Self::Service(_) | Self::Health)
    }

    fn in_version_3(self) -> bool {
        !matches!(
            self,
            Self::Destroy | Self::Synchronize | Self::Installer | Self::SubscriptionProducts
        )
    }
}

/// Where a request goes in RMT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub operation: Operation,
    pub controller: &'static str,
    pub action: &'static str,
    /// How the log calls the format that is asked for.
    pub format: &'static str,
    /// The header `Vary` of its answer; empty for none.
    pub vary: String,
}

impl Route {
    pub fn of(request: &Request, settings: &Settings) -> Result<Self, Pass> {
        let method = request.plain(Part::Method)?.unwrap_or_default();
        let path = request.plain(Part::Path)?.unwrap_or_default();
        let operation = operation(method, path).ok_or(Pass("another route"))?;
        if !settings.operations.contains(operation.name()) {
            return Err(Pass("an operation that is left to Ruby"));
        }
        if request.bytes(Part::Script).is_some_and(|it| !it.is_empty()) {
            return Err(Pass("an application below a path"));
        }
        if request.has(Part::MethodOverride) {
            return Err(Pass("a method that overrides"));
        }
        // Rails compares the two, and may refuse the request.
        if request.has(Part::ForwardedFor) && request.has(Part::ClientIp) {
            return Err(Pass("two addresses of the client"));
        }
        let accept = request.plain(Part::Accept)?;
        match operation.has_versions() {
            true => Self::of_api(operation, accept),
            false => Self::elsewhere(request, settings, operation, accept, path),
        }
    }

    /// Below `/connect` the format is JSON whatever is accepted.
    fn of_api(operation: Operation, accept: Option<&str>) -> Result<Self, Pass> {
        let accepts = |version| accept.is_some_and(|it| it.contains(version));
        let version_3 = match (accepts(V3), accepts(V4)) {
            (true, true) => return Err(Pass("two versions of the API")),
            (true, false) if !operation.in_version_3() => return Err(Pass("another route")),
            (version_3, _) => version_3,
        };
        let (controller, action) = place(operation, version_3);
        Ok(Self {
            operation,
            controller,
            action,
            format: "JSON",
            vary: String::new(),
        })
    }

    fn elsewhere(
        request: &Request,
        settings: &Settings,
        operation: Operation,
        accept: Option<&str>,
        path: &str,
    ) -> Result<Self, Pass> {
        if request.has(Part::RequestedWith) {
            return Err(Pass("a request of a script in a browser"));
        }
        let (format, vary) = match accept {
            None | Some("") if path.ends_with(".xml") => ("XML", &settings.vary.by_default),
            None | Some("") => ("HTML", &settings.vary.by_default),
            Some("application/xml") => ("XML", &settings.vary.accepting),
            Some(accept) => {
                let format = format_of(accept).ok_or(Pass("another format"))?;
                (format, &settings.vary.accepting)
            }
        };
        let (controller, action) = place(operation, false);
        Ok(Self {
            operation,
            controller,
            action,
            format,
            vary: vary.clone(),
        })
    }
}

/// How the log calls what clients of RMT accept. Types that Rails does not know have no name.
fn format_of(accept: &str) -> Option<&'static str> {
    let known = |it: &str| it == V3 || it == V4;
    match accept.split_once(',') {
        None if accept == "*/*" || known(accept) => Some("*/*"),
        None if accept == "application/json" => Some("JSON"),
        Some(("application/json", version)) if known(version) => Some("JSON"),
        _ => None,
    }
}

/// The operation that has this method and path.
pub(super) fn operation(method: &str, path: &str) -> Option<Operation> {
    let operation = match (method, path) {
        ("POST", "/connect/subscriptions/systems") => Operation::Announce,
        ("PUT", "/connect/systems") => Operation::Update,
        ("DELETE", "/connect/systems") => Operation::Deregister,
        ("GET", "/connect/systems/products") => Operation::Show,
        ("POST", "/connect/systems/products") => Operation::Activate,
        ("PUT", "/connect/systems/products") => Operation::Upgrade,
        ("DELETE", "/connect/systems/products") => Operation::Destroy,
        ("POST", "/connect/systems/products/synchronize") => Operation::Synchronize,
        ("GET", "/connect/systems/activations") => Operation::Activations,
        ("GET", "/connect/repositories/installer") => Operation::Installer,
        ("GET", "/connect/subscriptions/products") => Operation::SubscriptionProducts,
        ("GET", "/api/health/status") => Operation::Health,
        ("GET", _) => Operation::Service(service_id(path)?),
        _ => return None,
    };
    Some(operation)
}

/// Of `/services/1` and `/services/1/repo/repoindex.xml`, the 1. What is no number, or one that no
/// service can have, is for RMT to say.
fn service_id(path: &str) -> Option<u64> {
    let rest = path.strip_prefix("/services/")?;
    let id = rest.strip_suffix("/repo/repoindex.xml").unwrap_or(rest);
    let digits = id.len() <= 18 && id.bytes().all(|it| it.is_ascii_digit());
    if !digits || id.starts_with('0') {
        return None;
    }
    id.parse().ok()
}

/// Controller and action.
fn place(operation: Operation, version_3: bool) -> (&'static str, &'static str) {
    macro_rules! of_version {
        ($controller:literal) => {
            match version_3 {
                true => concat!("Api::Connect::V3::", $controller),
                false => concat!("Api::Connect::V4::", $controller),
            }
        };
    }
    let systems = of_version!("Systems::SystemsController");
    let products = of_version!("Systems::ProductsController");
    match operation {
        Operation::Announce => (
            of_version!("Subscriptions::SystemsController"),
            "announce_system",
        ),
        Operation::Update => (systems, "update"),
        Operation::Deregister => (systems, "deregister"),
        Operation::Activate => (products, "activate"),
        Operation::Show => (products, "show"),
        Operation::Upgrade => (products, "upgrade"),
        Operation::Destroy => (products, "destroy"),
        Operation::Synchronize => (products, "synchronize"),
        Operation::Activations => (of_version!("Systems::ActivationsController"), "index"),
        Operation::Installer => (of_version!("Repositories::InstallerController"), "index"),
        Operation::SubscriptionProducts => {
            (of_version!("Subscriptions::ProductsController"), "index")
        }
        Operation::Service(_) => ("ServicesController", "show"),
        Operation::Health => ("Api::HealthController", "status"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(parts: &[(Part, &str)]) -> Result<Route, Pass> {
        Route::of(&Request::with(parts, b""), &Settings::all())
    }

    #[test]
    fn only_the_usual_spelling_is_ours() {
        for (method, path, expected) in [
            (
                "POST",
                "/connect/subscriptions/systems",
                Some(Operation::Announce),
            ),
            ("DELETE", "/connect/systems", Some(Operation::Deregister)),
            ("GET", "/services/17", Some(Operation::Service(17))),
            (
                "GET",
                "/services/17/repo/repoindex.xml",
                Some(Operation::Service(17)),
            ),
            ("GET", "/api/health/status", Some(Operation::Health)),
            ("HEAD", "/api/health/status", None),
            ("OPTIONS", "/connect/systems", None),
            ("GET", "/connect/systems", None),
            ("POST", "/connect/subscriptions/systems/", None),
            ("POST", "/connect/subscriptions/systems.json", None),
            ("POST", "/connect//subscriptions/systems", None),
            ("POST", "/connect/subscriptions/%73ystems", None),
            ("get", "/api/health/status", None),
            ("GET", "/services/", None),
            ("GET", "/services/0", None),
            ("GET", "/services/017", None),
            ("GET", "/services/1.xml", None),
            ("GET", "/services/-1", None),
            ("GET", "/services/+1", None),
            ("GET", "/services/1/", None),
            ("GET", "/services/1234567890123456789", None),
            ("GET", "/services//repo/repoindex.xml", None),
            ("GET", "/repo/repoindex.xml", None),
        ] {
            assert_eq!(operation(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn accept_chooses_the_version() {
        fn controller(method: &str, path: &str, accept: &str) -> Result<&'static str, Pass> {
            let parts = [
                (Part::Method, method),
                (Part::Path, path),
                (Part::Accept, accept),
            ];
            route(&parts).map(|it| it.controller)
        }
        let announce = |accept: &str| controller("POST", "/connect/subscriptions/systems", accept);
        let v3 = Ok("Api::Connect::V3::Subscriptions::SystemsController");
        let v4 = Ok("Api::Connect::V4::Subscriptions::SystemsController");
        assert_eq!(announce(V3), v3);
        assert_eq!(announce(&format!("application/json,{V3}")), v3);
        assert_eq!(announce(&format!("text/html, x{V3}x")), v3);
        for accept in [
            V4,
            "",
            "*/*",
            "application/json",
            "nonsense",
            "Application/vnd.scc.suse.com.V3+json",
        ] {
            assert_eq!(announce(accept), v4, "{accept}");
        }
        assert!(announce(&format!("{V3},{V4}")).is_err());
        let installer = |accept: &str| controller("GET", "/connect/repositories/installer", accept);
        assert!(installer(V4).is_ok());
        assert!(installer(V3).is_err());
    }

    #[test]
    fn where_the_format_is_open_accept_tells_it() {
        let format = |path, accept| {
            let parts = [(Part::Path, path), (Part::Accept, accept)];
            route(&parts)
                .map(|it| (it.format, it.vary == "Accept"))
                .ok()
        };
        assert_eq!(format("/services/1", ""), Some(("HTML", false)));
        let long = "/services/1/repo/repoindex.xml";
        assert_eq!(format(long, ""), Some(("XML", false)));
        assert_eq!(format(long, "*/*"), Some(("*/*", true)));
        assert_eq!(format("/services/1", V4), Some(("*/*", true)));
        let both = format!("application/json,{V4}");
        assert_eq!(format("/api/health/status", &both), Some(("JSON", true)));
        assert_eq!(
            format("/api/health/status", "application/json"),
            Some(("JSON", true))
        );
        for strange in ["text/html,*/*", "x", "application/*", " "] {
            assert_eq!(format("/services/1", strange), None, "{strange}");
        }
    }

    #[test]
    fn what_is_left_to_ruby_is_passed_on() {
        let request = Request::with(&[(Part::Path, "/connect/systems/activations")], b"");
        assert!(Route::of(&request, &Settings::all()).is_ok());
        let mut settings = Settings::all();
        settings.operations.remove("activations");
        assert!(Route::of(&request, &settings).is_err());
        for strange in [
            (Part::Script, "/rmt"),
            (Part::MethodOverride, "PUT"),
            (Part::Accept, "é"),
        ] {
            assert!(route(&[(Part::Path, "/connect/systems/activations"), strange]).is_err());
        }
        let path = (Part::Path, "/connect/systems/activations");
        let (forwarded, client) = ((Part::ForwardedFor, "1.2.3.4"), (Part::ClientIp, "1.2.3.4"));
        assert!(route(&[path, forwarded]).is_ok());
        assert!(route(&[path, client]).is_ok());
        assert!(route(&[path, forwarded, client]).is_err());
    }
}
