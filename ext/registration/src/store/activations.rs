//! Statements that write activations. All of them belong into a transaction that holds the system:
//! then nobody else changes what it has activated.

use futures_util::TryStreamExt;
use serde::Serialize;
use sqlx::mysql::{MySqlDatabaseError, MySqlRow};
use sqlx::{AssertSqlSafe, MySql, QueryBuilder, Row};
use time::PrimitiveDateTime;

use super::catalog::{Criteria, LABEL, label};
use super::session::{Interruption, Session};
use super::system_row::{SystemChanges, SystemRow, time_literal};
use crate::catalog::Label;
use crate::error::{Error, Failure};

/// An activation that was made or removed, for those who want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ActivationKey {
    /// `activations.id`.
    pub id: u64,
    /// `services.id`.
    pub service_id: u64,
}

/// An activation that is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewActivation {
    pub system_id: u64,
    pub service_id: u64,
    pub subscription_id: Option<u64>,
    pub created_at: PrimitiveDateTime,
}

/// What became of statements that were to be sent together.
pub(crate) enum Together {
    /// All were carried out, and committed.
    Done(ActivationKey),
    /// There is such an activation. The transaction is open, and holds the system with its changes.
    There,
    /// They cannot be sent together; nothing was.
    Apart,
}

/// A product that a system has activated, by whose service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Activated {
    pub key: ActivationKey,
    pub label: Label,
}

impl Session {
    /// Opens a transaction, changes the system, makes the activation and commits: four statements that go to the
    /// server in one packet and come back in one. That takes statements with their values in them, so it is done
    /// where all of those are numbers, times and tokens.
    ///
    /// To be called after [`Session::begin_write`].
    ///
    /// # Errors
    /// As [`Session::insert_activation`].
    pub(crate) async fn activate_together(
        &mut self,
        changes: &SystemChanges,
        activation: NewActivation,
    ) -> Result<Together, Interruption> {
        // A rehearsal's transaction is open already, and is not to be committed.
        let literals = changes.as_literals().filter(|_| !self.is_rehearsing());
        let Some(assignments) = literals else {
            return Ok(Together::Apart);
        };
        let NewActivation {
            system_id,
            service_id,
            subscription_id,
            created_at,
        } = activation;
        let subscription = subscription_id.map_or_else(|| "NULL".to_owned(), |id| id.to_string());
        let now = time_literal(created_at);
        let statements = format!(
            "START TRANSACTION; UPDATE systems SET {assignments} WHERE id = {system_id}; \
             INSERT INTO activations (service_id, system_id, subscription_id, created_at, updated_at) \
             VALUES ({service_id}, {system_id}, {subscription}, {now}, {now}); COMMIT"
        );
        self.transaction_is_open(true);
        let mut id = 0;
        let mut results = sqlx::raw_sql(AssertSqlSafe(statements)).execute_many(self.connection());
        loop {
            match results.try_next().await {
                Ok(Some(result)) => id = id.max(result.last_insert_id()),
                Ok(None) => break,
                Err(error) if number(&error) == Some(1062) => return Ok(Together::There),
                // A system that was deleted is not changed, and has no activations.
                Err(error) => return Err(gone_or(error)),
            }
        }
        drop(results);
        self.transaction_is_open(false);
        Ok(Together::Done(ActivationKey { id, service_id }))
    }

    /// Makes an activation; `None` when there is one already, which stays as it is.
    ///
    /// # Errors
    /// [`Error::Gone`] when the system, the service or the subscription is, and what the database
    /// says.
    pub(crate) async fn insert_activation(
        &mut self,
        activation: NewActivation,
    ) -> Result<Option<ActivationKey>, Interruption> {
        let result = sqlx::query(
            "INSERT INTO activations (service_id, system_id, subscription_id, created_at, \
             updated_at) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(activation.service_id)
        .bind(activation.system_id)
        .bind(activation.subscription_id)
        .bind(activation.created_at)
        .bind(activation.created_at)
        .execute(self.connection())
        .await;
        match result {
            Ok(result) => Ok(Some(ActivationKey {
                id: result.last_insert_id(),
                service_id: activation.service_id,
            })),
            Err(error) if number(&error) == Some(1062) => Ok(None),
            Err(error) => Err(gone_or(error)),
        }
    }

    /// The activation that is there, if it was made at this very time.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn activation_made(
        &mut self,
        activation: NewActivation,
    ) -> Result<Option<ActivationKey>, Interruption> {
        let row = sqlx::query(
            "SELECT id FROM activations WHERE system_id = ? AND service_id = ? AND created_at = ?",
        )
        .bind(activation.system_id)
        .bind(activation.service_id)
        .bind(activation.created_at)
        .fetch_optional(self.connection())
        .await?;
        let key = |row: MySqlRow| {
            Ok::<_, sqlx::Error>(ActivationKey {
                id: row.try_get_unchecked("id")?,
                service_id: activation.service_id,
            })
        };
        Ok(row.map(key).transpose()?)
    }

