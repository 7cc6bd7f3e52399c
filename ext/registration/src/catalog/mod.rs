//! Products, services and repositories: what they are called, and how they are shown to clients
//! (contract, "Rendering").
//!
//! Nothing here depends on a system, and of a request only the base URL matters. It enters an
//! answer in three places, all of them functions of [`Rendering`]: a service's, a repository's and
//! a license's URL.

mod known;
mod memory;
mod render;
mod template;
mod url;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use time::PrimitiveDateTime;

pub use known::Known;
pub(crate) use memory::Memory;
pub use render::{Appearance, Rendering};
pub use url::BaseUrl;

/// `products.product_type`, as the model's enum reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProductType {
    /// What is installed first.
    Base,
    /// Free additions.
    Module,
    /// Additions with a subscription of their own.
    Extension,
    /// Software as a service.
    Saas,
    /// NULL, or something the model does not know and reads as nil.
    Other,
}

impl ProductType {
    pub(crate) fn of(stored: Option<&str>) -> Self {
        match stored {
            Some("base") => Self::Base,
            Some("module") => Self::Module,
            Some("extension") => Self::Extension,
            Some("SaaS") => Self::Saas,
            _ => Self::Other,
        }
    }

    /// As it is stored; `None` for what the model reads as nil.
    pub fn stored(self) -> Option<&'static str> {
        match self {
            Self::Saas => Some("SaaS"),
            Self::Other => None,
            known => Some(known.name()),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Module => "module",
            Self::Extension => "extension",
            Self::Saas => "saas",
            Self::Other => "",
        }
    }
}

/// What tells a product from others, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// `products.id`.
    pub id: u64,
    /// `SUSE Linux Enterprise Server`.
    pub name: Option<String>,
    /// `SLES`.
    pub identifier: Option<String>,
    /// `15.6`.
    pub version: Option<String>,
    /// Most have none.
    pub release_type: Option<String>,
    /// `x86_64`; `unknown` where it does not matter.
    pub arch: Option<String>,
    /// `15 SP6`.
    pub friendly_version: Option<String>,
    /// Base, module, extension …
    pub product_type: ProductType,
}

impl Label {
    /// `SUSE Linux Enterprise Server 15 SP6 x86_64` (RMT: `Product#friendly_name`). Parts that are
    /// NULL are left out, empty ones are not.
    pub fn friendly_name(&self) -> String {
        let parts = [
            &self.name,
            &self.friendly_version,
            &self.release_type,
            self.known_arch(),
        ];
        join(parts)
    }

    /// `SUSE_Linux_Enterprise_Server_x86_64` (RMT: `Service#name`).
    pub fn service_name(&self) -> String {
        join([&self.name, &self.release_type, self.known_arch()]).replace(' ', "_")
    }

    fn known_arch(&self) -> &Option<String> {
        match self.arch.as_deref() {
            Some("unknown") => &None,
            _ => &self.arch,
        }
    }
}

fn join<const N: usize>(parts: [&Option<String>; N]) -> String {
    let present: Vec<&str> = parts
        .into_iter()
        .filter_map(|part| part.as_deref())
        .collect();
    present.join(" ")
}

/// A product with all that is shown of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its names.
    pub label: Label,
    /// HTML.
    pub description: Option<String>,
    /// Its identifier in earlier versions.
    pub former_identifier: Option<String>,
    /// What subscriptions include or not.
    pub product_class: Option<String>,
    /// `released`, `beta` …
    pub release_stage: Option<String>,
    /// Where SUSE keeps its license.
    pub eula_url: Option<String>,
    /// Whether it takes no subscription.
    pub free: Option<bool>,
    /// Common Platform Enumeration.
    pub cpe: Option<String>,
    /// `SLES15-SP6`
    pub shortname: Option<String>,
    /// `services.id`, if it has one.
    pub service_id: Option<u64>,
    /// Of its service. Only [`Trees`] have them loaded.
    pub repositories: Vec<Repository>,
}

impl Product {
    /// Its columns alone.
    pub(crate) fn without_repositories(&self) -> Self {
        let Self {
            label,
            description,
            former_identifier,
            product_class,
            release_stage,
            eula_url,
            free,
            cpe,
            shortname,
            service_id,
            repositories: _,
        } = self;
        Self {
            label: label.clone(),
            description: description.clone(),
            former_identifier: former_identifier.clone(),
            product_class: product_class.clone(),
            release_stage: release_stage.clone(),
            eula_url: eula_url.clone(),
            free: *free,
            cpe: cpe.clone(),
            shortname: shortname.clone(),
            service_id: *service_id,
            repositories: Vec::new(),
        }
    }

