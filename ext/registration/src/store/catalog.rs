//! Statements on products, services, repositories and what connects them. None of them writes.
//!
//! RMT mostly leaves the order of rows to the database. What MariaDB makes of its statements on a
//! catalog of SUSE's size is said where it was found out, and asked for here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySql, QueryBuilder, Row};

use super::session::{Interruption, Session};
use crate::catalog::{
    Activation, Edge, Known, Label, Product, ProductType, Related, Relatives, Repository,
    Subscription, Trees,
};

/// Columns of [`Label`]; the table is `p`.
pub(super) const LABEL: &str = "p.id, p.name, p.identifier, p.version, p.release_type, p.arch, \
                     p.friendly_version, p.product_type";

/// Columns of [`Product`] besides those; its service is `s`.
const REST: &str = "p.description, p.former_identifier, p.product_class, p.release_stage, \
                    p.eula_url, p.free, p.cpe, p.shortname, s.id AS service_id";

/// Columns of [`Repository`]; the table is `r`. (A union of NULL and an unsigned number is no number.)
const REPOSITORY: &str = "r.id AS repository_id, CAST(r.scc_id AS SIGNED) AS scc_id, r.name AS repository_name, \
                          r.description AS repository_description, r.enabled, r.autorefresh, \
                          r.external_url, r.local_path, r.installer_updates, \
                          r.mirroring_enabled, r.last_mirrored_at IS NOT NULL AS mirrored";

/// What a column of a product shall be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// Anything, NULL included.
    #[default]
    Any,
    /// NULL.
    Null,
    /// One of these, which the collation takes without regard to case; nothing if there are none.
    OneOf(Vec<String>),
}

impl Wanted {
    /// This text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::OneOf(vec![text.into()])
    }

    /// This version or its other spelling, `12.5` for `12-5` and `15` for `15.0` (RMT:
    /// `Product.clean_up_version`).
    pub fn version(version: &str) -> Self {
        Self::OneOf(spellings(version))
    }
}

/// `version` and its other spelling, see [`Wanted::version`].
pub(crate) fn spellings(version: &str) -> Vec<String> {
    let dots = version.replace('-', ".");
    let clean = dots.strip_suffix(".0").unwrap_or(&dots);
    let mut versions = vec![version.to_owned()];
    if clean != version {
        versions.push(clean.to_owned());
    }
    versions
}

/// Which products are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Criteria {
    /// `products.identifier`.
    pub identifier: Wanted,
    /// `products.version`.
    pub version: Wanted,
    /// `products.arch`.
    pub arch: Wanted,
    /// `products.release_type`.
    pub release_type: Wanted,
}

impl Criteria {
    /// Of one column; the statement has room for 65,535 in all.
    pub(crate) const MOST_VALUES: usize = 20;

    /// Of all texts together, in bytes, with what holds them.
    pub(crate) fn length(&self) -> usize {
        let columns = [
            &self.identifier,
            &self.version,
            &self.arch,
            &self.release_type,
        ];
        let texts = columns.into_iter().filter_map(|wanted| match wanted {
            Wanted::OneOf(texts) => Some(texts),
            Wanted::Any | Wanted::Null => None,
        });
        texts
            .flatten()
            .map(|it| it.len() + size_of::<String>())
            .sum()
    }

    /// Adds `AND …` for each.
    pub(super) fn push(&self, query: &mut QueryBuilder<MySql>) {
        for (column, wanted) in [
            ("p.identifier", &self.identifier),
            ("p.version", &self.version),
            ("p.arch", &self.arch),
            ("p.release_type", &self.release_type),
        ] {
            match wanted {
                Wanted::Any => {}
                Wanted::Null => {
                    query.push(" AND ").push(column).push(" IS NULL");
                }
                Wanted::OneOf(texts) if texts.is_empty() => {
                    query.push(" AND FALSE");
                }
                Wanted::OneOf(texts) => {
                    query.push(" AND ").push(column).push(" IN (");
                    let mut list = query.separated(", ");
                    for text in texts {
                        list.push_bind(text);
                    }
                    query.push(")");
                }
            }
        }
    }
}

