//! Who an operation is carried out for, and what it changes of that system besides its own work.

use time::OffsetDateTime;

use crate::activate::Acted;
use crate::authenticate::Note;
use crate::error::{Error, Failure};
use crate::source::{Entropy, uuid, whole_seconds};
use crate::store::{
    ActivationKey, Interruption, NewActivation, Session, SystemChanges, SystemRow, Together,
};
use crate::{Progress, Registration};

/// An authenticated system.
#[derive(Debug, Clone)]
pub struct Actor {
    /// As it was left by its authentication and whatever others did since.
    pub system: SystemRow,
    /// What its authentication left to be written.
    pub note: Option<Note>,
    /// Whether it is to have a new token: for clients that sent `System-Token`, see
    /// [`Authenticated::knows_tokens`](crate::Authenticated::knows_tokens).
    pub rotate_token: bool,
}

impl Actor {
    /// Nothing to be noted, and its token stays as it is.
    pub fn new(system: SystemRow) -> Self {
        Self {
            system,
            note: None,
            rotate_token: false,
        }
    }

    pub(crate) fn new_token(&self, entropy: &dyn Entropy) -> Result<Option<String>, Failure> {
        self.rotate_token.then(|| uuid(entropy)).transpose()
    }

    pub(crate) fn with_note(&self, changes: SystemChanges) -> SystemChanges {
        match &self.note {
            Some(note) => note.and(changes),
            None => changes,
        }
    }
}

/// A change of what a system has activated, as far as it concerns the row of the system.
pub(crate) struct Changing<'a> {
    actor: &'a Actor,
    /// Chosen once: what is done again writes the same.
    system_token: Option<String>,
    pub now: OffsetDateTime,
    progress: &'a Progress,
}

/// What became of the row.
pub(crate) struct Changed {
    pub system: SystemRow,
    system_token: Option<String>,
}

impl<'a> Changing<'a> {
    pub fn new(
        actor: &'a Actor,
        registration: &Registration,
        progress: &'a Progress,
    ) -> Result<Self, Failure> {
        Ok(Self {
            actor,
            system_token: actor.new_token(&*registration.entropy)?,
            now: registration.clock.now(),
            progress,
        })
    }

    /// Of the system that is changed.
    pub fn system_id(&self) -> u64 {
        self.actor.system.id
    }

    /// What is known already to be written of the system, and what it is then.
    fn planned(&self) -> (Option<SystemChanges>, Changed) {
        let Actor { system, note, .. } = self.actor;
        let mut changes = SystemChanges {
            system_token: self.system_token.clone(),
            reset_scc: self.system_token.is_some(),
            ..SystemChanges::default()
        };
        changes.stamp(system, whole_seconds(self.now));
        let mut changed = Changed {
            system: system.clone(),
            system_token: self.system_token.clone(),
        };
        changes.apply(&mut changed.system);
        let needed = self.system_token.is_some() || note.is_some();
        let changes = Some(self.actor.with_note(changes)).filter(|_| needed);
        (changes, changed)
    }

    /// Opens a transaction and writes what is known already, or at least holds the system: the
    /// changes of one system happen one after the other, and nobody deletes it meanwhile.
    pub async fn begin(&self, session: &mut Session) -> Result<Changed, Interruption> {
        let (changes, changed) = self.planned();
        session.begin_write(self.progress)?;
        session.begin().await?;
        let system_id = changed.system.id;
        match session.change_or_lock(system_id, changes.as_ref()).await? {
            true => Ok(changed),
            false => Err(Failure::unwritten(Error::Gone).into()),
        }
    }

    /// [`Changing::begin`], an activation and the commit, sent together if that can be done: when the system is
    /// written anyway, and nothing is to follow.
    pub async fn begin_and_activate(
        &self,
        session: &mut Session,
        activation: NewActivation,
    ) -> Result<(Together, Changed), Interruption> {
        let (changes, changed) = self.planned();
        let Some(changes) = changes.filter(|_| !changed.is_to_be_reported()) else {
            return Ok((Together::Apart, changed));
        };
        session.begin_write(self.progress)?;
        let together = session.activate_together(&changes, activation).await?;
        Ok((together, changed))
    }

    /// SCC is to be told of a system whose activations changed (RMT: the callbacks of `Activation`).
    /// Mostly it is already.
    pub async fn ask_for_report(
        &self,
        session: &mut Session,
        changed: &mut Changed,
    ) -> Result<(), Interruption> {
        if !changed.is_to_be_reported() {
            return Ok(());
        }
        let never_registered = changed.system.registered_at.is_none();
        let now = whole_seconds(self.now);
        let changes = SystemChanges {
            reset_scc: true,
            registered_at: Some(now).filter(|_| never_registered),
            // Here RMT changes a value before it saves, so it dates the row.
            updated_at: Some(now),
            ..SystemChanges::default()
        };
        session.change_system(changed.system.id, &changes).await?;
        changes.apply(&mut changed.system);
        Ok(())
    }
}

impl Changed {
    /// Whether SCC would not hear of a change of its activations.
    fn is_to_be_reported(&self) -> bool {
        self.system.scc_registered_at.is_some() || self.system.registered_at.is_none()
    }

    pub fn acted(
        self,
        body: String,
        created: Vec<ActivationKey>,
        removed: Vec<ActivationKey>,
    ) -> Acted {
        Acted {
            system: self.system,
            system_token: self.system_token,
            body,
            created,
            removed,
            log: Vec::new(),
        }
    }
}