    /// Whether this server mirrors it: all of its enabled repositories, or if none is enabled all
    /// of the others (RMT: `Product#mirror?`).
    fn available(&self) -> bool {
        let any_enabled = self
            .repositories
            .iter()
            .any(|repository| repository.enabled);
        let mut relevant = self
            .repositories
            .iter()
            .filter(|repository| repository.enabled == any_enabled)
            .peekable();
        relevant.peek().is_some() && relevant.all(|repository| repository.mirroring_enabled)
    }
}

/// A repository of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// `repositories.id`.
    pub id: u64,
    /// SUSE's id; custom repositories have none.
    pub scc_id: Option<u64>,
    /// `SLES15-SP6-Pool`.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Whether clients enable it of themselves, and so whether it has to be mirrored.
    pub enabled: bool,
    /// Whether clients refresh it of themselves.
    pub autorefresh: bool,
    /// Where it is mirrored from.
    pub external_url: String,
    /// Where it is on this server, below `/repo`.
    pub local_path: String,
    /// Updates for the installer only.
    pub installer_updates: bool,
    /// Whether this server mirrors it.
    pub mirroring_enabled: bool,
    /// Whether that was done at least once.
    pub mirrored: bool,
}

/// The SCC ids of those `repositories` that clients need and this server does not have; custom ones
/// have none (RMT: `check_product_service_and_repositories`).
pub fn missing(repositories: &[Repository]) -> Vec<Option<u64>> {
    repositories
        .iter()
        .filter(|repository| repository.enabled)
        .filter(|repository| !(repository.mirroring_enabled && repository.mirrored))
        .map(|repository| repository.scc_id)
        .collect()
}

/// Products with what may be added to them, and what to that. A product can be in several trees,
/// and in one tree in several places.
#[derive(Debug, Default)]
pub struct Trees {
    products: HashMap<u64, Arc<Product>>,
    /// By root: what hangs on what differs from root to root.
    branches: HashMap<u64, Branches>,
}

#[derive(Debug, Default)]
struct Branches {
    children: HashMap<u64, Vec<u64>>,
    recommended: HashSet<u64>,
}

/// What a product extends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relatives {
    /// What it can be added to, one for each root: the same can appear again.
    pub bases: Vec<Label>,
    /// The roots of the trees it is in.
    pub roots: Vec<Label>,
}

/// A product that another one takes the place of, or the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Related {
    pub product: u64,
    pub service: Option<u64>,
}

/// A row of `products_extensions`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge {
    pub(crate) root: u64,
    pub(crate) parent: u64,
    pub(crate) child: u64,
    pub(crate) recommended: bool,
}

impl Trees {
    /// Children keep the order of `edges`.
    pub(crate) fn new(products: HashMap<u64, Arc<Product>>, edges: &[Edge]) -> Self {
        let mut branches: HashMap<u64, Branches> = HashMap::new();
        for edge in edges {
            let branches = branches.entry(edge.root).or_default();
            let children = branches.children.entry(edge.parent).or_default();
            if !children.contains(&edge.child) {
                children.push(edge.child);
            }
            if edge.recommended {
                branches.recommended.insert(edge.child);
            }
        }
        Self { products, branches }
    }

    /// The product with this id, if it is in one of the trees.
    pub fn product(&self, id: u64) -> Option<&Product> {
        self.products.get(&id).map(Arc::as_ref)
    }

    /// All products in the trees.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Product>> {
        self.products.values()
    }

    fn children(&self, root: u64, parent: u64) -> &[u64] {
        let branches = self.branches.get(&root);
        branches
            .and_then(|branches| branches.children.get(&parent))
            .map_or(&[], Vec::as_slice)
    }

    fn recommended(&self, root: u64, id: u64) -> bool {
        let branches = self.branches.get(&root);
        branches.is_some_and(|branches| branches.recommended.contains(&id))
    }
}

/// What pays for an activation.
#[derive(derive_more::Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The code a system registers with.
    #[debug("[secret]")]
    pub regcode: String,
    /// For people.
    pub name: String,
    /// `full`, `test` …
    pub kind: String,
    /// `ACTIVE`, `EXPIRED` or `NOTACTIVATED`.
    pub status: String,
    /// UTC.
    pub starts_at: Option<PrimitiveDateTime>,
    /// UTC; NULL is never.
    pub expires_at: Option<PrimitiveDateTime>,
}

