//! `GET /connect/subscriptions/products`: what a registration code is good for (contract, "Who
//! calls", 9; RMT: `Api::Connect::V4::Subscriptions::ProductsController`).

use crate::catalog::{Rendering, Trees};
use crate::criteria::Asked;
use crate::params;
use crate::store::{Criteria, Interruption, Session, SubscriptionRow, Wanted};
use crate::work::Work;
use crate::{Failure, Registration, timings};

impl Registration {
    /// The active subscription that has `regcode`. One statement.
    ///
    /// # Errors
    /// [`Error::Rmt`](crate::Error::Rmt) (401) when there is none,
    /// [`Error::Refused`](crate::Error::Refused), [`Error::Unavailable`](crate::Error::Unavailable)
    /// and [`Error::Internal`](crate::Error::Internal).
    pub async fn subscription(&self, regcode: &str) -> Result<SubscriptionRow, Failure> {
        let message = match self.carry_out(&Find { regcode }).await? {
            Some(subscription) if subscription.active() => return Ok(subscription),
            Some(_) => {
                "Not yet activated Registration Code. Visit https://scc.suse.com to activate it."
            }
            None => "Unknown Registration Code.",
        };
        Err(Failure::rmt(401, message))
    }

    /// Those products of a subscription that the request asks for, each with its tree, as a JSON
    /// array. Two statements however many there are.
    ///
    /// `params` are the request's parameters, a JSON object.
    ///
    /// # Errors
    /// [`Error::BadInput`](crate::Error::BadInput), [`Error::Declined`](crate::Error::Declined),
    /// [`Error::Refused`](crate::Error::Refused), [`Error::Unavailable`](crate::Error::Unavailable)
    /// and [`Error::Internal`](crate::Error::Internal).
    pub async fn subscription_products(
        &self,
        subscription_id: u64,
        params: &[u8],
        rendering: &Rendering,
    ) -> Result<String, Failure> {
        let listing = Listing {
            subscription_id,
            criteria: criteria(params)?,
        };
        let (ids, trees) = self.carry_out(&listing).await?;
        Ok(timings::rendering(|| rendering.products(&trees, &ids)))
    }
}

/// What is null is not asked for.
pub(crate) fn criteria(params: &[u8]) -> Result<Criteria, Failure> {
    let params = params::parse(params)?;
    let asked = Asked::new(&params);
    let given = |wanted| match wanted {
        Wanted::Null => Wanted::Any,
        wanted => wanted,
    };
    Ok(Criteria {
        identifier: given(asked.wanted("identifier")?),
        version: given(asked.versions()),
        arch: given(asked.wanted("arch")?),
        release_type: given(asked.wanted("release_type")?),
    })
}

struct Find<'a> {
    regcode: &'a str,
}

impl Work for Find<'_> {
    type Output = Option<SubscriptionRow>;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, Interruption> {
        session.subscription(self.regcode).await
    }
}

struct Listing {
    subscription_id: u64,
    criteria: Criteria,
}

impl Work for Listing {
    /// The products' ids, in the order to show them, and what is to be shown.
    type Output = (Vec<u64>, Trees);

    async fn run(&self, session: &mut Session) -> Result<Self::Output, Interruption> {
        session.check_length(self.criteria.length())?;
        let products = session
            .subscription_products(self.subscription_id, &self.criteria)
            .await?;
        let ids: Vec<u64> = products.iter().map(|label| label.id).collect();
        let trees = session.trees(&ids).await?;
        Ok((ids, trees))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_given_counts() {
        let criteria = |params: serde_json::Value| criteria(params.to_string().as_bytes()).unwrap();
        for nothing in [
            json!({}),
            json!({"identifier": null, "version": null, "arch": null, "release_type": null}),
            json!({"identifier": [], "version": false, "arch": {}, "release_type": ["x"]}),
        ] {
            assert_eq!(criteria(nothing), Criteria::default());
        }
        let some =
            json!({"identifier": "SLES", "version": "12-0", "arch": false, "release_type": ""});
        let expected = Criteria {
            identifier: Wanted::text("SLES"),
            version: Wanted::OneOf(vec!["12-0".to_owned(), "12".to_owned()]),
            arch: Wanted::text("0"),
            release_type: Wanted::text(""),
        };
        assert_eq!(criteria(some), expected);
    }
}
