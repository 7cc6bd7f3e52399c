//! Actions on products, with what comes before them.

use registration::catalog::{BaseUrl, Rendering};
use registration::{
    Acted, Action, Actor, Authenticated, Caller, Checked, Credentials, Failure, Progress,
    Registration,
};
use serde_json::{Value, json};

use super::place::actor;

pub fn rendering() -> Rendering {
    Rendering::new(BaseUrl::parse("http://rmt").unwrap())
}

pub fn product(identifier: &str, version: &str) -> Value {
    json!({"identifier": identifier, "version": version, "arch": "x86_64"})
}

/// What is found out before an action, by somebody who leaves the note to that.
pub async fn check(
    registration: &Registration,
    credentials: &Credentials,
    action: Action,
    params: &Value,
) -> Result<(Authenticated, Checked), Failure> {
    let caller = Caller::Unknown(Credentials {
        defer: true,
        ..credentials.clone()
    });
    let params = params.to_string();
    let progress = Progress::default();
    let (authenticated, checked) = registration
        .check(&caller, action, params.as_bytes(), &progress)
        .await?;
    Ok((authenticated.unwrap(), checked))
}

/// An action with the check before it; what a step refuses is its failure.
pub async fn act(
    registration: &Registration,
    credentials: &Credentials,
    action: Action,
    params: &Value,
) -> Result<Acted, Failure> {
    let (authenticated, checked) = check(registration, credentials, action, params).await?;
    let actor = actor(&authenticated);
    carry_out(registration, action, &checked, &actor).await
}

/// An action after its check; what a step refused is its failure.
pub async fn carry_out(
    registration: &Registration,
    action: Action,
    checked: &Checked,
    actor: &Actor,
) -> Result<Acted, Failure> {
    passed(checked)?;
    let subscription = checked.subscription.as_ref().map(|it| it.id);
    let (look, progress) = (rendering(), Progress::default());
    registration
        .act(action, checked, actor, subscription, &look, &progress)
        .await
}

/// Fails with what a step refused.
pub fn passed(checked: &Checked) -> Result<(), Failure> {
    match &checked.failed {
        Some((_, failure)) => Err(failure.clone()),
        None => Ok(()),
    }
}
