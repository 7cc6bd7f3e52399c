//! A product with all that is asked of it, as of one moment.

use std::sync::{Arc, Mutex, PoisonError};

use super::memory::{Purse, Share};
use super::template::Template;
use super::{Appearance, Product, Related, Relatives, Rendering, Trees};

/// A product in its tree, what it extends and what it takes the place of. Nothing of it changes: what
/// the catalog says later is another one.
#[derive(Debug)]
pub struct Known {
    product: Arc<Product>,
    trees: Trees,
    relatives: Relatives,
    related: Vec<Related>,
    /// What it takes of the memory, if it is remembered: only then is anything kept of its answers.
    share: Option<Share>,
    tree: Sheet,
    index: Sheet,
}

impl Known {
    /// `trees` is the one of `product`; `related` is what it takes the place of, or the other way
    /// round.
    pub(crate) fn new(
        product: Arc<Product>,
        trees: Trees,
        relatives: Relatives,
        related: Vec<Related>,
    ) -> Self {
        Self {
            product,
            trees,
            relatives,
            related,
            share: None,
            tree: Sheet::default(),
            index: Sheet::default(),
        }
    }

    /// The product, with its repositories.
    pub fn product(&self) -> &Product {
        &self.product
    }

    /// What it extends.
    pub fn relatives(&self) -> &Relatives {
        &self.relatives
    }

    /// Whether `product` is this one, or one of them takes the place of the other.
    pub(crate) fn is_related(&self, product: u64) -> bool {
        product == self.product.label.id || self.related.iter().any(|it| it.product == product)
    }

    /// The services of all that [is related](Known::is_related).
    pub(crate) fn related_services(&self) -> Vec<u64> {
        let others = self.related.iter().map(|it| it.service);
        others.chain([self.product.service_id]).flatten().collect()
    }

    /// All products in its tree.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Product>> {
        self.trees.all()
    }

    /// It as the root of its tree, as JSON.
    pub fn tree(&self, rendering: &Rendering) -> String {
        let id = self.product.label.id;
        self.tree.fill(self.purse(), rendering, |rendering| {
            // It is in its own tree.
            rendering.product(&self.trees, id).unwrap_or_default()
        })
    }

    /// Its service, as JSON; nothing if it has none. `obsoleted` is the name of the service it took
    /// the place of.
    pub fn service(&self, rendering: &Rendering, obsoleted: Option<&str>) -> Option<String> {
        self.product.service_id?;
        rendering.service_with(&self.product, obsoleted, &self.tree(rendering))
    }

    /// What zypper reads of its service.
    pub fn repoindex(&self, rendering: &Rendering) -> String {
        self.index.fill(self.purse(), rendering, |rendering| {
            rendering.repoindex(&self.product.label, &self.product.repositories)
        })
    }

    /// Charges `purse` for it, and keeps from now on what is rendered. False when it costs too much.
    pub(super) fn charge(&mut self, purse: &Arc<Purse>) -> bool {
        self.share = purse.take(self.size());
        self.share.is_some()
    }

    fn purse(&self) -> Option<&Arc<Purse>> {
        self.share.as_ref().map(Share::purse)
    }

    /// About how many bytes it takes.
    fn size(&self) -> usize {
        let products: usize = self.all().map(|it| product_size(it)).sum();
        let names = self.relatives.bases.len() + self.relatives.roots.len();
        // What maps and lists cost, too.
        products * 5 / 4 + names * 512 + self.related.len() * 32 + 1024
    }
}

fn product_size(product: &Product) -> usize {
    let texts = [
        &product.label.name,
        &product.label.identifier,
        &product.label.version,
        &product.label.release_type,
        &product.label.arch,
        &product.label.friendly_version,
        &product.description,
        &product.former_identifier,
        &product.product_class,
        &product.release_stage,
        &product.eula_url,
        &product.cpe,
        &product.shortname,
    ];
    let length = |text: &Option<String>| text.as_deref().map_or(0, str::len);
    let texts: usize = texts.into_iter().map(length).sum();
    let repositories = product.repositories.iter().map(|it| {
        let texts = [&it.name, &it.external_url, &it.local_path];
        let texts: usize = texts.into_iter().map(String::len).sum();
        size_of_val(it) + texts + length(&it.description)
    });
    size_of::<Product>() + texts + repositories.sum::<usize>()
}

/// Where an answer's template is kept.
#[derive(Debug, Default)]
struct Sheet(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    appearance: Appearance,
    template: Arc<Template>,
    /// What it takes of the memory.
    _share: Share,
}

impl Sheet {
    /// What `render` makes with `rendering`; by the template, if there is a `purse` to pay for it.
    fn fill(
        &self,
        purse: Option<&Arc<Purse>>,
        rendering: &Rendering,
        render: impl Fn(&Rendering) -> String,
    ) -> String {
        let template = purse.and_then(|purse| self.template(purse, rendering, &render));
        match template {
            Some(template) => template.fill(&rendering.base_url),
            None => render(rendering),
        }
    }

