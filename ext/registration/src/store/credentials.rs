//! Statements of an authentication.

use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder, Row};

use super::catalog::push_ids;
use super::session::{Interruption, Session};
use super::subscriptions::SubscriptionRow;
use super::system_row::{SystemChanges, SystemRow};

/// What is asked besides of a system that asks for a remembered product.
#[derive(derive_more::Debug, Clone)]
pub(crate) struct Question {
    /// The services of the product and of those it is related to.
    pub related: Vec<u64>,
    /// `products.product_class` of the product.
    pub product_class: Option<String>,
    /// The registration codes that were sent; they count for systems outside of public clouds.
    #[debug("[secret]")]
    pub regcodes: Option<Vec<String>>,
}

/// What the database knows about a [`Question`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// What the system has activated: ids of services and of activations, by the former.
    pub activated: Vec<(u64, u64)>,
    /// Where registration codes were sent and count, the subscription that has one of them; else the
    /// one of the oldest activation that is related.
    pub subscription: Option<SubscriptionRow>,
    /// Whether that one includes the product.
    pub included: bool,
}

/// A system with the given credentials, or with the login alone.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub row: SystemRow,
    /// The database takes what is stored for the password that was sent.
    pub same_password: bool,
    /// The database takes its token for the one that was sent; they may differ in case.
    pub alike: bool,
    /// The catalog's version, if it has one.
    pub version: Option<u64>,
    /// If something was asked, and the answer could be understood.
    pub told: Option<Told>,
}

impl Session {
    /// All systems with this login and password, the oldest first. What is equal is the table's
    /// collation's to say: case and trailing spaces do not count
    /// (RMT: `System.get_by_credentials`). With `any_password` all those with the login: what they have stored
    /// may be a hash, which the database cannot compare.
    pub(crate) async fn systems_by_credentials(
        &mut self,
        login: &str,
        password: &str,
        any_password: bool,
        token: Option<&str>,
        question: Option<&Question>,
    ) -> Result<Vec<Candidate>, Interruption> {
        let regcodes = question.and_then(|it| it.regcodes.as_deref());
        let regcodes = regcodes.unwrap_or_default();
        self.check_length(regcodes.iter().map(String::len).sum())?;
        let mut query = QueryBuilder::<MySql>::new(format!(
            "SELECT {}, {} AS version_of_all, systems.system_token = ",
            SystemRow::COLUMNS,
            self.version()
        ));
        query.push_bind(token).push(" AS alike");
        if any_password {
            query.push(", systems.password = ").push_bind(password);
            query.push(" AS same_password");
        }
        if let Some(question) = question {
            push_question(&mut query, question);
        } else {
            query.push(" FROM systems");
        }
        query.push(" WHERE systems.login = ").push_bind(login);
        if any_password {
            query.push(" AND systems.password IS NOT NULL");
        } else {
            query.push(" AND systems.password = ").push_bind(password);
        }
        query.push(" ORDER BY systems.id");
        let rows = query.build().fetch_all(self.connection()).await?;
        let candidate = |row: &MySqlRow| {
            let alike: Option<i64> = row.try_get_unchecked("alike")?;
            let same_password: Option<i64> = match any_password {
                true => row.try_get_unchecked("same_password")?,
                false => Some(1),
            };
            Ok(Candidate {
                row: SystemRow::from_row(row)?,
                same_password: same_password == Some(1),
                alike: alike == Some(1),
                version: row.try_get_unchecked("version_of_all")?,
                told: match question {
                    Some(_) => told(row)?,
                    None => None,
                },
            })
        };
        rows.iter().map(candidate).collect()
    }

    /// Makes everybody wait who wants to change, delete or lock this system, until the transaction
    /// ends. False when it is gone.
    ///
    /// By its id alone: locks on ranges of an index make for deadlocks with those who insert there.
    pub(crate) async fn lock_system(&mut self, id: u64) -> Result<bool, Interruption> {
        let row = sqlx::query("SELECT id FROM systems WHERE id = ? FOR UPDATE")
            .bind(id)
            .fetch_optional(self.connection())
            .await?;
        Ok(row.is_some())
    }

