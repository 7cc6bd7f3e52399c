//! Statements on products, services, repositories and what connects them. None of them writes.
//!
//! RMT mostly leaves the order of rows to the database. What MariaDB makes of its statements on a
//! catalog of SUSE's size is said where it was found out, and asked for here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder, Row};

use super::session::{Interruption, Session};
use crate::catalog::{
    Activation, Edge, Label, Product, ProductType, Repository, Subscription, Trees,
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// Of all texts together, in bytes.
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
        texts.flatten().map(String::len).sum()
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

/// What a product extends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relatives {
    /// What it can be added to, one for each root: the same can appear again.
    pub bases: Vec<Label>,
    /// The roots of the trees it is in.
    pub roots: Vec<Label>,
}

impl Relatives {
    /// From what is extended, and whether as a root.
    fn of(rows: Vec<(u64, bool, Label)>) -> Self {
        let mut relatives = Self::default();
        for (_, is_root, label) in rows {
            if !is_root {
                relatives.bases.push(label);
            } else if !relatives.roots.contains(&label) {
                relatives.roots.push(label);
            }
        }
        relatives
    }
}

/// The beginning of a query for whole products, without `FROM`.
fn products() -> QueryBuilder<MySql> {
    QueryBuilder::new(format!("SELECT {LABEL}, {REST}"))
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
        self.check_length(criteria.length())?;
        let mut query = products();
        query.push(" FROM products p LEFT JOIN services s ON s.product_id = p.id WHERE TRUE");
        criteria.push(&mut query);
        query.push(" ORDER BY p.id LIMIT 1");
        self.one_product(query).await
    }

    /// The product of the service `service_id`, without repositories.
    ///
    /// # Errors
    /// What the database says.
    pub async fn product_of_service(
        &mut self,
        service_id: u64,
    ) -> Result<Option<Product>, Interruption> {
        let mut query = products();
        query
            .push(" FROM services s JOIN products p ON p.id = s.product_id WHERE s.id = ")
            .push_bind(service_id);
        self.one_product(query).await
    }

    async fn one_product(
        &mut self,
        mut query: QueryBuilder<MySql>,
    ) -> Result<Option<Product>, Interruption> {
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            let row = query.build().fetch_optional(self.connection()).await?;
            Ok(row.as_ref().map(product).transpose()?)
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
        let (trees, _) = self.trees_and_relatives(roots, None).await?;
        Ok(trees)
    }

    /// The tree of the product `product_id`, and what that product extends, in the order of the
    /// rows that say so. One statement.
    ///
    /// # Errors
    /// What the database says.
    pub async fn surroundings(
        &mut self,
        product_id: u64,
    ) -> Result<(Trees, Relatives), Interruption> {
        let limit = self.statement_timeout();
        let roots = [product_id];
        Self::bounded(limit, self.trees_and_relatives(&roots, Some(product_id))).await
    }

    /// Rows of three kinds: products in their places in the trees (the roots hang on nothing), the
    /// products that `extension` extends, and the repositories of all products in the trees.
    async fn trees_and_relatives(
        &mut self,
        roots: &[u64],
        extension: Option<u64>,
    ) -> Result<(Trees, Relatives), Interruption> {
        if roots.is_empty() {
            return Ok(Default::default());
        }
        // Descriptions, which are long, stay out of the inner table, which thus fits into memory;
        // rows are sorted here for the same reason.
        let mut query =
            QueryBuilder::<MySql>::new("SELECT e.kind, e.edge, e.root, e.parent, e.recommended, ");
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
        if let Some(extension) = extension {
            for (kind, column) in [("base", "product_id"), ("root", "root_product_id")] {
                query.push(format!(
                    " UNION ALL SELECT '{kind}', id, 0, 0, FALSE, {column} \
                     FROM products_extensions WHERE extension_id = "
                ));
                query.push_bind(extension);
            }
        }
        query.push(
            ") e JOIN products p ON p.id = e.product LEFT JOIN services s ON s.product_id = p.id \
             UNION ALL SELECT 'repository', 0, 0, 0, FALSE, ",
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

        let mut products: HashMap<u64, Product> = HashMap::new();
        let mut repositories: HashMap<u64, Vec<Repository>> = HashMap::new();
        let mut edges = Vec::new();
        let mut relatives = Vec::new();
        for row in query.build().fetch_all(self.connection()).await? {
            match row.try_get_unchecked("kind")? {
                "place" => {
                    let id: u64 = row.try_get_unchecked("id")?;
                    let root: u64 = row.try_get_unchecked("root")?;
                    if root > 0 {
                        let recommended: Option<bool> = row.try_get_unchecked("recommended")?;
                        edges.push(Edge {
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
                "repository" => {
                    let service = row.try_get_unchecked("service_id")?;
                    let its: &mut Vec<_> = repositories.entry(service).or_default();
                    its.push(repository(&row)?);
                }
                kind => {
                    let edge: u64 = row.try_get_unchecked("edge")?;
                    relatives.push((edge, kind == "root", label(&row)?));
                }
            }
        }
        edges.sort_by_key(|edge| edge.child);
        relatives.sort_by_key(|(edge, ..)| *edge);
        for product in products.values_mut() {
            let service = product.service_id.and_then(|id| repositories.remove(&id));
            product.repositories = service.unwrap_or_default();
            product.repositories.sort_by_key(|it| it.id);
        }
        Ok((Trees::new(products, &edges), Relatives::of(relatives)))
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

    /// The activations of a system, by their ids, with the trees of their products: two
    /// statements.
    ///
    /// # Errors
    /// What the database says.
    pub async fn activations(
        &mut self,
        system_id: u64,
    ) -> Result<(Vec<Activation>, Trees), Interruption> {
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            let rows = sqlx::query(
                "SELECT a.id, a.system_id, v.product_id, s.regcode, s.name, s.kind, s.status, \
                 s.starts_at, s.expires_at FROM activations a \
                 JOIN services v ON v.id = a.service_id \
                 LEFT JOIN subscriptions s ON s.id = a.subscription_id \
                 WHERE a.system_id = ? ORDER BY a.id",
            )
            .bind(system_id)
            .fetch_all(self.connection())
            .await?;
            let activations: Vec<Activation> =
                rows.iter().map(activation).collect::<Result<_, _>>()?;
            let roots: Vec<u64> = activations.iter().map(|it| it.product_id).collect();
            Ok((activations, self.trees_unbounded(&roots).await?))
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

/// `?, ?, …`: the last one repeated until there are 1, 2, 4, 8 …, so that few statements differ and
/// the server knows most of them already.
pub(super) fn push_ids(query: &mut QueryBuilder<MySql>, ids: &[u64]) {
    let mut list = query.separated(", ");
    let padding = ids.last().into_iter().cycle();
    for id in ids
        .iter()
        .chain(padding)
        .take(ids.len().next_power_of_two())
    {
        list.push_bind(*id);
    }
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
