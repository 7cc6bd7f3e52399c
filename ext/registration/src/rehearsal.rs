//! Carrying a request out without leaving a trace: what would be answered, and what would be stored.

use serde_json::Value;

use crate::error::Failure;
use crate::http::{Reply, Settings, Understood};
use crate::store::Trail;
use crate::{Progress, Registration};

/// What a rehearsal showed.
#[derive(Debug)]
pub struct Rehearsal {
    /// What would have been answered.
    pub reply: Reply,
    /// Whose rows were looked at; nothing where the request names no system.
    pub traces: Option<Trail>,
    /// Those rows as they would be, as JSON; see [`Trail`].
    pub rows: Option<String>,
}

impl Registration {
    /// Carries a request out in a transaction that is rolled back. Everything happens on one connection, which is
    /// closed at the end; what locks it takes are free when this returns.
    ///
    /// # Errors
    /// As [`Registration::serve`], and [`Unavailable`](crate::Error::Unavailable) when it had to be
    /// ended early, by a deadlock for one. Nothing was written, whatever comes of it.
    pub async fn rehearse(
        &self,
        understood: Understood,
        settings: &Settings,
    ) -> Result<Rehearsal, Failure> {
        let store = self.store.rehearsing().await?;
        let rehearsing = Self {
            store: store.clone(),
            ..self.clone()
        };
        let rehearsal = rehearsing.rehearse_here(understood, settings).await;
        store.end_rehearsal().await;
        rehearsal
    }

    async fn rehearse_here(
        &self,
        understood: Understood,
        settings: &Settings,
    ) -> Result<Rehearsal, Failure> {
        let login = understood.login().map(str::to_owned);
        let before = match &login {
            Some(login) => Some(self.store.traces_of(login).await?),
            None => None,
        };
        let reply = self
            .serve(understood, settings, &Progress::default())
            .await?;
        let traces = before.or_else(|| announced(&reply).map(Trail::of));
        let rows = match &traces {
            Some(traces) => Some(self.store.rows_of(traces).await?),
            None => None,
        };
        Ok(Rehearsal {
            reply,
            traces,
            rows,
        })
    }
}

/// The login that an announce would have given.
fn announced(reply: &Reply) -> Option<String> {
    let Reply::Answer(answer) = reply else {
        return None;
    };
    let body: Value = serde_json::from_str(&answer.body).ok()?;
    Some(body.get("login")?.as_str()?.to_owned())
}
