//! What is remembered of the catalog, and until when.
//!
//! Everything here was read in one statement together with the catalog's version, and is used only
//! by who has read the same version since: equal versions are equal catalogs. What is remembered is
//! bounded, whatever is asked for and however large the catalog is.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::{Duration, OffsetDateTime};

use super::{Appearance, BaseUrl, Known, Label, Product, Rendering};
use crate::store::Criteria;
use crate::timings::{self, Timings};

/// For products, trees and rendered answers, of each process. A tree of SLES takes about 150 KB with
/// its answer, a module 10 KB: that is a hundred base products and their modules, more than the fleet
/// of one server uses at a time.
const MOST_BYTES: usize = 24 * 1024 * 1024;

/// Of each kind of small entries, in each half of the memory.
const MOST_ENTRIES: usize = 4096;

/// Descriptions of products are remembered up to this length, in bytes: SUSE's have some tens.
const LONGEST_CRITERIA: usize = 256;

/// Trees are rendered ahead this often at most: `rmt-cli sync` changes the catalog for minutes.
const PAUSE: Duration = Duration::seconds(5);

/// Bytes that may be taken.
#[derive(Debug)]
pub(crate) struct Purse {
    bytes: usize,
    left: AtomicUsize,
    /// How answers looked last.
    appearance: Mutex<Appearance>,
}

/// What was taken; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    purse: Arc<Purse>,
    bytes: usize,
}

impl Purse {
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            bytes,
            left: AtomicUsize::new(bytes),
            appearance: Mutex::default(),
        }
    }

    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Option<Share> {
        let less = |left: usize| left.checked_sub(bytes);
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.ok().map(|_| Share {
            purse: Arc::clone(self),
            bytes,
        })
    }

    fn half_full(&self) -> bool {
        self.left.load(Ordering::Relaxed) < self.bytes / 2
    }

    pub(super) fn note_appearance(&self, appearance: &Appearance) {
        appearance.clone_into(&mut lock(&self.appearance));
    }
}