impl Subscription {
    /// The name of its kind in the model's enum; nil for what that does not know.
    fn kind_name(&self) -> Option<&str> {
        match self.kind.as_str() {
            "test" => Some("is_test"),
            kind @ ("full" | "evaluation" | "oem" | "internal" | "partner") => Some(kind),
            _ => None,
        }
    }

    /// As [`Subscription::kind_name`].
    fn status_name(&self) -> Option<&'static str> {
        match self.status.as_str() {
            "EXPIRED" => Some("expired"),
            "ACTIVE" => Some("active"),
            "NOTACTIVATED" => Some("notactivated"),
            _ => None,
        }
    }
}

/// A product that a system uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// `activations.id`.
    pub id: u64,
    /// `systems.id`.
    pub system_id: u64,
    /// The product of its service.
    pub product_id: u64,
    /// What pays for it, if that is known.
    pub subscription: Option<Subscription>,
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn label(id: u64, name: &str) -> Label {
        Label {
            id,
            name: Some(name.to_owned()),
            identifier: Some("SLES".to_owned()),
            version: Some("15.6".to_owned()),
            release_type: None,
            arch: Some("x86_64".to_owned()),
            friendly_version: Some("15 SP6".to_owned()),
            product_type: ProductType::Base,
        }
    }

    pub(super) fn product(id: u64, name: &str) -> Product {
        Product {
            label: label(id, name),
            description: None,
            former_identifier: None,
            product_class: None,
            release_stage: None,
            eula_url: None,
            free: Some(true),
            cpe: None,
            shortname: None,
            service_id: Some(id),
            repositories: Vec::new(),
        }
    }

    pub(super) fn repository(id: u64, enabled: bool, mirroring_enabled: bool) -> Repository {
        Repository {
            id,
            scc_id: Some(9000 + id),
            name: format!("R{id}"),
            description: None,
            enabled,
            autorefresh: true,
            external_url: format!("https://updates.suse.com/{id}/"),
            local_path: format!("/{id}/"),
            installer_updates: false,
            mirroring_enabled,
            mirrored: mirroring_enabled,
        }
    }

    #[test]
    fn names_leave_out_what_is_null_but_not_what_is_empty() {
        let mut label = label(1, "SUSE Linux");
        assert_eq!(label.friendly_name(), "SUSE Linux 15 SP6 x86_64");
        assert_eq!(label.service_name(), "SUSE_Linux_x86_64");
        label.release_type = Some("HPE-DVD".to_owned());
        label.arch = Some("unknown".to_owned());
        assert_eq!(label.friendly_name(), "SUSE Linux 15 SP6 HPE-DVD");
        assert_eq!(label.service_name(), "SUSE_Linux_HPE-DVD");
        label.name = None;
        label.friendly_version = Some(String::new());
        label.release_type = Some(String::new());
        label.arch = None;
        assert_eq!(label.friendly_name(), " ");
    }

    #[test]
    fn available_is_what_is_mirrored() {
        for (repositories, available) in [
            (vec![], false),
            (vec![(true, true), (false, false)], true),
            (vec![(true, true), (true, false), (false, true)], false),
            (vec![(false, true), (false, true)], true),
            (vec![(false, true), (false, false)], false),
        ] {
            let mut product = product(1, "P");
            product.repositories = (1..)
                .zip(&repositories)
                .map(|(id, (enabled, mirroring))| repository(id, *enabled, *mirroring))
                .collect();
            assert_eq!(product.available(), available, "{repositories:?}");
        }
    }

    #[test]
    fn missing_are_enabled_repositories_without_content() {
        let mut fresh = repository(3, true, true);
        fresh.mirrored = false;
        let mut custom = repository(4, true, false);
        custom.scc_id = None;
        let repositories = [
            repository(1, true, true),
            repository(2, false, false),
            fresh,
            custom,
        ];
        assert_eq!(missing(&repositories), [Some(9003), None]);
    }

    #[test]
    fn enums_know_what_the_models_know() {
        for (stored, name) in [
            (Some("base"), "base"),
            (Some("SaaS"), "saas"),
            (Some("saas"), ""),
            (Some("Base"), ""),
            (None, ""),
        ] {
            assert_eq!(ProductType::of(stored).name(), name);
        }
    }
}
