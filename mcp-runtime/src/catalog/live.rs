//! The catalogue while the server runs: what is offered may become more and less.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::{Catalog, Prompt, Resource, Surroundings, Tool};
use crate::error::{Error, Problem, Result};

/// What a server offers, unchecked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offered {
    pub(crate) tools: Vec<Tool>,
    pub(crate) prompts: Vec<Prompt>,
    pub(crate) resources: Vec<Resource>,
}

/// The catalogue of a running server. A request takes the one that is current, and keeps it to its end.
#[derive(Debug)]
pub(crate) struct Live {
    current: RwLock<Arc<Catalog>>,
    offered: Mutex<Offered>,
    around: Surroundings,
}

impl Live {
    pub(crate) fn new(catalog: Catalog, offered: Offered, around: Surroundings) -> Self {
        Self { current: RwLock::new(Arc::new(catalog)), offered: Mutex::new(offered), around }
    }

    pub(crate) fn current(&self) -> Arc<Catalog> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Offers something else from now on; what can not be offered changes nothing.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Offered)) -> Result<()> {
        let mut offered = self.offered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = offered.clone();
        change(&mut next);
        let mut problems: Vec<Problem> = Vec::new();
        let catalog = Catalog::build(&next, &self.around, &mut problems);
        if !problems.is_empty() {
            return Err(Error::Change(problems));
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalog);
        *offered = next;
        Ok(())
    }
}
