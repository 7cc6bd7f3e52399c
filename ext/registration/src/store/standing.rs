//! Statements on what a system has activated, and what it may.

use std::sync::Arc;

use sqlx::{MySql, QueryBuilder, Row};

use super::catalog::{LABEL, Versioned, label};
use super::session::{Interruption, Session};
use super::subscriptions::SubscriptionRow;
use crate::catalog::{Label, Product};

/// A product that a system has activated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivatedProduct {
    /// `activations.id`.
    pub activation_id: u64,
    /// The product.
    pub label: Arc<Label>,
    /// Whether it is the product in question, one of its predecessors or one of its successors.
    pub related: bool,
}

/// What the standing of a system is when it asks for a product.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// By their services' ids: so RMT's joins find them, through the unique key of `activations`.
    pub activated: Vec<ActivatedProduct>,
    /// The subscription of the oldest activation that is related: none if that has none, even if
    /// another one has.
    pub carried: Option<SubscriptionRow>,
    /// The subscription with the registration code that was sent.
    pub subscription: Option<SubscriptionRow>,
    /// Whether that one includes the product in question.
    pub included: bool,
}

impl Session {
    /// What the system `system_id` has activated, and what the registration codes, if any, are good
    /// for, both with regard to `product`. Of several subscriptions the first one counts. With it come
    /// the ids of the services that were activated, in the same order.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn standing(
        &mut self,
        system_id: u64,
        product: &Product,
        regcodes: &[String],
    ) -> Result<Versioned<(Standing, Vec<u64>)>, Interruption> {
        let length = regcodes.iter().map(String::len).sum();
        self.check_length(length)?;
        let id = product.label.id;
        let mut query = QueryBuilder::<MySql>::new(format!(
            "SELECT 'activation' AS what, {} AS version_of_all, a.id AS activation_id, a.service_id, ",
            self.version()
        ));
        query.push(LABEL).push(", (p.id = ").push_bind(id);
        query
            .push(
                " OR EXISTS (SELECT 1 FROM product_predecessors l \
                 WHERE l.predecessor_id = p.id AND l.product_id = ",
            )
            .push_bind(id);
        query
            .push(
                ") OR EXISTS (SELECT 1 FROM product_predecessors l \
                 WHERE l.product_id = p.id AND l.predecessor_id = ",
            )
            .push_bind(id);
        query.push(")) AS holds, ").push(SubscriptionRow::COLUMNS);
        query
            .push(
                " FROM activations a JOIN services v ON v.id = a.service_id \
                 JOIN products p ON p.id = v.product_id \
                 LEFT JOIN subscriptions s ON s.id = a.subscription_id WHERE a.system_id = ",
            )
            .push_bind(system_id);
        if !regcodes.is_empty() {
            query.push(" UNION ALL (SELECT 'subscription', NULL, 0, 0, ");
            query.push("NULL, ".repeat(LABEL.split(", ").count()));
            query
                .push(
                    "EXISTS (SELECT 1 FROM subscription_product_classes c \
                     WHERE c.subscription_id = s.id AND c.product_class = ",
                )
                .push_bind(&product.product_class);
            query.push("), ").push(SubscriptionRow::COLUMNS);
            query.push(" FROM subscriptions s WHERE s.regcode IN (");
            let mut list = query.separated(", ");
            for regcode in regcodes {
                list.push_bind(regcode);
            }
            query.push(") ORDER BY s.id LIMIT 1)");
        }
        let limit = self.statement_timeout();
        Self::bounded(limit, async {
            let mut standing = Standing::default();
            let mut activated = Vec::new();
            let mut version = None;
            // By whose activation.
            let mut carried: Option<(u64, Option<SubscriptionRow>)> = None;
            for row in query.build().fetch_all(self.connection()).await? {
                let holds: bool = row.try_get_unchecked("holds")?;
                if row.try_get_unchecked::<String, _>("what")? == "subscription" {
                    standing.subscription = SubscriptionRow::from_row(&row)?;
                    standing.included = holds;
                    continue;
                }
                version = row.try_get_unchecked("version_of_all")?;
                let service_id: u64 = row.try_get_unchecked("service_id")?;
                let activation_id: u64 = row.try_get_unchecked("activation_id")?;
                if holds && (carried.as_ref()).is_none_or(|(oldest, _)| activation_id < *oldest) {
                    carried = Some((activation_id, SubscriptionRow::from_row(&row)?));
                }
                let product = ActivatedProduct {
                    activation_id,
                    label: Arc::new(label(&row)?),
                    related: holds,
                };
                activated.push((service_id, product));
            }
            activated.sort_by_key(|(service_id, _)| *service_id);
            let services = activated.iter().map(|(service_id, _)| *service_id);
            let services = services.collect();
            standing.activated = activated.into_iter().map(|(_, it)| it).collect();
            standing.carried = carried.and_then(|(_, subscription)| subscription);
            Ok(((standing, services), version))
        })
        .await
    }
}