/// From what is extended, and whether as a root.
fn relatives(rows: &[(bool, Label)]) -> Relatives {
    let mut relatives = Relatives::default();
    for (is_root, label) in rows {
        if !is_root {
            relatives.bases.push(label.clone());
        } else if !relatives.roots.contains(label) {
            relatives.roots.push(label.clone());
        }
    }
    relatives
}

/// What was read, and in which version of the catalog, if that is known: both in one statement, so that
/// they belong together.
pub(crate) type Versioned<T> = (T, Option<u64>);

/// What is read of trees.
#[derive(Default)]
struct Rows {
    version: Option<u64>,
    products: HashMap<u64, Arc<Product>>,
    edges: Vec<Edge>,
    /// By the products they are for.
    relatives: HashMap<u64, Vec<(bool, Label)>>,
    related: HashMap<u64, Vec<Related>>,
}

impl Session {
    /// The product that `criteria` describe, without repositories. Of several the one with the
    /// lowest id, as RMT's search of the table finds it first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn find_product(
        &mut self,
        criteria: &Criteria,
    ) -> Result<Option<Product>, Interruption> {
        let (product, _) = self.find_versioned(criteria).await?;
        Ok(product)
    }

    /// As [`Session::find_product`].
    pub(crate) async fn find_versioned(
        &mut self,
        criteria: &Criteria,
    ) -> Result<Versioned<Option<Product>>, Interruption> {
        self.check_length(criteria.length())?;
        let mut query = self.products();
        query.push(" FROM products p LEFT JOIN services s ON s.product_id = p.id WHERE TRUE");
        criteria.push(&mut query);
        query.push(" ORDER BY p.id LIMIT 1");
        self.one_product(query).await
    }

    /// The beginning of a query for whole products, without `FROM`.
    fn products(&self) -> QueryBuilder<MySql> {
        let version = self.version();
        QueryBuilder::new(format!(
            "SELECT {version} AS version_of_all, {LABEL}, {REST}"
        ))
    }

    /// The version of the catalog, if it is known.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn catalog_version(&mut self) -> Result<Option<u64>, Interruption> {
        if !self.has_versions() {
            return Ok(None);
        }
        let query = format!("SELECT {} AS version_of_all", self.version());
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            let row = sqlx::query(AssertSqlSafe(query))
                .fetch_one(self.connection())
                .await?;
            Ok(row.try_get_unchecked("version_of_all")?)
        })
        .await
    }

    /// Base products that systems may register with, as far as that is known: of those that are
    /// mirrored the latest.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn mirrored_bases(&mut self, most: u32) -> Result<Vec<u64>, Interruption> {
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            let rows = sqlx::query(
                "SELECT p.id FROM products p WHERE p.product_type = 'base' AND EXISTS ( \
                   SELECT 1 FROM services s JOIN repositories_services l ON l.service_id = s.id \
                   JOIN repositories r ON r.id = l.repository_id \
                   WHERE s.product_id = p.id AND r.mirroring_enabled) ORDER BY p.id DESC LIMIT ?",
            )
            .bind(most)
            .fetch_all(self.connection())
            .await?;
            let ids = rows.iter().map(|row| row.try_get_unchecked("id"));
            Ok(ids.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The product of the service `service_id`, without repositories.
    ///
    /// # Errors
    /// What the database says.
    pub async fn product_of_service(
        &mut self,
        service_id: u64,
    ) -> Result<Option<Product>, Interruption> {
        let (product, _) = self.product_of_service_versioned(service_id).await?;
        Ok(product)
    }

    /// As [`Session::product_of_service`].
    pub(crate) async fn product_of_service_versioned(
        &mut self,
        service_id: u64,
    ) -> Result<Versioned<Option<Product>>, Interruption> {
        let mut query = self.products();
        query
            .push(" FROM services s JOIN products p ON p.id = s.product_id WHERE s.id = ")
            .push_bind(service_id);
        self.one_product(query).await
    }

    async fn one_product(
        &mut self,
        mut query: QueryBuilder<MySql>,
    ) -> Result<Versioned<Option<Product>>, Interruption> {
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            match query.build().fetch_optional(self.connection()).await? {
                Some(row) => Ok((
                    Some(product(&row)?),
                    row.try_get_unchecked("version_of_all")?,
                )),
                None => Ok((None, None)),
            }
        })
        .await
    }

    /// The repositories of a service, by their ids: RMT's join runs through the unique key on
    /// service and repository.
    ///
    /// # Errors
    /// What the database says.
    pub async fn repositories(&mut self, service_id: u64) -> Result<Vec<Repository>, Interruption> {
        let mut query = QueryBuilder::<MySql>::new("SELECT ");
        query.push(REPOSITORY).push(
            " FROM repositories_services l JOIN repositories r ON r.id = l.repository_id \
             WHERE l.service_id = ",
        );
        query.push_bind(service_id).push(" ORDER BY r.id");
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            let rows = query.build().fetch_all(self.connection()).await?;
            Ok(rows.iter().map(repository).collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The trees of the products `roots`, in one statement however many and large they are.
    ///
    /// Rows of `products_extensions` name the root they are for, so that a tree needs no search
    /// for the branches of branches. Children come by their ids: MariaDB answers RMT's `DISTINCT`
    /// through the unique key on parent, extension and root. (Where a parent has more than some ten
    /// rows for all of its roots, in a table of thousands, it intersects two other keys instead, and
    /// they come in the order of the rows. Nobody can rely on either.)
    ///
    /// # Errors
    /// What the database says.
    pub async fn trees(&mut self, roots: &[u64]) -> Result<Trees, Interruption> {
        let limit = self.statement_timeout();
        Self::bounded(limit, self.trees_unbounded(roots)).await
    }

    async fn trees_unbounded(&mut self, roots: &[u64]) -> Result<Trees, Interruption> {
        let rows = self.rows_of_trees(roots, false).await?;
        Ok(Trees::new(rows.products, &rows.edges))
    }

    /// The products `ids`, as far as they are there, each in its tree and with what it extends, in
    /// the order of the rows that say so. One statement.
    ///
    /// What they take the place of is there too when the version is.
    ///
    /// # Errors
    /// What the database says.
    pub async fn surroundings(
        &mut self,
        ids: &[u64],
    ) -> Result<(Vec<Known>, Option<u64>), Interruption> {
        let limit = self.statement_timeout();
        let mut rows = Self::bounded(limit, self.rows_of_trees(ids, true)).await?;
        let mut known = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(product) = rows.products.get(id) else {
                continue;
            };
            let edges: Vec<Edge> = (rows.edges.iter())
                .filter(|edge| edge.root == *id)
                .copied()
                .collect();
            let among = |it: &u64| it == id || edges.iter().any(|edge| edge.child == *it);
            let products = (rows.products.iter())
                .filter(|(id, _)| among(id))
                .map(|(id, product)| (*id, Arc::clone(product)));
            let trees = Trees::new(products.collect(), &edges);
            let named = rows.relatives.get(id).map_or(&[][..], Vec::as_slice);
            let related = rows.related.remove(id).unwrap_or_default();
            let product = Arc::clone(product);
            known.push(Known::new(product, trees, relatives(named), related));
        }
        Ok((known, rows.version))
    }

    /// Rows of four kinds: products in their places in the trees (the roots hang on nothing), the
    /// products that they extend, those they take the place of or the other way round, and the
    /// repositories of all products in the trees.
    async fn rows_of_trees(
        &mut self,
        roots: &[u64],
        with_others: bool,
    ) -> Result<Rows, Interruption> {
        if roots.is_empty() {
            return Ok(Rows::default());
        }
        // Descriptions, which are long, stay out of the inner table, which thus fits into memory;
        // rows are sorted here for the same reason.
        let mut query = QueryBuilder::<MySql>::new(format!(
            "SELECT e.kind, e.edge, e.root, e.parent, e.recommended, {} AS version_of_all, ",
            self.version()
        ));
        // What is extended is only named.
        let rest = REST.replace(
            "p.description",
            "IF(e.kind = 'place', p.description, NULL) AS description",
        );
        query.push(LABEL).push(", ").push(rest);
        query.push(", ").push(nulls(REPOSITORY));
        query.push(
            " FROM (SELECT 'place' AS kind, 0 AS edge, 0 AS root, 0 AS parent, \
             FALSE AS recommended, id AS product FROM products WHERE id IN (",
        );
        push_ids(&mut query, roots);
        query.push(
            ") UNION ALL SELECT 'place', id, root_product_id, product_id, recommended, \
             extension_id FROM products_extensions WHERE root_product_id IN (",
        );
        push_ids(&mut query, roots);
        query.push(")");
        let mut others = Vec::new();
        if with_others {
            others.push(("base", "products_extensions", "extension_id", "product_id"));
            others.push((
                "root",
                "products_extensions",
                "extension_id",
                "root_product_id",
            ));
        }
        if with_others && self.has_versions() {
            others.push((
                "related",
                "product_predecessors",
                "product_id",
                "predecessor_id",
            ));
            others.push((
                "related",
                "product_predecessors",
                "predecessor_id",
                "product_id",
            ));
        }
        for (kind, table, of, other) in others {
            query.push(format!(
                " UNION ALL SELECT '{kind}', id, {of}, 0, FALSE, {other} FROM {table} WHERE {of} IN ("
            ));
            push_ids(&mut query, roots);
            query.push(")");
        }
        query.push(
            ") e JOIN products p ON p.id = e.product LEFT JOIN services s ON s.product_id = p.id \
             UNION ALL SELECT 'repository', 0, 0, 0, FALSE, NULL, ",
        );
        query.push(nulls(LABEL)).push(", ");
        query.push(nulls(REST).replace("NULL AS service_id", "s.id"));
        query.push(", ").push(REPOSITORY);
        query.push(" FROM (SELECT id AS product FROM products WHERE id IN (");
        push_ids(&mut query, roots);
        query.push(
            ") UNION SELECT extension_id FROM products_extensions WHERE root_product_id IN (",
        );
        push_ids(&mut query, roots);
        query.push(
            ")) e JOIN services s ON s.product_id = e.product \
             JOIN repositories_services l ON l.service_id = s.id \
             JOIN repositories r ON r.id = l.repository_id",
        );

        let mut rows = Rows::default();
        let mut products: HashMap<u64, Product> = HashMap::new();
        let mut repositories: HashMap<u64, Vec<Repository>> = HashMap::new();
        let mut relatives = Vec::new();
        for row in query.build().fetch_all(self.connection()).await? {
            let kind = row.try_get_unchecked("kind")?;
            if kind == "repository" {
                let service = row.try_get_unchecked("service_id")?;
                let its: &mut Vec<_> = repositories.entry(service).or_default();
                its.push(repository(&row)?);
                continue;
            }
            rows.version = row.try_get_unchecked("version_of_all")?;
            let id: u64 = row.try_get_unchecked("id")?;
            let root: u64 = row.try_get_unchecked("root")?;
            match kind {
                "place" => {
                    if root > 0 {
                        let recommended: Option<bool> = row.try_get_unchecked("recommended")?;
                        rows.edges.push(Edge {
                            root,
                            parent: row.try_get_unchecked("parent")?,
                            child: id,
                            recommended: recommended.unwrap_or_default(),
                        });
                    }
                    if let Entry::Vacant(entry) = products.entry(id) {
                        entry.insert(product(&row)?);
                    }
                }
                "related" => {
                    let related = rows.related.entry(root).or_default();
                    related.push(Related {
                        product: id,
                        service: row.try_get_unchecked("service_id")?,
                    });
                }
                kind => {
                    let edge: u64 = row.try_get_unchecked("edge")?;
                    relatives.push((edge, root, kind == "root", label(&row)?));
                }
            }
        }
        rows.edges.sort_by_key(|edge| edge.child);
        relatives.sort_by_key(|(edge, ..)| *edge);
        for (_, product, is_root, label) in relatives {
            let its = rows.relatives.entry(product).or_default();
            its.push((is_root, label));
        }
        for (id, mut product) in products {
            let service = product.service_id.and_then(|id| repositories.remove(&id));
            product.repositories = service.unwrap_or_default();
            product.repositories.sort_by_key(|it| it.id);
            rows.products.insert(id, Arc::new(product));
        }
        Ok(rows)
    }

    /// The mirrored repositories of all services that a system has activated, by service and
    /// repository: RMT's join runs through the unique keys on both. One that is in several
    /// services comes as often.
    ///
    /// # Errors
    /// What the database says.
    pub async fn mirrored_repositories(
        &mut self,
        system_id: u64,
    ) -> Result<Vec<Repository>, Interruption> {
        let mut query = QueryBuilder::<MySql>::new("SELECT ");
        query.push(REPOSITORY).push(
            " FROM activations a JOIN repositories_services l ON l.service_id = a.service_id \
             JOIN repositories r ON r.id = l.repository_id \
             WHERE r.mirroring_enabled AND a.system_id = ",
        );
        query.push_bind(system_id);
        query.push(" ORDER BY a.service_id, r.id");
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            let rows = query.build().fetch_all(self.connection()).await?;
            Ok(rows.iter().map(repository).collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The activations of a system, by their ids.
    ///
    /// # Errors
    /// What the database says.
    pub async fn activations(
        &mut self,
        system_id: u64,
    ) -> Result<(Vec<Activation>, Option<u64>), Interruption> {
        let query = format!(
            "SELECT {} AS version_of_all, a.id, a.system_id, v.product_id, s.regcode, s.name, \
             s.kind, s.status, s.starts_at, s.expires_at FROM activations a \
             JOIN services v ON v.id = a.service_id \
             LEFT JOIN subscriptions s ON s.id = a.subscription_id \
             WHERE a.system_id = ? ORDER BY a.id",
            self.version()
        );
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            let rows = sqlx::query(AssertSqlSafe(query))
                .bind(system_id)
                .fetch_all(self.connection())
                .await?;
            let version = match rows.first() {
                Some(row) => row.try_get_unchecked("version_of_all")?,
                None => None,
            };
            let activations = rows.iter().map(activation).collect::<Result<_, _>>()?;
            Ok((activations, version))
        })
        .await
    }

    /// Those products of a subscription that `criteria` describe, by their ids.
    ///
    /// # Errors
    /// What the database says.
    pub async fn subscription_products(
        &mut self,
        subscription_id: u64,
        criteria: &Criteria,
    ) -> Result<Vec<Label>, Interruption> {
        let mut query = QueryBuilder::new("SELECT ");
        query.push(LABEL).push(
            " FROM products p JOIN subscription_product_classes c \
             ON c.product_class = p.product_class WHERE c.subscription_id = ",
        );
        query.push_bind(subscription_id);
        criteria.push(&mut query);
        query.push(" ORDER BY p.id");
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            let rows = query.build().fetch_all(self.connection()).await?;
            Ok(rows.iter().map(label).collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// As many NULLs as there are `columns`, under their names.
fn nulls(columns: &str) -> String {
    let names = columns.split(", ").map(|column| {
        let name = column.rsplit_once(" AS ").map(|(_, name)| name);
        let name = name.or(column.split_once('.').map(|(_, name)| name));
        format!("NULL AS {}", name.unwrap_or(column).trim())
    });
    names.collect::<Vec<_>>().join(", ")
}

/// `?, ?, …`, [`padded`].
pub(super) fn push_ids(query: &mut QueryBuilder<MySql>, ids: &[u64]) {
    let mut list = query.separated(", ");
    for id in padded(ids) {
        list.push_bind(id);
    }
}

/// The last one repeated until there are 1, 2, 4, 8 …, so that few statements differ and the server
/// knows most of them already.
pub(super) fn padded(ids: &[u64]) -> impl Iterator<Item = u64> {
    let padding = ids.last().into_iter().cycle();
    let all = ids.iter().chain(padding);
    all.take(ids.len().next_power_of_two()).copied()
}

pub(super) fn label(row: &MySqlRow) -> Result<Label, sqlx::Error> {
    let product_type: Option<String> = row.try_get_unchecked("product_type")?;
    Ok(Label {
        id: row.try_get_unchecked("id")?,
        name: row.try_get_unchecked("name")?,
        identifier: row.try_get_unchecked("identifier")?,
        version: row.try_get_unchecked("version")?,
        release_type: row.try_get_unchecked("release_type")?,
        arch: row.try_get_unchecked("arch")?,
        friendly_version: row.try_get_unchecked("friendly_version")?,
        product_type: ProductType::of(product_type.as_deref()),
    })
}

fn product(row: &MySqlRow) -> Result<Product, sqlx::Error> {
    Ok(Product {
        label: label(row)?,
        description: row.try_get_unchecked("description")?,
        former_identifier: row.try_get_unchecked("former_identifier")?,
        product_class: row.try_get_unchecked("product_class")?,
        release_stage: row.try_get_unchecked("release_stage")?,
        eula_url: row.try_get_unchecked("eula_url")?,
        free: row.try_get_unchecked("free")?,
        cpe: row.try_get_unchecked("cpe")?,
        shortname: row.try_get_unchecked("shortname")?,
        service_id: row.try_get_unchecked("service_id")?,
        repositories: Vec::new(),
    })
}

fn repository(row: &MySqlRow) -> Result<Repository, sqlx::Error> {
    Ok(Repository {
        id: row.try_get_unchecked("repository_id")?,
        scc_id: row.try_get_unchecked("scc_id")?,
        name: row.try_get_unchecked("repository_name")?,
        description: row.try_get_unchecked("repository_description")?,
        enabled: row.try_get_unchecked("enabled")?,
        autorefresh: row.try_get_unchecked("autorefresh")?,
        external_url: row.try_get_unchecked("external_url")?,
        local_path: row.try_get_unchecked("local_path")?,
        installer_updates: row.try_get_unchecked("installer_updates")?,
        mirroring_enabled: row.try_get_unchecked("mirroring_enabled")?,
        mirrored: row.try_get_unchecked("mirrored")?,
    })
}

fn activation(row: &MySqlRow) -> Result<Activation, sqlx::Error> {
    let regcode: Option<String> = row.try_get_unchecked("regcode")?;
    let subscription = match regcode {
        None => None,
        Some(regcode) => Some(Subscription {
            regcode,
            name: row.try_get_unchecked("name")?,
            kind: row.try_get_unchecked("kind")?,
            status: row.try_get_unchecked("status")?,
            starts_at: row.try_get_unchecked("starts_at")?,
            expires_at: row.try_get_unchecked("expires_at")?,
        }),
    };
    Ok(Activation {
        id: row.try_get_unchecked("id")?,
        system_id: row.try_get_unchecked("system_id")?,
        product_id: row.try_get_unchecked("product_id")?,
        subscription,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_two_spellings_at_most() {
        for (version, spellings) in [
            ("15.6", vec!["15.6"]),
            ("12-5", vec!["12-5", "12.5"]),
            ("15.0", vec!["15.0", "15"]),
            ("15-SP6.0", vec!["15-SP6.0", "15.SP6"]),
            ("1.0.0", vec!["1.0.0", "1.0"]),
            ("", vec![""]),
        ] {
            let spellings = spellings.into_iter().map(str::to_owned).collect();
            assert_eq!(Wanted::version(version), Wanted::OneOf(spellings));
        }
    }

    #[test]
    fn lists_of_ids_have_few_lengths() {
        for (ids, list) in [
            (vec![7], "?"),
            (vec![7, 8], "?, ?"),
            (vec![7, 8, 9], "?, ?, ?, ?"),
            (vec![7, 8, 9, 10, 11], "?, ?, ?, ?, ?, ?, ?, ?"),
        ] {
            let mut query = QueryBuilder::<MySql>::new("");
            push_ids(&mut query, &ids);
            assert_eq!(query.sql().as_str(), list);
        }
    }
}
