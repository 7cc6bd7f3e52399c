//! Answers about the catalog, byte for byte as RMT's serializers and builder write them.

use std::cell::Cell;

use serde::Deserialize;
use serde::ser::{Serialize, SerializeSeq, Serializer};
use time::PrimitiveDateTime;

use super::url::{self, BaseUrl};
use super::{Activation, Label, Product, ProductType, Repository, Trees};
use crate::json::to_json;
use crate::params::blank_text;

/// No tree of SUSE's is deeper than five. RMT would follow a longer one until its stack is full.
const DEEPEST: usize = 64;

/// No tree of SUSE's has more than some hundred places. Where each of many products extends each of
/// the others the places have no end in practice, though no path has a circle.
const MOST_PLACES: usize = 20_000;

/// How clients ask zypper to refresh a service, in seconds.
const SERVICE_TTL: u32 = 86_400;

/// What answers depend on besides the catalog.
#[derive(Debug, Clone)]
pub struct Rendering {
    /// What the URLs in the answer begin with.
    pub base_url: BaseUrl,
    /// How this RMT's answers look.
    pub appearance: Appearance,
}

/// How answers about the catalog differ from one RMT to another; by default an RMT has no engines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Appearance {
    /// Extensions are as free as they are stored, not all of them: RMT with its `scc_proxy` engine.
    pub free_as_stored: bool,
    /// URLs of services and repositories are for SUSE's zypper plugin in public clouds: RMT with
    /// its `zypper_auth` engine.
    pub plugin_urls: bool,
    /// URLs in the XML of a service name the credentials: RMT with its `strict_authentication`
    /// engine.
    pub credentials_in_repoindex: bool,
    /// Hosts whose repositories the XML of a service leaves where they are
    /// (`mirroring.redirect_repo_hosts`).
    pub redirect_hosts: Vec<String>,
}

impl Rendering {
    /// As RMT answers without any engines.
    pub fn new(base_url: BaseUrl) -> Self {
        Self {
            base_url,
            appearance: Appearance::default(),
        }
    }

    /// The product `id` as the root of its tree, as JSON; nothing if it is not in `trees`.
    pub fn product(&self, trees: &Trees, id: u64) -> Option<String> {
        trees
            .product(id)
            .map(|root| to_json(&self.root(trees, root)))
    }

    /// The products `ids`, each as the root of its tree, as a JSON array; without those that are
    /// not in `trees`.
    pub fn products(&self, trees: &Trees, ids: &[u64]) -> String {
        let roots = ids.iter().filter_map(|id| trees.product(*id));
        to_json(&Array(|| roots.clone().map(|root| self.root(trees, root))))
    }

    /// The service of the product `product_id`, as JSON; nothing if the product is not in `trees`
    /// or has none. `obsoleted` is the name of the service it took the place of.
    pub fn service(
        &self,
        trees: &Trees,
        product_id: u64,
        obsoleted: Option<&str>,
    ) -> Option<String> {
        let product = trees.product(product_id)?;
        self.service_with(product, obsoleted, &self.product(trees, product_id)?)
    }

    /// The service of `product`, which is rendered already; nothing if it has none.
    pub(super) fn service_with(
        &self,
        product: &Product,
        obsoleted: Option<&str>,
        rendered: &str,
    ) -> Option<String> {
        let id = product.service_id?;
        let name = product.label.service_name();
        let mut service = to_json(&ServiceJson {
            id,
            url: self.service_url(id, &name),
            name,
            obsoleted_service_name: obsoleted.unwrap_or_default(),
        });
        // Its last key.
        service.pop();
        service.reserve(rendered.len() + 16);
        service.push_str(",\"product\":");
        service.push_str(rendered);
        service.push('}');
        Some(service)
    }

    /// `activations`, as a JSON array; without those whose product is not in `trees`.
    pub fn activations(&self, trees: &Trees, activations: &[Activation]) -> String {
        self.activations_with(activations, |id| {
            Some((trees.product(id)?, self.product(trees, id)?))
        })
    }