impl Share {
    pub(super) fn purse(&self) -> &Arc<Purse> {
        &self.purse
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.purse.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// The memory of a process.
#[derive(Debug)]
pub(crate) struct Memory {
    state: Mutex<State>,
    purse: Arc<Purse>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// What was asked for lately and what was before that: when the first half is full it takes the
/// place of the second, and what nobody has asked for in between is forgotten.
#[derive(Debug, Default)]
struct State {
    version: Option<u64>,
    young: Half,
    old: Half,
    ahead: Ahead,
}

#[derive(Debug, Default)]
struct Half {
    /// Which product is meant.
    criteria: HashMap<Criteria, u64>,
    products: HashMap<u64, Arc<Known>>,
    /// The products of services, by name.
    labels: HashMap<u64, Arc<Label>>,
    /// Those that are among `products`.
    services: HashMap<u64, u64>,
}

/// When trees were rendered ahead.
#[derive(Debug, Default)]
struct Ahead {
    under_way: bool,
    begun: Option<OffsetDateTime>,
    version: Option<u64>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::with_bytes(MOST_BYTES)
    }
}

impl Memory {
    fn with_bytes(bytes: usize) -> Self {
        Self {
            state: Mutex::default(),
            purse: Arc::new(Purse::new(bytes)),
            hits: AtomicU64::default(),
            misses: AtomicU64::default(),
        }
    }

    /// Notes how many products a request found here, and how many it had to read.
    pub fn count(&self, hits: usize, misses: usize) {
        self.hits.fetch_add(hits as u64, Ordering::Relaxed);
        self.misses.fetch_add(misses as u64, Ordering::Relaxed);
        let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
        timings::add(Timings {
            hits: number(hits),
            misses: number(misses),
            ..Timings::default()
        });
    }

    /// Bytes that are taken, products that were found here, and those that had to be read.
    pub fn gauges(&self) -> (usize, u64, u64) {
        let taken = self.purse.bytes - self.purse.left.load(Ordering::Relaxed);
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (taken, count(&self.hits), count(&self.misses))
    }

    /// What `criteria` meant, and in which version: whether it is the same now the caller finds out.
    pub fn recall(&self, criteria: &Criteria) -> Option<(u64, Arc<Known>)> {
        let mut state = self.state();
        let version = state.version?;
        let id = match state.young.criteria.get(criteria) {
            Some(id) => *id,
            None => {
                let id = state.old.criteria.remove(criteria)?;
                state.young.criteria.insert(criteria.clone(), id);
                id
            }
        };
        Some((version, state.product(id)?))
    }

    /// The product `id`, if it is remembered in this version.
    pub fn product(&self, version: Option<u64>, id: u64) -> Option<Arc<Known>> {
        self.at(version)?.product(id)
    }

    /// The product of the service `id`, if it is remembered.
    pub fn service(&self, id: u64) -> Option<(u64, Arc<Known>)> {
        let mut state = self.state();
        let version = state.version?;
        let services = [&state.young.services, &state.old.services];
        let product = *services.into_iter().find_map(|it| it.get(&id))?;
        Some((version, state.product(product)?))
    }

    /// The products of the services `ids`, in their order; nothing when one is not remembered in
    /// this version.
    pub fn labels(&self, version: Option<u64>, ids: &[u64]) -> Option<Vec<Arc<Label>>> {
        let mut state = self.at(version)?;
        let mut labels = Vec::with_capacity(ids.len());
        for id in ids {
            labels.push(state.label(*id)?);
        }
        Some(labels)
    }

    /// Remembers which product `criteria` mean.
    pub fn learn_criteria(&self, version: Option<u64>, criteria: &Criteria, id: u64) {
        if criteria.length() > LONGEST_CRITERIA {
            return;
        }
        if let Some(mut state) = self.moved_to(version) {
            state.make_room(|half| half.criteria.len());
            state.young.criteria.insert(criteria.clone(), id);
        }
    }

    /// Remembers of which products the services are.
    pub fn learn_labels<'a>(
        &self,
        version: Option<u64>,
        labels: impl IntoIterator<Item = (u64, &'a Arc<Label>)>,
    ) {
        if let Some(mut state) = self.moved_to(version) {
            for (service, label) in labels {
                state.make_room(|half| half.labels.len());
                state.young.labels.insert(service, Arc::clone(label));
            }
        }
    }

    /// Remembers `known`, if there is room for it, and returns it either way.
    pub fn learn(&self, version: Option<u64>, mut known: Known) -> Arc<Known> {
        let Some(mut state) = self.moved_to(version) else {
            return Arc::new(known);
        };
        let id = known.product().label.id;
        if state.old.products.is_empty() && self.purse.half_full() {
            state.turn();
        }
        let mut fits = known.charge(&self.purse);
        for _ in 0..2 {
            if !fits {
                state.turn();
                fits = known.charge(&self.purse);
            }
        }
        let known = Arc::new(known);
        if !fits {
            return known;
        }
        for product in known.all() {
            if let Some(service) = product.service_id {
                state.learn_label(service, product);
            }
        }
        state.make_room(|half| half.products.len());
        if let Some(service) = known.product().service_id {
            state.young.services.insert(service, id);
        }
        state.young.products.insert(id, Arc::clone(&known));
        known
    }

    /// Whether trees are to be rendered ahead now; if so, [`Memory::rendered_ahead`] has to follow.
    pub fn render_ahead(&self, version: Option<u64>, now: OffsetDateTime) -> bool {
        let ahead = &mut self.state().ahead;
        let paused = |begun: OffsetDateTime| now - begun >= PAUSE || now < begun;
        let wanted = !ahead.under_way
            && (ahead.begun.is_none() || (version.is_some() && version != ahead.version))
            && ahead.begun.is_none_or(paused);
        if wanted {
            ahead.under_way = true;
            ahead.begun = Some(now);
        }
        wanted
    }

    /// They were, as far as they could be, in this version.
    pub fn rendered_ahead(&self, version: Option<u64>) {
        let ahead = &mut self.state().ahead;
        ahead.under_way = false;
        ahead.version = version;
    }

    /// How answers look, as far as that is known before somebody asks; of their base URLs nothing is.
    pub fn look(&self) -> Option<Rendering> {
        let appearance = lock(&self.purse.appearance).clone();
        BaseUrl::parse("http://localhost").map(|base_url| Rendering {
            base_url,
            appearance,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn at(&self, version: Option<u64>) -> Option<MutexGuard<'_, State>> {
        let state = self.state();
        (version.is_some() && state.version == version).then_some(state)
    }

    /// As of this version; what was remembered of another one is forgotten. Nothing without a
    /// version.
    fn moved_to(&self, version: Option<u64>) -> Option<MutexGuard<'_, State>> {
        version?;
        let mut state = self.state();
        if state.version != version {
            let ahead = std::mem::take(&mut state.ahead);
            *state = State {
                version,
                ahead,
                ..State::default()
            };
        }
        Some(state)
    }
}

impl State {
    /// Makes room for one more in the young half.
    fn make_room(&mut self, count: impl Fn(&Half) -> usize) {
        if count(&self.young) >= MOST_ENTRIES {
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.old = std::mem::take(&mut self.young);
    }

    fn product(&mut self, id: u64) -> Option<Arc<Known>> {
        if let Some(known) = self.young.products.get(&id) {
            return Some(Arc::clone(known));
        }
        let known = self.old.products.remove(&id)?;
        if let Some(service) = known.product().service_id {
            self.young.services.insert(service, id);
        }
        self.young.products.insert(id, Arc::clone(&known));
        Some(known)
    }

    fn label(&mut self, service: u64) -> Option<Arc<Label>> {
        if let Some(label) = self.young.labels.get(&service) {
            return Some(Arc::clone(label));
        }
        let label = self.old.labels.remove(&service)?;
        self.young.labels.insert(service, Arc::clone(&label));
        Some(label)
    }

    fn learn_label(&mut self, service: u64, product: &Product) {
        self.make_room(|half| half.labels.len());
        let labels = &mut self.young.labels;
        labels
            .entry(service)
            .or_insert_with(|| Arc::new(product.label.clone()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::super::tests::product;
    use super::super::{Relatives, Trees};
    use super::*;
    use crate::store::Wanted;

    fn known(id: u64) -> Known {
        let product = Arc::new(product(id, "P"));
        let trees = Trees::new(HashMap::from([(id, Arc::clone(&product))]), &[]);
        Known::new(product, trees, Relatives::default(), vec![])
    }

    fn named(id: u64) -> Criteria {
        Criteria {
            identifier: Wanted::text(format!("p{id}")),
            ..Criteria::default()
        }
    }

    fn learn(memory: &Memory, version: u64, id: u64) {
        memory.learn(Some(version), known(id));
        memory.learn_criteria(Some(version), &named(id), id);
    }

    #[test]
    fn another_version_forgets_everything() {
        let memory = Memory::default();
        learn(&memory, 1, 7);
        assert_eq!(memory.recall(&named(7)).unwrap().0, 1);
        assert!(memory.product(Some(1), 7).is_some());
        assert!(memory.service(7).is_some());
        assert_eq!(memory.labels(Some(1), &[7]).unwrap()[0].id, 7);
        assert!(memory.product(Some(2), 7).is_none());
        assert!(memory.product(None, 7).is_none());
        assert!(memory.labels(Some(1), &[7, 8]).is_none());
        learn(&memory, 2, 8);
        assert!(memory.recall(&named(7)).is_none());
        assert!(memory.product(Some(2), 7).is_none());
        assert!(memory.service(7).is_none());
        assert!(memory.labels(Some(2), &[7]).is_none());
        assert_eq!(memory.recall(&named(8)).unwrap().0, 2);
    }

    #[test]
    fn without_a_version_nothing_is_remembered() {
        let memory = Memory::default();
        let known = memory.learn(None, known(7));
        memory.learn_criteria(None, &named(7), 7);
        assert_eq!(known.product().label.id, 7);
        assert!(memory.recall(&named(7)).is_none());
        assert!(memory.product(None, 7).is_none());
    }

    #[test]
    fn there_is_an_end_to_it() {
        let memory = Memory::with_bytes(100_000);
        for id in 1..=3 * MOST_ENTRIES as u64 {
            learn(&memory, 1, id);
            // What is asked for again and again stays.
            assert!(memory.recall(&named(1)).is_some(), "{id}");
        }
        let state = memory.state();
        let count = |count: fn(&Half) -> usize| count(&state.young) + count(&state.old);
        assert!(count(|half| half.criteria.len()) <= 2 * MOST_ENTRIES + 1);
        assert!(count(|half| half.labels.len()) <= 2 * MOST_ENTRIES + 1);
        assert!(count(|half| half.products.len()) < 100);
        drop(state);
        let long = Criteria {
            identifier: Wanted::text("x".repeat(LONGEST_CRITERIA + 1)),
            ..Criteria::default()
        };
        memory.learn_criteria(Some(1), &long, 1);
        assert!(memory.recall(&long).is_none());
    }

    #[test]
    fn ahead_is_rendered_once_at_a_time_and_not_all_the_time() {
        let memory = Memory::default();
        let at = |second: i64| datetime!(2026-11-20 12:00 UTC) + Duration::seconds(second);
        assert!(memory.render_ahead(None, at(0)));
        assert!(!memory.render_ahead(Some(1), at(9)), "it is under way");
        memory.rendered_ahead(Some(1));
        assert!(!memory.render_ahead(None, at(20)));
        assert!(!memory.render_ahead(Some(1), at(20)));
        assert!(memory.render_ahead(Some(2), at(20)));
        memory.rendered_ahead(Some(2));
        assert!(!memory.render_ahead(Some(3), at(24)), "too early");
        assert!(memory.render_ahead(Some(3), at(25)));
    }
}
