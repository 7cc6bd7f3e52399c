//! Statements on what a system has activated, and what it may.

use serde::Serialize;
use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder, Row};
use time::PrimitiveDateTime;

use super::catalog::{LABEL, label};
use super::session::{Interruption, Session};
use super::system_row::column_time;
use crate::catalog::{Label, Product};

/// All columns of a subscription. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubscriptionRow {
    /// Primary key.
    pub id: u64,
    /// What clients register with.
    pub regcode: String,
    /// For people.
    pub name: String,
    /// `full`, `test` …
    pub kind: String,
    /// `ACTIVE`, `EXPIRED` or `NOTACTIVATED`.
    pub status: String,
    /// When it began.
    #[serde(with = "column_time::option")]
    pub starts_at: Option<PrimitiveDateTime>,
    /// When it ends; NULL is never.
    #[serde(with = "column_time::option")]
    pub expires_at: Option<PrimitiveDateTime>,
    /// How many systems may have it; RMT does not count.
    pub system_limit: i64,
    /// As SUSE counted.
    pub systems_count: i64,
    /// As SUSE counted.
    pub virtual_count: Option<i64>,
    /// When the row was made.
    #[serde(with = "column_time")]
    pub created_at: PrimitiveDateTime,
    /// When the row last changed.
    #[serde(with = "column_time")]
    pub updated_at: PrimitiveDateTime,
}

const SUBSCRIPTION: &str = "s.id AS subscription_id, s.regcode, s.name AS subscription_name, \
    s.kind, s.status, s.starts_at, s.expires_at, s.system_limit, s.systems_count, \
    s.virtual_count, s.created_at, s.updated_at";

/// A product that a system has activated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivatedProduct {
    /// The product.
    pub label: Label,
    /// Whether it is the product in question, one of its predecessors or one of its successors.
    pub related: bool,
    /// What pays for it, if that is known.
    pub subscription: Option<SubscriptionRow>,
}

/// What the standing of a system is when it asks for a product.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// By their services' ids: so RMT's joins find them, through the unique key of `activations`.
    pub activated: Vec<ActivatedProduct>,
    /// The subscription with the registration code that was sent.
    pub subscription: Option<SubscriptionRow>,
    /// Whether that one includes the product in question.
    pub included: bool,
}

impl Session {
    /// What the system `system_id` has activated, and what the registration codes, if any, are good
    /// for, both with regard to `product`. Of several subscriptions the first one counts.
    ///
    /// # Errors
    /// What the database says.
    pub async fn standing(
        &mut self,
        system_id: u64,
        product: &Product,
        regcodes: &[String],
    ) -> Result<Standing, Interruption> {
        let length = regcodes.iter().map(String::len).sum();
        self.check_length(length)?;
        let id = product.label.id;
        let mut query = QueryBuilder::<MySql>::new("SELECT 'activation' AS what, a.service_id, ");
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
        query.push(")) AS holds, ").push(SUBSCRIPTION);
        query
            .push(
                " FROM activations a JOIN services v ON v.id = a.service_id \
                 JOIN products p ON p.id = v.product_id \
                 LEFT JOIN subscriptions s ON s.id = a.subscription_id WHERE a.system_id = ",
            )
            .push_bind(system_id);
        if !regcodes.is_empty() {
            query.push(" UNION ALL (SELECT 'subscription', 0, ");
            query.push("NULL, ".repeat(LABEL.split(", ").count()));
            query
                .push(
                    "EXISTS (SELECT 1 FROM subscription_product_classes c \
                     WHERE c.subscription_id = s.id AND c.product_class = ",
                )
                .push_bind(&product.product_class);
            query.push("), ").push(SUBSCRIPTION);
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
            for row in query.build().fetch_all(self.connection()).await? {
                let holds: bool = row.try_get_unchecked("holds")?;
                if row.try_get_unchecked::<String, _>("what")? == "subscription" {
                    standing.subscription = subscription(&row)?;
                    standing.included = holds;
                    continue;
                }
                let service_id: u64 = row.try_get_unchecked("service_id")?;
                let product = ActivatedProduct {
                    label: label(&row)?,
                    related: holds,
                    subscription: subscription(&row)?,
                };
                activated.push((service_id, product));
            }
            activated.sort_by_key(|(service_id, _)| *service_id);
            standing.activated = activated.into_iter().map(|(_, it)| it).collect();
            Ok(standing)
        })
        .await
    }
}

fn subscription(row: &MySqlRow) -> Result<Option<SubscriptionRow>, sqlx::Error> {
    let Some(id) = row.try_get_unchecked("subscription_id")? else {
        return Ok(None);
    };
    Ok(Some(SubscriptionRow {
        id,
        regcode: row.try_get_unchecked("regcode")?,
        name: row.try_get_unchecked("subscription_name")?,
        kind: row.try_get_unchecked("kind")?,
        status: row.try_get_unchecked("status")?,
        starts_at: row.try_get_unchecked("starts_at")?,
        expires_at: row.try_get_unchecked("expires_at")?,
        system_limit: row.try_get_unchecked("system_limit")?,
        systems_count: row.try_get_unchecked("systems_count")?,
        virtual_count: row.try_get_unchecked("virtual_count")?,
        created_at: row.try_get_unchecked("created_at")?,
        updated_at: row.try_get_unchecked("updated_at")?,
    }))
}