    /// `activations`, as a JSON array, with products that `rendered` knows; without those it does
    /// not.
    pub(crate) fn activations_with<'a>(
        &self,
        activations: &[Activation],
        rendered: impl Fn(u64) -> Option<(&'a Product, String)>,
    ) -> String {
        let shown = activations.iter().filter_map(|activation| {
            let (product, tree) = rendered(activation.product_id)?;
            let service = self.service_with(product, None, &tree)?;
            let subscription = activation.subscription.as_ref();
            let rest = to_json(&ActivationJson {
                regcode: subscription.map(|it| it.regcode.as_str()),
                name: subscription.map(|it| it.name.as_str()),
                status: subscription.and_then(|it| it.status_name()),
                starts_at: subscription.and_then(|it| it.starts_at).map(datetime),
                expires_at: subscription.and_then(|it| it.expires_at).map(datetime),
                kind: subscription.and_then(|it| it.kind_name()),
            });
            let Activation { id, system_id, .. } = activation;
            // Without the brace that begins it.
            let rest = &rest[1..];
            Some(format!(
                "{{\"id\":{id},\"system_id\":{system_id},\"service\":{service},{rest}"
            ))
        });
        format!("[{}]", shown.collect::<Vec<_>>().join(","))
    }

    /// `repositories`, as a JSON array.
    pub fn repositories<'a, I>(&self, repositories: I) -> String
    where
        I: IntoIterator<Item = &'a Repository> + Clone,
    {
        let shown = || {
            repositories
                .clone()
                .into_iter()
                .map(|it| self.repository(it))
        };
        to_json(&Array(shown))
    }

    /// What zypper reads of the service of `product`: XML with those `repositories` that are not
    /// for the installer only.
    pub fn repoindex(&self, product: &Label, repositories: &[Repository]) -> String {
        let credentials = self
            .appearance
            .credentials_in_repoindex
            .then(|| product.service_name());
        let shown = repositories.iter().filter(|it| !it.installer_updates);
        let start = format!("<repoindex ttl=\"{SERVICE_TTL}\">");
        self.index(start, shown, credentials.as_deref())
    }

    /// What clients of SMT read, of all their services at once: XML with `repositories`.
    pub fn legacy_repoindex(&self, repositories: &[Repository]) -> String {
        let credentials = self.base_url.smt_service_name();
        self.index("<repoindex>".to_owned(), repositories, Some(&credentials))
    }

    fn index<'a>(
        &self,
        mut xml: String,
        repositories: impl IntoIterator<Item = &'a Repository>,
        credentials: Option<&str>,
    ) -> String {
        for repository in repositories {
            let url = if self.redirected(repository) {
                repository.external_url.clone()
            } else {
                self.repository_url(repository, credentials)
            };
            xml.push_str("<repo url=\"");
            push_attribute(&mut xml, &url);
            for name in ["\" alias=\"", "\" name=\""] {
                xml.push_str(name);
                push_attribute(&mut xml, &repository.name);
            }
            let Repository {
                autorefresh,
                enabled,
                ..
            } = repository;
            xml.push_str(&format!(
                "\" autorefresh=\"{autorefresh}\" enabled=\"{enabled}\"/>"
            ));
        }
        xml.push_str("</repoindex>");
        xml
    }

    fn redirected(&self, repository: &Repository) -> bool {
        if self.appearance.redirect_hosts.is_empty() {
            return false;
        }
        let Some(host) = url::host(&repository.external_url) else {
            return false;
        };
        self.appearance.redirect_hosts.iter().any(|redirected| {
            let above = host.strip_suffix(&redirected.to_ascii_lowercase());
            above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    fn service_url(&self, id: u64, name: &str) -> String {
        if self.appearance.plugin_urls {
            return format!("plugin:/susecloud?credentials={name}&path=/services/{id}");
        }
        let name = url::form(name);
        format!("{}/services/{id}?credentials={name}", self.base_url)
    }

    fn repository_url(&self, repository: &Repository, credentials: Option<&str>) -> String {
        if self.appearance.plugin_urls {
            let (path, _) = url::repository_path(&repository.local_path);
            let credentials = credentials.unwrap_or_default();
            return format!("plugin:/susecloud?credentials={credentials}&path={path}");
        }
        match credentials {
            None => self.base_url.repository_url(&repository.local_path),
            // In the place of what query there is.
            Some(name) => {
                let (path, _) = url::repository_path(&repository.local_path);
                format!("{}{path}?credentials={}", self.base_url, url::query(name))
            }
        }
    }

    fn license_url(&self, product: &Product) -> String {
        match product.eula_url.as_deref() {
            Some(url) if !blank_text(url) => self.base_url.license_url(url),
            _ => String::new(),
        }
    }

    fn repository<'a>(&self, repository: &'a Repository) -> RepositoryJson<'a> {
        RepositoryJson {
            id: repository.id,
            name: &repository.name,
            url: self.repository_url(repository, None),
            description: repository.description.as_deref(),
            enabled: repository.enabled,
            autorefresh: repository.autorefresh,
        }
    }

    fn root<'a>(&'a self, trees: &'a Trees, root: &'a Product) -> Root<'a> {
        Root {
            rendering: self,
            trees,
            product: root,
        }
    }
}