    /// Lets its subscription pay for an activation that is there, if it does not already.
    ///
    /// # Errors
    /// As [`Session::insert_activation`].
    pub(crate) async fn link_subscription(
        &mut self,
        activation: NewActivation,
    ) -> Result<(), Interruption> {
        sqlx::query(
            "UPDATE activations SET subscription_id = ?, updated_at = ? \
             WHERE system_id = ? AND service_id = ? AND NOT (subscription_id <=> ?)",
        )
        .bind(activation.subscription_id)
        .bind(activation.created_at)
        .bind(activation.system_id)
        .bind(activation.service_id)
        .bind(activation.subscription_id)
        .execute(self.connection())
        .await
        .map_err(gone_or)?;
        Ok(())
    }

    /// Gives the system `copy` the activations of system `original`, as old as the copy itself; false when there are none.
    ///
    /// They are read first: a statement that inserts what it selects locks what it reads, of a small table all of it.
    ///
    /// # Errors
    /// What the database says.
    pub(super) async fn copy_activations(
        &mut self,
        copy: &SystemRow,
        original: u64,
    ) -> Result<bool, Interruption> {
        let rows = sqlx::query(
            "SELECT service_id, subscription_id FROM activations WHERE system_id = ? ORDER BY id",
        )
        .bind(original)
        .fetch_all(self.connection())
        .await?;
        let activations = rows.iter().map(|row| {
            let service: u64 = row.try_get_unchecked("service_id")?;
            let subscription: Option<u64> = row.try_get_unchecked("subscription_id")?;
            Ok((service, subscription))
        });
        let activations = activations.collect::<Result<Vec<_>, sqlx::Error>>()?;
        if activations.is_empty() {
            return Ok(false);
        }
        let mut query = QueryBuilder::<MySql>::new(
            "INSERT INTO activations (service_id, system_id, subscription_id, created_at, updated_at) ",
        );
        query.push_values(activations, |mut values, (service, subscription)| {
            values
                .push_bind(service)
                .push_bind(copy.id)
                .push_bind(subscription)
                .push_bind(copy.created_at)
                .push_bind(copy.created_at);
        });
        query.build().execute(self.connection()).await?;
        Ok(true)
    }

    /// Deletes activations.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn remove_activations(
        &mut self,
        activations: &[ActivationKey],
    ) -> Result<(), Interruption> {
        let ids: Vec<u64> = activations.iter().map(|it| it.id).collect();
        self.delete("activations", &ids).await
    }

    /// What a system has activated, by the services' ids.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn activated(
        &mut self,
        system_id: u64,
    ) -> Result<Vec<Activated>, Interruption> {
        let mut query = QueryBuilder::<MySql>::new("SELECT a.id AS activation_id, a.service_id, ");
        query.push(LABEL).push(
            " FROM activations a JOIN services s ON s.id = a.service_id \
             JOIN products p ON p.id = s.product_id WHERE a.system_id = ",
        );
        query.push_bind(system_id).push(" ORDER BY s.id");
        let rows = query.build().fetch_all(self.connection()).await?;
        let activated = rows.iter().map(|row| {
            Ok(Activated {
                key: ActivationKey {
                    id: row.try_get_unchecked("activation_id")?,
                    service_id: row.try_get_unchecked("service_id")?,
                },
                label: label(row)?,
            })
        });
        Ok(activated.collect::<Result<_, sqlx::Error>>()?)
    }

    /// For each of the descriptions the first of the system's products that fits it, if one does.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn activated_among(
        &mut self,
        system_id: u64,
        described: &[Criteria],
    ) -> Result<Vec<u64>, Interruption> {
        self.check_length(described.iter().map(Criteria::length).sum())?;
        let mut query = QueryBuilder::<MySql>::new("");
        for (n, criteria) in described.iter().enumerate() {
            query.push(if n > 0 { " UNION ALL " } else { "" });
            query
                .push(
                    "(SELECT p.id FROM activations a JOIN services s ON s.id = a.service_id \
                     JOIN products p ON p.id = s.product_id WHERE a.system_id = ",
                )
                .push_bind(system_id);
            criteria.push(&mut query);
            query.push(" ORDER BY s.id LIMIT 1)");
        }
        if described.is_empty() {
            return Ok(Vec::new());
        }
        let rows = query.build().fetch_all(self.connection()).await?;
        let ids = rows.iter().map(|row| row.try_get_unchecked("id"));
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// Whether the system has activated something that extends the product `product_id`, in any
    /// tree.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn depends_on(
        &mut self,
        system_id: u64,
        product_id: u64,
    ) -> Result<bool, Interruption> {
        let row = sqlx::query(
            "SELECT 1 FROM activations a JOIN services s ON s.id = a.service_id \
             JOIN products_extensions e ON e.extension_id = s.product_id \
             WHERE a.system_id = ? AND e.product_id = ? LIMIT 1",
        )
        .bind(system_id)
        .bind(product_id)
        .fetch_optional(self.connection())
        .await?;
        Ok(row.is_some())
    }
}

/// [`Error::Gone`] for a violated foreign key.
fn gone_or(error: sqlx::Error) -> Interruption {
    match number(&error) {
        Some(1452) => Failure::unwritten(Error::Gone).into(),
        _ => error.into(),
    }
}

fn number(error: &sqlx::Error) -> Option<u16> {
    let error = error.as_database_error()?;
    Some(error.try_downcast_ref::<MySqlDatabaseError>()?.number())
}