    fn template(
        &self,
        purse: &Arc<Purse>,
        rendering: &Rendering,
        render: &impl Fn(&Rendering) -> String,
    ) -> Option<Arc<Template>> {
        // Held while it is rendered: who asks for the same has it then, and not twice the work.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept
            .as_ref()
            .filter(|it| it.appearance == rendering.appearance)
        {
            return Some(Arc::clone(&kept.template));
        }
        purse.note_appearance(&rendering.appearance);
        *kept = None;
        let template = Arc::new(Template::of(rendering, render)?);
        let share = purse.take(template.size())?;
        *kept = Some(Kept {
            appearance: rendering.appearance.clone(),
            template: Arc::clone(&template),
            _share: share,
        });
        Some(template)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::tests::{product, repository};
    use super::super::{BaseUrl, Edge, ProductType, Repository};
    use super::*;

    fn text() -> impl Strategy<Value = String> {
        let odd = prop_oneof![
            Just("\u{10fffd}base;".to_owned()),
            Just("<&\"\u{2028}".to_owned()),
            Just("http://h/ä b?q=1#f".to_owned()),
        ];
        prop_oneof![8 => ".{0,12}", 1 => odd]
    }

    fn license() -> impl Strategy<Value = Option<String>> {
        let url = prop_oneof![
            Just(String::new()),
            Just("file:///license".to_owned()),
            "(http|https|ftp|gopher|ws|HTTPS)://[a-z]{1,5}(:[0-9]{1,4})?/[a-z./%?#]{0,8}",
            text(),
        ];
        proptest::option::of(url)
    }

    fn some_product(id: u64) -> impl Strategy<Value = Product> {
        let kind = prop_oneof![
            Just(ProductType::Base),
            Just(ProductType::Extension),
            Just(ProductType::Other)
        ];
        let repositories = proptest::collection::vec((text(), text(), any::<[bool; 3]>()), 0..3);
        (text(), license(), kind, any::<bool>(), repositories).prop_map(
            move |(name, eula_url, product_type, free, repositories)| {
                let mut product = product(id, &name);
                product.label.product_type = product_type;
                product.eula_url = eula_url;
                product.free = Some(free);
                product.description = Some(name);
                product.repositories = (1..)
                    .zip(repositories)
                    .map(|(n, (name, local_path, flags))| Repository {
                        name,
                        local_path,
                        installer_updates: flags[2],
                        ..repository(id * 10 + n, flags[0], flags[1])
                    })
                    .collect();
                product
            },
        )
    }

    fn some_rendering() -> impl Strategy<Value = Rendering> {
        let base = "(http|https)://[a-z]{1,8}(:(80|443|21|8443))?";
        let hosts = prop_oneof![Just(vec![]), Just(vec!["updates.suse.com".to_owned()])];
        (base, any::<[bool; 3]>(), hosts).prop_map(|(base, flags, redirect_hosts)| Rendering {
            base_url: BaseUrl::parse(&base).unwrap(),
            appearance: Appearance {
                free_as_stored: flags[0],
                plugin_urls: flags[1],
                credentials_in_repoindex: flags[2],
                redirect_hosts,
            },
        })
    }

    fn known(products: &[Product]) -> Known {
        let edges: Vec<Edge> = (2..=products.len() as u64)
            .map(|id| Edge {
                root: 1,
                parent: id / 2,
                child: id,
                recommended: id % 2 == 0,
            })
            .collect();
        let products: HashMap<u64, Arc<Product>> = products
            .iter()
            .map(|product| (product.label.id, Arc::new(product.clone())))
            .collect();
        let root = Arc::clone(&products[&1]);
        Known::new(
            root,
            Trees::new(products, &edges),
            Relatives::default(),
            vec![],
        )
    }

    proptest! {
        #[test]
        fn what_is_remembered_looks_as_what_is_rendered(
            products in (some_product(1), some_product(2), some_product(3), some_product(4)),
            renderings in proptest::collection::vec(some_rendering(), 1..4),
            obsoleted in proptest::option::of(text()),
        ) {
            let products: [Product; 4] = products.into();
            let purse = Arc::new(Purse::new(1 << 20));
            let plain = known(&products);
            let mut remembered = known(&products);
            prop_assert!(remembered.charge(&purse));
            // Each twice: made, and filled in.
            for rendering in renderings.iter().chain(&renderings) {
                prop_assert_eq!(remembered.tree(rendering), plain.tree(rendering));
                let obsoleted = obsoleted.as_deref();
                prop_assert_eq!(
                    remembered.service(rendering, obsoleted),
                    rendering.service(&plain.trees, 1, obsoleted)
                );
                prop_assert_eq!(remembered.repoindex(rendering), plain.repoindex(rendering));
            }
        }
    }

    #[test]
    fn what_costs_too_much_is_rendered_each_time() {
        let products = [product(1, "P")];
        let rendering = Rendering::new(BaseUrl::parse("http://rmt").unwrap());
        let size = known(&products).size();
        let purse = Arc::new(Purse::new(size + 10));
        let mut remembered = known(&products);
        assert!(remembered.charge(&purse));
        assert_eq!(
            remembered.tree(&rendering),
            known(&products).tree(&rendering)
        );
        assert!(remembered.tree.0.lock().unwrap().is_none());
        assert!(!known(&products).charge(&purse));
        drop(remembered);
        assert!(known(&products).charge(&purse));
    }
}