/// What an activation shows after its service.
#[derive(serde::Serialize)]
struct ActivationJson<'a> {
    regcode: Option<&'a str>,
    name: Option<&'a str>,
    status: Option<&'a str>,
    starts_at: Option<String>,
    expires_at: Option<String>,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
}

/// A service without its last key, the product.
#[derive(serde::Serialize)]
struct ServiceJson<'a> {
    id: u64,
    name: String,
    url: String,
    obsoleted_service_name: &'a str,
}

#[derive(serde::Serialize)]
struct ProductJson<'a, R: Serialize, E: Serialize> {
    id: u64,
    name: Option<&'a str>,
    identifier: Option<&'a str>,
    former_identifier: Option<&'a str>,
    version: Option<&'a str>,
    release_type: Option<&'a str>,
    release_stage: Option<&'a str>,
    arch: Option<&'a str>,
    friendly_name: String,
    product_class: Option<&'a str>,
    cpe: Option<&'a str>,
    free: Option<bool>,
    description: Option<&'a str>,
    eula_url: String,
    repositories: R,
    product_type: &'static str,
    extensions: E,
    recommended: bool,
    available: bool,
}

#[derive(serde::Serialize)]
struct RepositoryJson<'a> {
    id: u64,
    name: &'a str,
    url: String,
    description: Option<&'a str>,
    enabled: bool,
    autorefresh: bool,
}

/// A product with everything that hangs on it.
struct Root<'a> {
    rendering: &'a Rendering,
    trees: &'a Trees,
    product: &'a Product,
}

impl Serialize for Root<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = Place {
            root: self,
            product: self.product,
            above: None,
            depth: 0,
            places_left: &Cell::new(MOST_PLACES),
        };
        place.serialize(serializer)
    }
}

/// A product in its place in a tree.
struct Place<'a> {
    root: &'a Root<'a>,
    product: &'a Product,
    above: Option<&'a Place<'a>>,
    depth: usize,
    places_left: &'a Cell<usize>,
}

impl<'a> Place<'a> {
    /// What hangs here. A product that stands above itself is left out, for there RMT would go on
    /// for ever.
    fn below(&'a self) -> impl Iterator<Item = Place<'a>> {
        let trees = self.root.trees;
        let children = match self.depth < DEEPEST {
            true => trees.children(self.root.product.label.id, self.product.label.id),
            false => &[],
        };
        children
            .iter()
            .filter(|id| !self.path().any(|place| place.product.label.id == **id))
            .filter_map(|id| trees.product(*id))
            .take_while(|_| {
                let left = self.places_left.get().checked_sub(1);
                left.inspect(|left| self.places_left.set(*left)).is_some()
            })
            .map(|product| Place {
                root: self.root,
                product,
                above: Some(self),
                depth: self.depth + 1,
                places_left: self.places_left,
            })
    }

    /// This place and all above it.
    fn path(&self) -> impl Iterator<Item = &Place<'a>> {
        std::iter::successors(Some(self), |place| place.above)
    }
}