    /// Stores `copy`, whatever its id, which becomes its own, and gives it the activations of system
    /// `original`, as old as the copy itself. Who has some is to be reported to SCC (RMT: the
    /// callbacks of `Activation`).
    pub(crate) async fn insert_copy(
        &mut self,
        copy: &mut SystemRow,
        original: u64,
    ) -> Result<(), Interruption> {
        let text = copy.system_information.as_deref();
        self.check_length(text.map_or(0, str::len))?;
        let result = sqlx::query(
            "INSERT INTO systems (login, password, hostname, registered_at, last_seen_at, \
             created_at, updated_at, scc_registered_at, scc_system_id, system_token, \
             system_information, instance_data, proxy_byos_mode, pubcloud_reg_code) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&copy.login)
        .bind(&copy.password)
        .bind(&copy.hostname)
        .bind(copy.registered_at)
        .bind(copy.last_seen_at)
        .bind(copy.created_at)
        .bind(copy.updated_at)
        .bind(copy.scc_registered_at)
        .bind(copy.scc_system_id)
        .bind(&copy.system_token)
        .bind(text)
        .bind(&copy.instance_data)
        .bind(copy.proxy_byos_mode)
        .bind(&copy.pubcloud_reg_code)
        .execute(self.connection())
        .await?;
        copy.id = result.last_insert_id();
        let activated = self.copy_activations(copy, original).await?;
        if activated && copy.scc_registered_at.is_some() {
            let changes = SystemChanges {
                reset_scc: true,
                ..SystemChanges::default()
            };
            self.change_system(copy.id, &changes).await?;
            changes.apply(copy);
        }
        Ok(())
    }
}

/// Adds columns for the answer, and all tables.
fn push_question(query: &mut QueryBuilder<MySql>, question: &Question) {
    // How many there are comes first and each one has its end: a server that cuts long texts
    // (`group_concat_max_len`) is found out.
    query.push(
        ", (SELECT CONCAT_WS('', COUNT(*), ';', \
            GROUP_CONCAT(a.service_id, ':', a.id, ';' SEPARATOR '')) \
            FROM activations a WHERE a.system_id = systems.id) AS activated, \
            s.id IS NOT NULL AND EXISTS (SELECT 1 FROM subscription_product_classes c \
            WHERE c.subscription_id = s.id AND c.product_class = ",
    );
    query.push_bind(question.product_class.clone());
    query.push(") AS included, ").push(SubscriptionRow::COLUMNS);
    query.push(" FROM systems LEFT JOIN subscriptions s ON s.id = ");
    if let Some(regcodes) = &question.regcodes {
        query.push(
            "IF(systems.proxy_byos_mode = 0, (SELECT MIN(id) FROM subscriptions WHERE regcode IN (",
        );
        let mut list = query.separated(", ");
        for regcode in regcodes {
            list.push_bind(regcode.clone());
        }
        if regcodes.is_empty() {
            query.push("NULL");
        }
        query.push(")), ");
    }
    // A subselect that comes to nothing where nothing is related.
    query.push(
        "(SELECT a.subscription_id FROM activations a WHERE a.system_id = systems.id AND a.service_id IN (",
    );
    if question.related.is_empty() {
        query.push("NULL");
    }
    push_ids(query, &question.related);
    query.push(") ORDER BY a.id LIMIT 1)");
    if question.regcodes.is_some() {
        query.push(")");
    }
}

fn told(row: &MySqlRow) -> Result<Option<Told>, sqlx::Error> {
    let activated: Option<String> = row.try_get_unchecked("activated")?;
    let Some(activated) = activated.as_deref().and_then(pairs) else {
        return Ok(None);
    };
    let included: Option<i64> = row.try_get_unchecked("included")?;
    Ok(Some(Told {
        activated,
        subscription: SubscriptionRow::from_row(row)?,
        included: included == Some(1),
    }))
}

/// `2;8:1;3:4;` as pairs, sorted; nothing when some are missing.
fn pairs(text: &str) -> Option<Vec<(u64, u64)>> {
    let mut parts = text.strip_suffix(';')?.split(';');
    let count: usize = parts.next()?.parse().ok()?;
    let pair = |part: &str| {
        let (service, activation) = part.split_once(':')?;
        Some((service.parse().ok()?, activation.parse().ok()?))
    };
    let mut pairs: Vec<_> = parts.map(pair).collect::<Option<_>>()?;
    pairs.sort_unstable();
    (pairs.len() == count).then_some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_was_cut_says_so() {
        assert_eq!(pairs("0;"), Some(vec![]));
        assert_eq!(pairs("2;8:1;3:44;"), Some(vec![(3, 44), (8, 1)]));
        for cut in [
            "2;8:1;3:44",
            "2;8:1;3:4",
            "2;8:1;",
            "2;8:1",
            "2;8:",
            "2;",
            "2",
            "",
        ] {
            assert_eq!(pairs(cut), None, "{cut}");
        }
    }
}