impl Serialize for Place<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Root {
            rendering,
            trees,
            product: root,
        } = self.root;
        let product = self.product;
        let label = &product.label;
        let free_as_stored =
            rendering.appearance.free_as_stored && label.product_type == ProductType::Extension;
        let repositories = || {
            product
                .repositories
                .iter()
                .map(|it| rendering.repository(it))
        };
        let json = ProductJson {
            id: label.id,
            name: label.name.as_deref(),
            identifier: label.identifier.as_deref(),
            former_identifier: product.former_identifier.as_deref(),
            version: label.version.as_deref(),
            release_type: label.release_type.as_deref(),
            release_stage: product.release_stage.as_deref(),
            arch: label.known_arch().as_deref(),
            friendly_name: label.friendly_name(),
            product_class: product.product_class.as_deref(),
            cpe: product.cpe.as_deref(),
            free: if free_as_stored {
                product.free
            } else {
                Some(true)
            },
            description: product.description.as_deref(),
            eula_url: rendering.license_url(product),
            repositories: Array(repositories),
            product_type: label.product_type.name(),
            extensions: Array(|| self.below()),
            recommended: trees.recommended(root.label.id, label.id),
            available: product.available(),
        };
        json.serialize(serializer)
    }
}

/// What the function makes, written as it is made.
struct Array<F>(F);

impl<F, I> Serialize for Array<F>
where
    F: Fn() -> I,
    I: Iterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut array = serializer.serialize_seq(None)?;
        for element in (self.0)() {
            array.serialize_element(&element)?;
        }
        array.end()
    }
}

/// `2026-01-01T00:00:00.000Z`.
fn datetime(time: PrimitiveDateTime) -> String {
    let (hour, minute, second) = time.as_hms();
    format!(
        "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.millisecond()
    )
}

/// `text` as Ruby's builder escapes attributes: control characters are taken for those of Windows-1252,
/// and what XML forbids is replaced.
fn push_attribute(xml: &mut String, text: &str) {
    /// 0x80 to 0x9f in Windows-1252, where it has anything there.
    const WINDOWS: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\n' => xml.push_str("&#10;"),
            '\r' => xml.push_str("&#13;"),
            '\u{80}'..='\u{9f}' => xml.push(WINDOWS[c as usize - 0x80]),
            '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                xml.push('\u{fffd}');
            }
            _ => xml.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use serde_json::Value;
    use time::{Date, Month, Time};

    use super::super::tests::{label, product, repository};
    use super::super::{Edge, Subscription};
    use super::*;

    fn rendering() -> Rendering {
        Rendering::new(BaseUrl::parse("http://rmt").unwrap())
    }

    fn edge(root: u64, parent: u64, child: u64) -> Edge {
        Edge {
            root,
            parent,
            child,
            recommended: false,
        }
    }

    fn trees(ids: impl IntoIterator<Item = u64>, edges: &[Edge]) -> Trees {
        let products: HashMap<u64, Arc<Product>> = ids
            .into_iter()
            .map(|id| (id, Arc::new(product(id, &format!("P{id}")))))
            .collect();
        Trees::new(products, edges)
    }

    /// `1(2(3) 4)`.
    fn shape(product: &Value) -> String {
        let below: Vec<String> = product["extensions"]
            .as_array()
            .unwrap()
            .iter()
            .map(shape)
            .collect();
        match below.is_empty() {
            true => product["id"].to_string(),
            false => format!("{}({})", product["id"], below.join(" ")),
        }
    }

    fn rendered(trees: &Trees, id: u64) -> Value {
        serde_json::from_str(&rendering().product(trees, id).unwrap()).unwrap()
    }

    #[test]
    fn a_product_stands_under_each_of_its_parents() {
        let edges = [
            edge(1, 1, 3),
            edge(1, 1, 2),
            edge(1, 3, 4),
            edge(1, 2, 4),
            edge(9, 4, 5),
        ];
        assert_eq!(shape(&rendered(&trees(1..6, &edges), 1)), "1(3(4) 2(4))");
        assert_eq!(shape(&rendered(&trees(1..6, &edges), 3)), "3");
    }

    #[test]
    fn rows_given_twice_count_once() {
        let edges = [edge(1, 1, 2), edge(1, 1, 2), edge(1, 1, 3)];
        assert_eq!(shape(&rendered(&trees(1..4, &edges), 1)), "1(2 3)");
    }

    #[test]
    fn circles_are_cut_where_they_close() {
        let edges = [
            edge(1, 1, 1),
            edge(1, 1, 2),
            edge(1, 2, 3),
            edge(1, 3, 2),
            edge(1, 3, 1),
        ];
        assert_eq!(shape(&rendered(&trees(1..4, &edges), 1)), "1(2(3))");
    }

    #[test]
    fn trees_without_end_have_one() {
        let all: Vec<Edge> = (1..40)
            .flat_map(|parent| (1..40).map(move |child| edge(1, parent, child)))
            .collect();
        let body = rendering().product(&trees(1..40, &all), 1).unwrap();
        assert!(body.len() < MOST_PLACES * 1024);
        let chain: Vec<Edge> = (1..10_000).map(|id| edge(1, id, id + 1)).collect();
        let body = rendering().product(&trees(1..10_001, &chain), 1).unwrap();
        assert_eq!(body.matches("\"extensions\":[{").count(), DEEPEST);
    }

    #[test]
    fn recommended_is_what_any_row_of_this_root_says() {
        let said = |root, parent| Edge {
            recommended: true,
            ..edge(root, parent, 3)
        };
        let recommended = |edges: &[Edge]| {
            let tree = rendered(&trees(1..4, edges), 1);
            tree["extensions"][0]["recommended"].as_bool().unwrap()
        };
        assert!(recommended(&[edge(1, 1, 3), said(1, 2)]));
        assert!(!recommended(&[edge(1, 1, 3), said(2, 1)]));
    }

    #[test]
    fn only_extensions_can_cost_something_and_only_with_the_proxy() {
        let free = |product_type, stored, free_as_stored| {
            let mut trees = trees([1], &[]);
            let product = Arc::make_mut(trees.products.get_mut(&1).unwrap());
            product.label.product_type = product_type;
            product.free = stored;
            let mut rendering = rendering();
            rendering.appearance.free_as_stored = free_as_stored;
            let json: Value = serde_json::from_str(&rendering.product(&trees, 1).unwrap()).unwrap();
            json["free"].as_bool()
        };
        assert_eq!(free(ProductType::Extension, Some(false), false), Some(true));
        assert_eq!(free(ProductType::Extension, Some(false), true), Some(false));
        assert_eq!(free(ProductType::Extension, None, true), None);
        assert_eq!(free(ProductType::Module, Some(false), true), Some(true));
    }

    #[test]
    fn nothing_of_a_product_that_is_gone() {
        let mut trees = trees([1, 2], &[]);
        Arc::make_mut(trees.products.get_mut(&2).unwrap()).service_id = None;
        let rendering = rendering();
        assert_eq!(rendering.product(&trees, 7), None);
        assert_eq!(rendering.service(&trees, 7, None), None);
        assert_eq!(rendering.service(&trees, 2, None), None);
        assert_eq!(rendering.products(&trees, &[7]), "[]");
        let activation = Activation {
            id: 1,
            system_id: 2,
            product_id: 7,
            subscription: None,
        };
        assert_eq!(rendering.activations(&trees, &[activation]), "[]");
    }

    #[test]
    fn subscriptions_are_shown_beside_the_service() {
        let noon = Time::from_hms(12, 4, 5).unwrap();
        let day = Date::from_calendar_date(2026, Month::January, 2).unwrap();
        let subscription = Subscription {
            regcode: "R".into(),
            name: "N".into(),
            kind: "test".into(),
            status: "ACTIVE".into(),
            starts_at: Some(PrimitiveDateTime::new(day, noon)),
            expires_at: None,
        };
        let activation = Activation {
            id: 5,
            system_id: 6,
            product_id: 1,
            subscription: Some(subscription),
        };
        let body = rendering().activations(&trees([1], &[]), &[activation]);
        let end = r#","regcode":"R","name":"N","status":"active","starts_at":"2026-01-02T12:04:05.000Z","expires_at":null,"type":"is_test"}]"#;
        assert!(
            body.starts_with(r#"[{"id":5,"system_id":6,"service":{"id":1,"#),
            "{body}"
        );
        assert!(body.ends_with(end), "{body}");
    }

    #[test]
    fn services_name_what_they_took_the_place_of() {
        let mut trees = trees([1], &[]);
        Arc::make_mut(trees.products.get_mut(&1).unwrap())
            .label
            .name = Some("A+B (C)".into());
        let service = rendering().service(&trees, 1, Some("Old")).unwrap();
        let start = r#"{"id":1,"name":"A+B_(C)_x86_64","url":"http://rmt/services/1?credentials=A%2BB_%28C%29_x86_64","obsoleted_service_name":"Old","product":{"#;
        assert!(service.starts_with(start), "{service}");
    }

    #[test]
    fn repositories_for_the_installer_are_not_for_zypper() {
        let repositories = [
            repository(1, true, true),
            Repository {
                installer_updates: true,
                ..repository(2, true, true)
            },
            Repository {
                name: "<&\"'\n\u{1}\u{85}ä".into(),
                autorefresh: false,
                ..repository(3, false, true)
            },
        ];
        assert_eq!(
            rendering().repoindex(&label(1, "P"), &repositories),
            "<repoindex ttl=\"86400\">\
             <repo url=\"http://rmt/repo/1/\" alias=\"R1\" name=\"R1\" autorefresh=\"true\" enabled=\"true\"/>\
             <repo url=\"http://rmt/repo/3/\" alias=\"&lt;&amp;&quot;'&#10;\u{fffd}…ä\" \
             name=\"&lt;&amp;&quot;'&#10;\u{fffd}…ä\" autorefresh=\"false\" enabled=\"false\"/></repoindex>"
        );
        assert_eq!(
            rendering().repoindex(&label(1, "P"), &[]),
            "<repoindex ttl=\"86400\"></repoindex>"
        );
    }

    #[test]
    fn engines_change_urls() {
        let repositories = [repository(1, true, true)];
        let url = |rendering: &Rendering| {
            let xml = rendering.repoindex(&label(1, "A B"), &repositories);
            xml.split('"').nth(3).unwrap().to_owned()
        };
        let mut strict = rendering();
        strict.appearance.credentials_in_repoindex = true;
        assert_eq!(url(&strict), "http://rmt/repo/1/?credentials=A_B_x86_64");
        let mut plugin = rendering();
        plugin.appearance.plugin_urls = true;
        assert_eq!(
            url(&plugin),
            "plugin:/susecloud?credentials=&amp;path=/repo/1/"
        );
        let mut both = strict;
        both.appearance.plugin_urls = true;
        assert_eq!(
            url(&both),
            "plugin:/susecloud?credentials=A_B_x86_64&amp;path=/repo/1/"
        );
        assert_eq!(
            both.repositories(&repositories),
            r#"[{"id":1,"name":"R1","url":"plugin:/susecloud?credentials=\u0026path=/repo/1/","description":null,"enabled":true,"autorefresh":true}]"#
        );
    }

    #[test]
    fn redirected_hosts_keep_their_repositories() {
        let url = |host: &str| {
            let mut rendering = rendering();
            rendering.appearance.redirect_hosts = vec![host.to_owned()];
            let xml = rendering.repoindex(&label(1, "A"), &[repository(1, true, true)]);
            xml.split('"').nth(3).unwrap().to_owned()
        };
        assert_eq!(url("updates.SUSE.com"), "https://updates.suse.com/1/");
        assert_eq!(url("suse.com"), "https://updates.suse.com/1/");
        assert_eq!(url("use.com"), "http://rmt/repo/1/");
    }
}
